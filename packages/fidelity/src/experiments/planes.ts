// Multi-plane and multi-rail: disjoint planes beside rails under shared spines, for balanced all-to-alls.

import {
  type ExperimentText,
  type Measured,
  measureEach,
  microsecondsText,
  percentText,
} from "./experiment.ts";

const KINDS = ["multi-plane", "multi-rail"] as const;
const PATTERNS = ["normal", "low-latency"] as const;
type Kind = (typeof KINDS)[number];
type Pattern = (typeof PATTERNS)[number];

export type Fabrics = Readonly<Record<`${Kind} ${Pattern}`, Measured>>;

export function runFabrics(): Fabrics {
  const cases = PATTERNS.flatMap((pattern) =>
    KINDS.map((kind) => [
      `${kind} ${pattern}`,
      {
        pattern,
        ranks: 64,
        ...(pattern === "normal" ? { tokens: [1024] } : {}),
        gate: "balanced",
        // As many uplinks as nodes under a leaf: four spines for each plane, the same ports for eight rails.
        fabric: { kind, nodesPerLeaf: 4, spinesPerPlane: kind === "multi-plane" ? 4 : 32 },
      },
    ]),
  );
  return measureEach(Object.fromEntries(cases) as Parameters<typeof measureEach<keyof Fabrics>>[0]);
}

/** The greatest relative difference between the two, over patterns and phases. */
export function planeDifference(runs: Fabrics): number {
  const differences = PATTERNS.flatMap((pattern) => {
    const [plane, rail] = KINDS.map((kind) => runs[`${kind} ${pattern}`].result);
    return (["dispatch", "combine"] as const).map((phase) =>
      Math.abs(plane![phase].us / rail![phase].us - 1),
    );
  });
  return differences.reduce((most, difference) => Math.max(most, difference), 0);
}

export function planesText(runs: Fabrics): ExperimentText {
  return {
    title: "Multi-plane and multi-rail are equals",
    setting:
      "64 H800 on InfiniBand, two leaves of four nodes for each NIC of a node, balanced routing. Times are means over ranks.",
    head: ["pattern", "fabric", "dispatch, µs", "combine, µs"],
    rows: Object.entries(runs).map(([name, { result }]) => {
      const [kind = "", pattern = ""] = name.split(" ");
      return [pattern, kind, microsecondsText(result.dispatch.us), microsecondsText(result.combine.us)];
    }),
    finding:
      `They differ by ${percentText(planeDifference(runs))} at most; DeepSeek measured them nearly equal as well. In normal mode ` +
      "every message goes to the GPU of its own index, so that no rail has anything for another and both fabrics do the same. " +
      "In low-latency mode a message for another index changes over at its target's node by NVLink, or on rails over a spine: " +
      "another way, and the same NIC at either end. With a skewed gate that changes: a popular rank gets its rows over all NICs " +
      "of its node where planes are disjoint, by way of NVLink, and over its own NIC alone on rails, while its outputs leave " +
      "by its own NIC on both. How production relays on disjoint planes is not published (docs/adr/0013-relay-over-nvlink.md).",
    commands: Object.values(runs).map(({ command }) => command),
  };
}
