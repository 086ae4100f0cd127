// Routing on RoCE: ECMP beside static and adaptive routing, in an all-to-all across leaves.

import {
  type ExperimentText,
  lastRankUs,
  type Measured,
  measureEach,
  microsecondsText,
} from "./experiment.ts";

const ROUTINGS = ["static", "adaptive", "ecmp"] as const;
export type RoutingName = (typeof ROUTINGS)[number];

/** Spines of a plane: as many as nodes under a leaf, and half as many. */
const SPINES = [4, 2] as const;
type Spines = (typeof SPINES)[number];
const NODES_PER_LEAF = 4;

export type Routings = Readonly<Record<`${RoutingName} ${Spines}`, Measured>>;

export function runRoutings(): Routings {
  const cases = SPINES.flatMap((spinesPerPlane) =>
    ROUTINGS.map((routing) => [
      `${routing} ${spinesPerPlane}`,
      {
        pattern: "normal",
        ranks: 64,
        tokens: [1024],
        groups: 1,
        limitedGroups: 1,
        fabric: { network: "roce", routing, nodesPerLeaf: NODES_PER_LEAF, spinesPerPlane },
      },
    ]),
  );
  return measureEach(Object.fromEntries(cases) as Parameters<typeof measureEach<keyof Routings>>[0]);
}

/** ECMP over the slower of the other two. */
export function ecmpFactor(runs: Routings, spines: Spines): number {
  const of = (routing: RoutingName): number => lastRankUs(runs[`${routing} ${spines}`].result);
  return of("ecmp") / Math.max(of("static"), of("adaptive"));
}

export function routingText(runs: Routings): ExperimentText {
  const [full, half] = [ecmpFactor(runs, 4), ecmpFactor(runs, 2)].map((factor) => factor.toFixed(2));
  return {
    title: "ECMP on RoCE collides",
    setting:
      "64 H800 on RoCE, two leaves of four nodes in each plane, normal mode, 1,024 tokens, no group limit. Times are " +
      "until the last rank is done.",
    head: ["spines of a plane", "routing", "dispatch, µs", "combine, µs", "both, µs"],
    rows: Object.entries(runs).map(([name, { result }]) => {
      const [routing = "", spines = ""] = name.split(" ");
      const times = [result.dispatch.maxUs, result.combine.maxUs, lastRankUs(result)];
      return [spines, routing, ...times.map(microsecondsText)];
    }),
    finding:
      `With half as many spines as nodes under a leaf, ECMP takes ${half} times as long as static and adaptive routing. A ` +
      "hash puts several of the few large flows of a leaf on one uplink while another has less to do, and every rank waits " +
      "for the slowest plane; routing by target node, and by the uplink that is free first, share them out evenly. With as " +
      `many spines as nodes the uplinks have room for collisions, since part of the traffic stays under its leaf: ${full} times.`,
    commands: Object.values(runs).map(({ command }) => command),
  };
}
