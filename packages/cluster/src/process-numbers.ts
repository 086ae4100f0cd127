// The logical processes of a run and their numbers: ranks first, then NVLink domains, then planes, then the scheduler.
// A node is an NVLink domain, or all nodes are one. Joined rails are one plane process, and so is a single plane.

import { planeCountOf, type TopologyDescription } from "@windtunnel/network-plane";

export interface ProcessNumbers {
  readonly rankCount: number;
  readonly nodeCount: number;
  readonly gpusPerNode: number;
  /** NVLink processes. */
  readonly domainCount: number;
  /** Plane processes: none in an NVLink domain. */
  readonly planeCount: number;
  /** NICs of a node that are used; GPU i uses NIC i modulo them. */
  readonly nicCount: number;
  readonly processCount: number;
  readonly scheduler: number;
  /** The NVLink process of a node. */
  nvlinkDomain(node: number): number;
  plane(plane: number): number;
  nodeOfRank(rank: number): number;
}

/** Classes of processes, in the order of the class graph. */
export const CLASSES = ["rank", "nvlink", "plane", "scheduler"] as const;
export type ProcessClass = (typeof CLASSES)[number];

export function numberProcesses(
  fabric: Pick<TopologyDescription, "kind" | "nodes" | "gpusPerNode" | "planes">,
): ProcessNumbers {
  const { kind, nodes, gpusPerNode, planes } = fabric;
  const rankCount = nodes * gpusPerNode;
  const isOneDomain = kind === "nvlink-domain";
  const domainCount = isOneDomain ? 1 : nodes;
  const planeCount = planeCountOf(fabric);
  const scheduler = rankCount + domainCount + planeCount;
  return {
    rankCount,
    nodeCount: nodes,
    gpusPerNode,
    domainCount,
    planeCount,
    nicCount: planes,
    processCount: scheduler + 1,
    scheduler,
    nvlinkDomain: (node) => rankCount + (isOneDomain ? 0 : node),
    plane: (plane) => rankCount + domainCount + plane,
    nodeOfRank: (rank) => Math.floor(rank / gpusPerNode),
  };
}

/** The class of a process, as an index of `CLASSES`; from a table, since it is asked for at every send. */
export function classIndices(numbers: ProcessNumbers): (process: number) => number {
  const table = Uint8Array.from({ length: numbers.processCount }, (_, process) =>
    CLASSES.indexOf(classOf(numbers, process)),
  );
  return (process) => table[process]!;
}

export function classOf(numbers: ProcessNumbers, process: number): ProcessClass {
  if (process < numbers.rankCount) return "rank";
  if (process < numbers.rankCount + numbers.domainCount) return "nvlink";
  return process < numbers.scheduler ? "plane" : "scheduler";
}
