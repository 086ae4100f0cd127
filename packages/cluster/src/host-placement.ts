// Which host carries which logical process. By default a host gets whole nodes and whole planes; with more hosts than
// nodes, planes get hosts of their own; with more hosts than nodes and planes, nodes are split down to single GPUs. An
// NVLink domain sits with its first GPU. It never changes a bit of the result.

import { invariant } from "@windtunnel/base";
import type { ProcessNumbers } from "./process-numbers.ts";

export interface HostPlacement {
  readonly hostCount: number;
  hostOf(process: number): number;
}

export function placeOnHosts(numbers: ProcessNumbers, hostCount: number): HostPlacement {
  const { rankCount, nodeCount, domainCount, planeCount } = numbers;
  invariant(hostCount >= 1 && hostCount <= rankCount + planeCount, `${hostCount} hosts`);
  const shared = hostCount <= nodeCount;
  const rankHosts = shared ? hostCount : Math.max(nodeCount, hostCount - planeCount);
  const planeHosts = shared ? hostCount : hostCount - rankHosts;
  const firstPlaneHost = shared ? 0 : rankHosts;
  const ranksOfDomain = rankCount / domainCount;
  /** Consecutive things on consecutive hosts, as evenly as they divide. */
  const spread = (index: number, count: number, hosts: number): number => Math.floor((index * hosts) / count);
  // Whole nodes as long as there are no more hosts than nodes; single GPUs beyond.
  const hostOfRank = (rank: number): number =>
    rankHosts <= nodeCount
      ? spread(numbers.nodeOfRank(rank), nodeCount, rankHosts)
      : spread(rank, rankCount, rankHosts);
  return {
    hostCount,
    hostOf: (process) => {
      if (process < rankCount) return hostOfRank(process);
      const domain = process - rankCount;
      if (domain < domainCount) return hostOfRank(domain * ranksOfDomain);
      if (process === numbers.scheduler) return 0;
      const plane = domain - domainCount;
      return planeHosts === 0 ? plane % rankHosts : firstPlaneHost + spread(plane, planeCount, planeHosts);
    },
  };
}
