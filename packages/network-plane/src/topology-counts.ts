// What a fabric is made of and what it can carry, counted from its description: endpoints, switches, cables, ports,
// bisection bandwidth, and the latency of an empty network. Arithmetic only; a test compares it with the links that are
// built.

import type { Duration } from "@windtunnel/base";
import { NVLINK_LATENCIES } from "./network-profile.ts";
import {
  joinedLeaves,
  leavesOfPlane,
  planeCountOf,
  portsDown,
  portsUp,
  type TopologyDescription,
} from "./topology-description.ts";

export interface SwitchCounts {
  readonly count: number;
  /** Of the switch that has most in use. */
  readonly portsDown: number;
  readonly portsUp: number;
  readonly ports: number;
}

export interface TopologyCounts {
  readonly gpus: number;
  /** NICs on switches; in an NVLink domain, GPUs. */
  readonly endpoints: number;
  /** Disjoint networks. */
  readonly planes: number;
  readonly leaves: SwitchCounts;
  readonly spines: SwitchCounts;
  /** Leaves and spines; the one switch of an NVLink domain. */
  readonly switches: number;
  /** Cables between switches. */
  readonly switchLinks: number;
  readonly endpointLinks: number;
  /** Bytes per second, one way, between two halves of the nodes that are divided in the worst way. */
  readonly bisectionBytesPerSecond: number;
}

const NO_SWITCHES: SwitchCounts = { count: 0, portsDown: 0, portsUp: 0, ports: 0 };

export function topologyCounts(description: TopologyDescription): TopologyCounts {
  const { kind, nodes, gpusPerNode, planes: nics, spinesPerPlane, switchPorts } = description;
  const gpus = nodes * gpusPerNode;
  if (kind === "nvlink-domain") {
    return {
      gpus,
      endpoints: gpus,
      planes: 0,
      leaves: NO_SWITCHES,
      spines: NO_SWITCHES,
      switches: 1,
      switchLinks: 0,
      endpointLinks: gpus,
      bisectionBytesPerSecond: Math.floor(gpus / 2) * description.nvlinkBytesPerSecond,
    };
  }
  const trees = planeCountOf(description);
  const joined = joinedLeaves(description);
  const up = portsUp(description);
  const leaves = trees * joined;
  const spines = up === 0 ? 0 : trees * spinesPerPlane;
  return {
    gpus,
    endpoints: nodes * nics,
    planes: trees,
    leaves: { count: leaves, portsDown: portsDown(description), portsUp: up, ports: switchPorts },
    spines: spines === 0 ? NO_SWITCHES : { count: spines, portsDown: joined, portsUp: 0, ports: switchPorts },
    switches: leaves + spines,
    switchLinks: leaves * up,
    endpointLinks: nodes * nics,
    bisectionBytesPerSecond: bisectionCables(description) * description.linkBytesPerSecond,
  };
}

/**
 * The least number of cables that part the nodes into two halves. A leaf stands on one side; its endpoints that belong
 * to the other side each cost a cable, and each spine costs a cable for every leaf that it is not with.
 */
function bisectionCables(description: TopologyDescription): number {
  const { kind, nodes, nodesPerLeaf, planes: nics } = description;
  const half = Math.floor(nodes / 2);
  const leaves = leavesOfPlane(description);
  const lastLeaf = nodes - (leaves - 1) * nodesPerLeaf;
  /** Of one plane or rail, and on the single plane of all NICs. */
  const cablesOfNode = kind === "single-plane" ? nics : 1;
  let least = Number.POSITIVE_INFINITY;
  for (let moved = 0; moved <= Math.floor(leaves / 2); moved++) {
    const withoutLast = moved * nodesPerLeaf;
    const withLast = withoutLast - nodesPerLeaf + lastLeaf;
    const misplaced = [withoutLast, ...(moved > 0 ? [withLast] : [])].map((of) => Math.abs(half - of));
    const cables = Math.min(...misplaced) * cablesOfNode + moved * portsUp(description);
    least = Math.min(least, cables);
  }
  return least * (kind === "single-plane" ? 1 : nics);
}

/** From hand-over to notice in an empty network, without the time of the bytes themselves. */
export interface TopologyLatencies {
  /** Between GPUs of one node, over NVLink. */
  readonly nvlink: Duration;
  /** Between NICs on one leaf; undefined without NICs. */
  readonly sameLeaf: Duration | undefined;
  /** Over a spine; undefined where no path crosses one. */
  readonly acrossLeaves: Duration | undefined;
  /** To a GPU of another plane: the last hop over NVLink at its node. Undefined where NICs reach all others. */
  readonly relayed: Duration | undefined;
}

export function topologyLatencies(description: TopologyDescription): TopologyLatencies {
  const { kind, planes, network } = description;
  const over = (links: number, { endLatency, linkLatency }: typeof NVLINK_LATENCIES): Duration =>
    (2 * endLatency + links * linkLatency) as Duration;
  const nvlink = over(2, NVLINK_LATENCIES);
  if (kind === "nvlink-domain") {
    return { nvlink, sameLeaf: undefined, acrossLeaves: undefined, relayed: undefined };
  }
  const sameLeaf = over(2, network);
  const relay = (NVLINK_LATENCIES.endLatency + 2 * NVLINK_LATENCIES.linkLatency) as Duration;
  return {
    nvlink,
    sameLeaf,
    acrossLeaves: portsUp(description) > 0 ? over(4, network) : undefined,
    relayed: kind === "multi-plane" && planes > 1 ? ((sameLeaf + relay) as Duration) : undefined,
  };
}
