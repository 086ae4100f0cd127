// Redundant experts as a run is prepared: the placement of each layer, the weights that a process holds, the memory that
// they take on the emulated GPUs.

import { describe, expect, test } from "vitest";
import { expertsOfRank } from "@windtunnel/router";
import { type PreparedRun, prepareRun } from "./prepare-run.ts";
import { resolveScenario } from "./scenario/index.ts";
import { createTensorSpace } from "./tensor-space.ts";

function prepared(fields: Readonly<Record<string, unknown>>): PreparedRun {
  return prepareRun(resolveScenario({ model: { preset: "v3-tiny" }, ...fields }, { folder: "." }));
}

/** Experts of the ranks of a unit in a layer, by rank. */
function heldByRank({ placement }: PreparedRun, layer: number): number[][] {
  return Array.from({ length: placement.degree }, (_, rank) => expertsOfRank(placement, layer, rank));
}

describe("a prepared run with redundant experts", () => {
  test("places them by popularity where routing is zipf, for each layer, and else alike in all layers", () => {
    const fields = {
      model: { preset: "v3-small" },
      math: "skip",
      cluster: { nodes: 2, gpusPerNode: 4 },
      parallelism: { redundantExperts: 16 },
    };
    const zipf = prepared({ ...fields, routing: { draw: "zipf", exponent: 1 } });
    expect(zipf.placement).toMatchObject({ physicalCount: 80, degree: 8, expertsPerRank: 10 });
    expect(heldByRank(zipf, 1)).not.toEqual(heldByRank(zipf, 2));
    expect(heldByRank(zipf, 1)).toEqual(heldByRank(zipf, 5));
    const copies = (run: PreparedRun): number => {
      const held = heldByRank(run, 1).flat();
      return Math.max(...held.map((expert) => held.filter((other) => other === expert).length));
    };
    expect(copies(zipf)).toBeGreaterThan(2);
    const balanced = prepared(fields);
    expect(heldByRank(balanced, 1)).toEqual(heldByRank(balanced, 2));
    expect(copies(balanced)).toBe(2);
  });

  test("keeps a group on its node where nodes divide the groups", () => {
    // 16 experts in 4 groups: two on each of two nodes, and of three nodes none is whole.
    const nodesOfGroups = (nodes: number, redundantExperts: number): number[] => {
      const cluster = { nodes, gpusPerNode: 4 };
      const held = heldByRank(prepared({ cluster, parallelism: { redundantExperts } }), 1);
      return [0, 1, 2, 3].map((group) => {
        const ranks = [...held.keys()].filter((rank) => held[rank]!.some((expert) => expert >> 2 === group));
        return new Set(ranks.map((rank) => rank >> 2)).size;
      });
    };
    expect(nodesOfGroups(2, 8)).toEqual([1, 1, 1, 1]);
    expect(Math.max(...nodesOfGroups(3, 8))).toBeGreaterThan(1);
  });

  test("holds the experts of a process's ranks once each", () => {
    const run = prepared({ cluster: { nodes: 2, gpusPerNode: 4 }, parallelism: { redundantExperts: 48 } });
    for (const ranks of [[0], [2, 3, 6], [0, 1, 2, 3, 4, 5, 6, 7]]) {
      const { heldExperts } = createTensorSpace(run, ranks, 1)!.weights;
      expect(heldExperts[0]).toEqual([]);
      for (const layer of [1, 2]) {
        const experts = new Set(ranks.flatMap((rank) => expertsOfRank(run.placement, layer, rank)));
        expect(heldExperts[layer]).toEqual([...experts].toSorted((a, b) => a - b));
      }
    }
  });

  test("counts every replica in the memory of a GPU", () => {
    const fields = { model: { preset: "deepseek-v3" }, math: "skip", cluster: { nodes: 2 } };
    const fp8 = { precision: { dispatch: "fp8", combine: "bf16" } };
    expect(prepared({ ...fields, run: fp8 }).placement.expertsPerRank).toBe(16);
    // 58 layers of 16 more experts of 44 MB: 41 GB more on each GPU.
    const doubled = { ...fields, run: fp8, parallelism: { redundantExperts: 256 } };
    expect(() => prepared(doubled)).toThrow(/does not fit the memory of h800: 10\d\.\d GB of weights/);
  });
});
