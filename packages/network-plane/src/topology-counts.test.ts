import { describe, expect, test } from "vitest";
import {
  checkTopologyDescription,
  createPlaneTopology,
  planeCountOf,
  topologyCounts,
  topologyLatencies,
} from "./index.ts";

const KINDS = [
  { kind: "multi-plane", nodes: 70, gpusPerNode: 4 },
  { kind: "multi-plane", nodes: 3, planes: 2, nodesPerLeaf: 1, spinesPerPlane: 5 },
  { kind: "multi-rail", nodes: 70, gpusPerNode: 4, nodesPerLeaf: 16 },
  { kind: "multi-rail", nodes: 2, gpusPerNode: 1 },
  { kind: "single-plane", nodes: 70 },
  { kind: "single-plane", nodes: 3 },
] as const;

describe("counts", () => {
  test.each(KINDS)("of %j are those of the links that are built", (fields) => {
    const description = checkTopologyDescription(fields);
    const counts = topologyCounts(description);
    const cables = new Set<string>();
    for (let plane = 0; plane < planeCountOf(description); plane++) {
      for (const { cable } of createPlaneTopology(description, plane).links) cables.add(cable);
    }
    const trunks = [...cables].filter((cable) => cable.includes("spine"));
    const leaves = [...cables].flatMap(
      (cable) => /^(.*) \/ node .* - (leaf \d+)$/.exec(cable)?.slice(1).join() ?? [],
    );
    expect(counts.switchLinks).toBe(trunks.length);
    expect(counts.endpointLinks).toBe(cables.size - trunks.length);
    expect(counts.leaves.count).toBe(new Set(leaves).size);
    const fullest = Math.max(
      ...[...new Set(leaves)].map((leaf) => leaves.filter((one) => one === leaf).length),
    );
    expect(counts.leaves.portsDown).toBe(fullest);
    const ofSpine = (cable: string): string =>
      (fields.kind === "multi-plane" ? cable.split(" / ")[0]! : "") + /spine \d+/.exec(cable)![0];
    expect(counts.spines.count).toBe(new Set(trunks.map(ofSpine)).size);
    if (trunks.length > 0) {
      const [first] = trunks;
      const same = trunks.filter((cable) => ofSpine(cable) === ofSpine(first!));
      expect(counts.spines.portsDown).toBe(same.length);
      expect(counts.leaves.portsUp).toBe(description.spinesPerPlane);
    }
  });

  test("of the published deployment: 8 planes of 8 leaves and 32 spines, full bisection", () => {
    const counts = topologyCounts(checkTopologyDescription({}));
    // 256 nodes × 8 NICs; 8 × (8 + 32) switches; 8 × 8 × 32 cables; half of 2,048 NICs at 50 GB/s.
    expect(counts).toMatchObject({
      gpus: 2048,
      endpoints: 2048,
      planes: 8,
      switches: 320,
      switchLinks: 2048,
      endpointLinks: 2048,
      bisectionBytesPerSecond: 1024 * 50e9,
    });
    expect(counts.leaves).toEqual({ count: 64, portsDown: 32, portsUp: 32, ports: 64 });
    expect(counts.spines).toEqual({ count: 256, portsDown: 8, portsUp: 0, ports: 64 });
  });

  test("of 36 and 72 GPUs in an NVLink domain", () => {
    const counts = topologyCounts(checkTopologyDescription({ kind: "nvlink-domain" }));
    expect(counts).toMatchObject({
      gpus: 72,
      endpoints: 72,
      switches: 1,
      bisectionBytesPerSecond: 36 * 900e9,
    });
  });

  test.each([
    // Two leaves of 2 nodes, one spine: one cable up from the leaf that is parted off.
    [{ nodes: 4, nodesPerLeaf: 2, spinesPerPlane: 1 }, 1],
    // One leaf: half of its nodes.
    [{ nodes: 4, nodesPerLeaf: 4 }, 2],
    // Three leaves of 2 nodes with 3 uplinks: parting one leaf off takes its 3, and one node more its own cable.
    [{ nodes: 6, nodesPerLeaf: 2, spinesPerPlane: 3 }, 3],
    [{ nodes: 6, nodesPerLeaf: 2, spinesPerPlane: 1 }, 2],
    // 32 nodes on one leaf and 1 on the other, which has one uplink: the large leaf is parted, and costs 16.
    [{ nodes: 33, nodesPerLeaf: 32, spinesPerPlane: 1 }, 16],
  ])("bisection of a plane of %j is %i cables", (fields, cables) => {
    for (const planes of [1, 3]) {
      const { bisectionBytesPerSecond } = topologyCounts(checkTopologyDescription({ ...fields, planes }));
      expect(bisectionBytesPerSecond).toBe(planes * cables * 50e9);
    }
    const worst = leastCut(
      fields.nodes,
      fields.nodesPerLeaf,
      "spinesPerPlane" in fields ? fields.spinesPerPlane : 32,
    );
    expect(cables).toBe(worst);
  });
});

/** By trying all: which nodes are on one side, on which side each leaf stands, and each spine where it costs less. */
function leastCut(nodes: number, nodesPerLeaf: number, spines: number): number {
  const sizes = Array.from({ length: Math.ceil(nodes / nodesPerLeaf) }, (_, leaf) =>
    Math.min(nodesPerLeaf, nodes - leaf * nodesPerLeaf),
  );
  let least = Number.POSITIVE_INFINITY;
  const tryLeaf = (leaf: number, here: number, cut: number, leavesHere: number): void => {
    if (leaf === sizes.length) {
      if (here !== Math.floor(nodes / 2)) return;
      const uplinks = sizes.length > 1 ? spines * Math.min(leavesHere, sizes.length - leavesHere) : 0;
      least = Math.min(least, cut + uplinks);
      return;
    }
    for (let moved = 0; moved <= sizes[leaf]!; moved++) {
      tryLeaf(leaf + 1, here + moved, cut + moved, leavesHere);
      tryLeaf(leaf + 1, here + moved, cut + sizes[leaf]! - moved, leavesHere + 1);
    }
  };
  tryLeaf(0, 0, 0, 0);
  return least;
}

describe("latencies", () => {
  test("are the published ones, and the relay's sum", () => {
    const latencies = (fields: object): ReturnType<typeof topologyLatencies> =>
      topologyLatencies(checkTopologyDescription(fields));
    expect(latencies({})).toEqual({
      nvlink: 3.33e6,
      sameLeaf: 2.8e6,
      acrossLeaves: 3.7e6,
      // 2.8 µs, two links of 0.665 µs and an end of 1 µs.
      relayed: 5.13e6,
    });
    expect(latencies({ kind: "single-plane", network: "roce" })).toEqual({
      nvlink: 3.33e6,
      sameLeaf: 3.6e6,
      acrossLeaves: 5.6e6,
      relayed: undefined,
    });
    expect(latencies({ nodes: 2 })).toMatchObject({ acrossLeaves: undefined });
    expect(latencies({ kind: "multi-rail", nodes: 2 })).toMatchObject({ acrossLeaves: 3.7e6 });
    expect(latencies({ kind: "nvlink-domain" })).toMatchObject({ nvlink: 3.33e6, sameLeaf: undefined });
  });
});
