// Flows on one plane, and what a contention model makes of them: the interface that `fluid` and `trains` share.
// A plane's flows meet no others: planes are disjoint.

import type { Topology } from "./topology.ts";

export interface PlaneFlow {
  /** Nodes, which are the ports of a plane. */
  readonly source: number;
  readonly target: number;
  /** Numbers of its links, in order. */
  readonly path: readonly number[];
  readonly bytes: number;
  readonly startNs: number;
}

export interface PlaneFlows {
  readonly topology: Topology;
  /** Ports of the plane. */
  readonly nodes: number;
  readonly flows: readonly PlaneFlow[];
}

export interface PlaneOutcome {
  /** When the last byte of each flow is at its target. */
  readonly finishNs: Float64Array;
  /** What each link of the topology carried. */
  readonly linkBytes: Float64Array;
}

export type RunContentionModel = (plane: PlaneFlows) => PlaneOutcome;
