// One all-to-all for people: what was measured, how long it took, what crossed the wires, where it went.

import type { AllToAllResult, LinkGroupLoad, PhaseResult } from "@windtunnel/cluster";
import type { Colours } from "../screen.ts";
import { describeOptions } from "./all-to-all-description.ts";
import { formatBytes, formatCount, formatMicroseconds, significant } from "./format.ts";
import { renderSection, wrap } from "./table.ts";

const SWITCHES_SHOWN = 8;

export function renderAllToAll(result: AllToAllResult, colours: Colours): string {
  const { options, pattern } = result;
  const title = `${pattern}, ${formatCount(options.ranks)} ${options.ranks === 1 ? "rank" : "ranks"}`;
  return [
    renderSection(title, describeOptions([result], []), colours),
    renderPhases(result, colours),
    [explainBandwidth([result]), explainPreparation(result)].join("\n"),
    renderTokens(result, colours),
    [renderLinks(result, colours), ...explainSpines([result])].join("\n"),
    ...renderSwitches(result, colours),
  ].join("\n\n");
}

function renderPhases({ dispatch, combine }: AllToAllResult, colours: Colours): string {
  const row = (name: string, phase: PhaseResult): string[] => [
    name,
    formatMicroseconds(phase.us),
    formatMicroseconds(phase.maxUs),
    formatBandwidth(phase.logicalGBps),
    formatBytes(phase.nvlinkBytes),
    formatBytes(phase.rdmaBytes),
    formatCount(phase.messages),
  ];
  return renderSection(
    "Both phases",
    {
      head: ["", "mean", "slowest rank", "logical", "NVLink", "network", "messages"],
      aligns: ["left", "right", "right", "right", "right", "right", "right"],
      rows: [row("dispatch", dispatch), row("combine", combine)],
    },
    colours,
  );
}

export function formatBandwidth(gigabytesPerSecond: number): string {
  return `${significant(gigabytesPerSecond)} GB/s`;
}

/** What logical bytes count. */
export function explainBandwidth(results: readonly AllToAllResult[]): string {
  const counted = new Set(results.map(({ copies }) => copies));
  const [ranks, nodes] = [counted.has("rank"), counted.has("node")];
  const distinct = ranks && nodes ? "node, or inside one node each rank," : ranks ? "rank" : "node";
  const ways = [
    ...(counted.has("choice") ? ["each expert of a token, local ones too"] : []),
    ...(ranks || nodes ? [`each ${distinct} that a token goes to, its own too`] : []),
  ];
  return wrap(`Logical, as in DeepEP: a copy for ${ways.join("; in normal for ")}.`);
}

function explainPreparation({ preparationUs }: AllToAllResult): string {
  const time = formatMicroseconds(preparationUs);
  return wrap(`Layout, notify and launches stand apart, as in DeepEP: ${time} before dispatch.`);
}

function renderTokens(result: AllToAllResult, colours: Colours): string {
  const { rowsPerRank, tokensPerRank, ranksPerToken, nodesPerToken } = result;
  const both = ({ mean, max }: { mean: number; max: number }): string =>
    `${formatMean(mean)} on average, ${formatCount(max)} at most`;
  return renderSection(
    "Tokens",
    {
      aligns: ["left", "left"],
      rows: [
        ["a rank receives", `${both(tokensPerRank)}, its own too`],
        ["rows for its experts", both(rowsPerRank)],
        [
          "a token goes to",
          `${significant(ranksPerToken)} ranks in ${significant(nodesPerToken)} nodes, on average`,
        ],
      ],
    },
    colours,
  );
}

function formatMean(value: number): string {
  return value >= 100 ? formatCount(value) : significant(value);
}

const KINDS: readonly (readonly [LinkGroupLoad["kind"], string])[] = [
  ["nvlink", "NVLink"],
  ["pcie", "PCIe"],
  ["plane", "planes, from NICs"],
  ["leaf", "leaves"],
  ["spine", "spines"],
];

/** Both phases, by kind: all parts together, and the one that carried most. */
function renderLinks({ loads, options }: AllToAllResult, colours: Colours): string {
  const rows = KINDS.flatMap(([kind, name]) => {
    const parts = loads.filter((load) => load.kind === kind);
    if (parts.length === 0) return [];
    const bytes = parts.reduce((sum, load) => sum + load.bytes, 0);
    const busiest = byBytes(parts)[0]!;
    const queue = parts.reduce((most, { peakQueueBytes }) => Math.max(most, peakQueueBytes), 0);
    const shown = kind === "plane" && options.fabric["kind"] === "multi-rail" ? "rails, from NICs" : name;
    return [
      [
        shown,
        formatCount(parts.length),
        formatBytes(bytes),
        formatBytes(queue),
        busiest.name,
        formatBytes(busiest.bytes),
      ],
    ];
  });
  if (rows.length === 0) return "Nothing crossed a wire.";
  return renderSection(
    "Wires",
    {
      head: ["", "parts", "carried", "peak queue", "busiest", "carried"],
      aligns: ["left", "right", "right", "right", "left", "right"],
      rows,
    },
    colours,
  );
}

/** Why spines and routing made no difference, where they could not. */
export function explainSpines(results: readonly AllToAllResult[]): string[] {
  const kinds = new Set(results.flatMap(({ loads }) => loads.map(({ kind }) => kind)));
  if (!kinds.has("leaf") || kinds.has("spine")) return [];
  return ["No spine was crossed, since nodes share a leaf (--nodes-per-leaf)."];
}

function renderSwitches({ loads }: AllToAllResult, colours: Colours): string[] {
  const switches = byBytes(loads.filter(({ kind }) => kind === "leaf" || kind === "spine"));
  if (switches.length === 0) return [];
  const shown = switches.slice(0, SWITCHES_SHOWN);
  const title =
    shown.length < switches.length ? `Busiest ${shown.length} of ${switches.length} switches` : "Switches";
  const table = renderSection(
    title,
    {
      head: ["switch", "carried", "peak queue"],
      aligns: ["left", "right", "right"],
      rows: shown.map(({ name, bytes, peakQueueBytes }) => [
        name,
        formatBytes(bytes),
        formatBytes(peakQueueBytes),
      ]),
    },
    colours,
  );
  return [table];
}

/** The most first; equal ones in the order of the fabric. */
function byBytes(loads: readonly LinkGroupLoad[]): LinkGroupLoad[] {
  return loads.toSorted((a, b) => b.bytes - a.bytes);
}
