import { readFileSync } from "node:fs";
import { RandomStream } from "@windtunnel/base";
import { describe, expect, test } from "vitest";
import { balanceExperts, balancedPacking, replicateExperts } from "./eplb.ts";

interface Case {
  readonly replicas: number;
  readonly groups: number;
  readonly nodes: number;
  readonly gpus: number;
  readonly distribution: string;
  readonly logicalExperts: number;
  readonly weight: readonly (readonly number[])[];
  readonly physicalToLogical: readonly (readonly number[])[];
  readonly logicalCount: readonly (readonly number[])[];
}

const fixture = new URL("../../../test/fixtures/eplb.json", import.meta.url);
const { cases } = JSON.parse(readFileSync(fixture, "utf8")) as { cases: Case[] };

describe("EPLB", () => {
  test.each(cases)(
    "places $logicalExperts experts in $replicas replicas on $gpus GPUs as published",
    (example) => {
      const { replicas: replicaCount, groups: groupCount, nodes: nodeCount, gpus: gpuCount } = example;
      for (const [layer, loads] of example.weight.entries()) {
        const placement = balanceExperts(loads, { replicaCount, groupCount, nodeCount, gpuCount });
        expect([...placement.physicalToLogical]).toEqual(example.physicalToLogical[layer]);
        expect([...placement.logicalCount]).toEqual(example.logicalCount[layer]);
      }
    },
  );

  test("gives the loads of GPUs that the published example leads to", () => {
    const [loads] = cases[0]!.weight;
    const options = { replicaCount: 16, groupCount: 4, nodeCount: 2, gpuCount: 8 };
    const loadsOf = (placement: ReturnType<typeof balanceExperts>): number[] => {
      const { physicalToLogical, logicalCount } = placement;
      return Array.from({ length: 8 }, (_, gpu) =>
        [0, 1].reduce((sum, slot) => {
          const expert = physicalToLogical[2 * gpu + slot]!;
          return sum + loads![expert]! / logicalCount[expert]!;
        }, 0),
      );
    };
    expect(loadsOf(balanceExperts(loads!, options))).toEqual([121.5, 86.5, 125, 113, 147.5, 131.5, 156, 152]);
    // Four groups do not divide by three nodes: the global policy.
    const global = balanceExperts(loads!, { ...options, groupCount: 4, nodeCount: 8 });
    expect(loadsOf(global)).toEqual([130.5, 95.5, 130, 138, 138.5, 134.5, 134, 132]);
  });

  test("places every expert at least once, numbers its replicas, and fills every GPU", () => {
    const random = new RandomStream(6, "eplb");
    for (let round = 0; round < 30; round++) {
      const loads = Array.from({ length: 32 }, () => random.below(1000));
      const options = { replicaCount: 48, groupCount: 4, nodeCount: [1, 2, 3][round % 3]!, gpuCount: 12 };
      const { physicalToLogical, replicaOfPhysical, logicalCount } = balanceExperts(loads, options);
      for (let expert = 0; expert < 32; expert++) {
        const slots = [...physicalToLogical.keys()].filter((slot) => physicalToLogical[slot] === expert);
        expect(slots).toHaveLength(logicalCount[expert]!);
        const ranks = slots.map((slot) => replicaOfPhysical[slot]!).toSorted((a, b) => a - b);
        expect(ranks).toEqual(Array.from({ length: slots.length }, (_, rank) => rank));
      }
    }
  });

  test("refuses sizes that do not divide", () => {
    const options = { replicaCount: 16, groupCount: 4, nodeCount: 2, gpuCount: 6 };
    expect(() => balanceExperts(new Float32Array(12), options)).toThrow(
      /16 physical experts do not divide by 6 GPUs/,
    );
  });
});

describe("its parts", () => {
  test("packing gives ties to the lowest pack, replication to the lowest expert", () => {
    expect([...balancedPacking(Float32Array.of(5, 5, 5, 5), 2).packOf]).toEqual([0, 1, 0, 1]);
    expect([...replicateExperts(Float32Array.of(6, 6, 1), 5).expertOf]).toEqual([0, 1, 2, 0, 1]);
  });
});
