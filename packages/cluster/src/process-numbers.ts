// The logical processes of a run and their numbers: ranks first, then the NVLink domain of each node, then planes,
// then the scheduler.

import type { Scenario } from "./scenario/index.ts";

export interface ProcessNumbers {
  readonly rankCount: number;
  readonly nodeCount: number;
  readonly gpusPerNode: number;
  readonly planeCount: number;
  readonly processCount: number;
  readonly scheduler: number;
  nvlinkDomain(node: number): number;
  plane(plane: number): number;
  nodeOfRank(rank: number): number;
}

/** Classes of processes, in the order of the class graph. */
export const CLASSES = ["rank", "nvlink", "plane", "scheduler"] as const;
export type ProcessClass = (typeof CLASSES)[number];

export function numberProcesses(cluster: Scenario["cluster"], planeCount: number): ProcessNumbers {
  const { nodes, gpusPerNode } = cluster;
  const rankCount = nodes * gpusPerNode;
  const scheduler = rankCount + nodes + planeCount;
  return {
    rankCount,
    nodeCount: nodes,
    gpusPerNode,
    planeCount,
    processCount: scheduler + 1,
    scheduler,
    nvlinkDomain: (node) => rankCount + node,
    plane: (plane) => rankCount + nodes + plane,
    nodeOfRank: (rank) => Math.floor(rank / gpusPerNode),
  };
}

export function classOf(numbers: ProcessNumbers, process: number): ProcessClass {
  if (process < numbers.rankCount) return "rank";
  if (process < numbers.rankCount + numbers.nodeCount) return "nvlink";
  return process < numbers.scheduler ? "plane" : "scheduler";
}
