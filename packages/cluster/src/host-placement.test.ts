// Where hosts get their processes, over random clusters and every number of hosts that they allow.

import { RandomStream } from "@windtunnel/base";
import { FABRIC_KINDS } from "@windtunnel/network-plane";
import { describe, expect, test } from "vitest";
import { placeOnHosts } from "./host-placement.ts";
import { numberProcesses, type ProcessNumbers } from "./process-numbers.ts";

const SEEDS = [1, Number(process.env["WINDTUNNEL_TEST_SEED"] ?? Date.now() % 1_000_000_007)];

/** Clusters of up to 6 nodes of 8 GPUs, of every kind, each with every number of hosts. */
function everyPlacement(seed: number): { numbers: ProcessNumbers; hostCount: number; where: string }[] {
  const random = new RandomStream(seed, "host placement");
  return Array.from({ length: 40 }, (_, draw) => {
    const kind = FABRIC_KINDS[draw % FABRIC_KINDS.length]!;
    const [nodes, gpusPerNode] = [1 + random.below(6), 1 + random.below(8)];
    const planes = kind === "nvlink-domain" ? 0 : 1 + random.below(gpusPerNode);
    const numbers = numberProcesses({ kind, nodes, gpusPerNode, planes });
    return Array.from({ length: nodes * gpusPerNode + numbers.planeCount }, (_, index) => {
      const hostCount = index + 1;
      const where = `${kind}, ${nodes} nodes of ${gpusPerNode} GPUs, ${planes} NICs, ${hostCount} hosts (WINDTUNNEL_TEST_SEED=${seed})`;
      return { numbers, hostCount, where };
    });
  }).flat();
}

const listOf = (count: number): number[] => Array.from({ length: count }, (_, index) => index);

describe.each(SEEDS)("processes on hosts, seed %i", (seed) => {
  test("every process sits on exactly one host that exists", () => {
    for (const { numbers, hostCount, where } of everyPlacement(seed)) {
      const placement = placeOnHosts(numbers, hostCount);
      for (const process of listOf(numbers.processCount)) {
        const host = placement.hostOf(process);
        expect(Number.isInteger(host) && host >= 0 && host < hostCount, `${where}: ${process}`).toBe(true);
      }
    }
  });

  test("every host carries at least one GPU or plane", () => {
    for (const { numbers, hostCount, where } of everyPlacement(seed)) {
      const placement = placeOnHosts(numbers, hostCount);
      const ranks = listOf(numbers.rankCount);
      const planes = listOf(numbers.planeCount).map((plane) => numbers.plane(plane));
      expect(new Set([...ranks, ...planes].map((process) => placement.hostOf(process))).size, where).toBe(
        hostCount,
      );
    }
  });

  test("nodes are whole, with their NVLink domain, up to one host for each node and each plane", () => {
    for (const { numbers, hostCount, where } of everyPlacement(seed)) {
      if (hostCount > numbers.nodeCount + numbers.planeCount) continue;
      const placement = placeOnHosts(numbers, hostCount);
      for (const rank of listOf(numbers.rankCount)) {
        // A domain of all nodes sits with the first of them.
        if (numbers.domainCount === 1 && numbers.nodeOfRank(rank) > 0) continue;
        const domain = numbers.nvlinkDomain(numbers.nodeOfRank(rank));
        expect(placement.hostOf(rank), `${where}: rank ${rank}`).toBe(placement.hostOf(domain));
      }
    }
  });

  test("loads of GPUs differ by a node at most, and by a GPU once nodes are split", () => {
    for (const { numbers, hostCount, where } of everyPlacement(seed)) {
      const placement = placeOnHosts(numbers, hostCount);
      const gpus = new Map<number, number>();
      for (const rank of listOf(numbers.rankCount))
        gpus.set(placement.hostOf(rank), (gpus.get(placement.hostOf(rank)) ?? 0) + 1);
      const difference = Math.max(...gpus.values()) - Math.min(...gpus.values());
      const isSplit = gpus.size > numbers.nodeCount;
      expect(difference, where).toBeLessThanOrEqual(isSplit ? 1 : numbers.gpusPerNode);
    }
  });
});

test("more hosts than GPUs and planes are a bug of whoever did not check", () => {
  const numbers = numberProcesses({ kind: "multi-plane", nodes: 1, gpusPerNode: 2, planes: 1 });
  expect(() => placeOnHosts(numbers, 4)).toThrow("4 hosts");
  expect(() => placeOnHosts(numbers, 0)).toThrow("0 hosts");
});
