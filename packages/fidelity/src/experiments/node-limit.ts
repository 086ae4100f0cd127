// Node-limited routing: what a token's limit of groups saves, one group on each node.

import {
  type ExperimentText,
  type Measured,
  measureEach,
  microsecondsText,
  networkMegabytes,
  percentText,
} from "./experiment.ts";

const GROUPS = 8;
/** DeepSeek-V3's. */
export const V3_LIMIT = 4;

/** By limit, from 1. */
export type NodeLimits = readonly Measured[];

export function runNodeLimits(): NodeLimits {
  const limits = Array.from({ length: GROUPS }, (_, index) => index + 1);
  const cases = limits.map((limitedGroups) => [
    String(limitedGroups),
    { pattern: "normal", ranks: 64, tokens: [1024], groups: GROUPS, limitedGroups },
  ]);
  return Object.values(measureEach(Object.fromEntries(cases) as Parameters<typeof measureEach>[0]));
}

export interface Saving {
  readonly bytes: number;
  readonly time: number;
}

/** What a limit saves beside none at all, as fractions. */
export function savingOf(runs: NodeLimits, limit: number): Saving {
  const [limited, free] = [runs[limit - 1]!.result, runs.at(-1)!.result];
  return {
    bytes: 1 - networkMegabytes(limited) / networkMegabytes(free),
    time: 1 - bothUs(limited) / bothUs(free),
  };
}

function bothUs({ dispatch, combine }: Measured["result"]): number {
  return dispatch.us + combine.us;
}

export function nodeLimitText(runs: NodeLimits): ExperimentText {
  const saving = savingOf(runs, V3_LIMIT);
  return {
    title: "Node-limited routing saves bytes, and less time",
    setting:
      "64 H800 on InfiniBand, 8 groups of experts, one on each node, normal mode, 1,024 tokens, gate-like routing. Bytes " +
      "are those that a GPU sends over the network in dispatch and combine; times are means over ranks.",
    head: [
      "groups of a token",
      "nodes of a token",
      "network, MB",
      "dispatch, µs",
      "combine, µs",
      "bytes saved",
      "time saved",
    ],
    rows: runs.map(({ name, result }) => {
      const own = savingOf(runs, Number(name));
      return [
        name,
        result.nodesPerToken.toFixed(2),
        networkMegabytes(result).toFixed(1),
        microsecondsText(result.dispatch.us),
        microsecondsText(result.combine.us),
        percentText(own.bytes),
        percentText(own.time),
      ];
    }),
    finding:
      `DeepSeek-V3's limit of ${V3_LIMIT} groups saves ${percentText(saving.bytes)} of the bytes and ${percentText(saving.time)} of ` +
      "the time. A token crosses the network once for each node that it goes to, so bytes follow the nodes; eight experts " +
      "seldom spread over more than six groups, and limits above that save next to nothing. At a limit of one, a token's node " +
      "is its own in one case of eight, and NVLink and the SMs that forward take most of the time that is left.",
    commands: runs.map(({ command }) => command),
  };
}
