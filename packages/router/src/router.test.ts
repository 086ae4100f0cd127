import { RandomStream } from "@windtunnel/base";
import { describe, expect, test } from "vitest";
import {
  balanceExperts,
  countsForRank,
  divisionProblem,
  type ExpertPlacement,
  expertsOfRank,
  layoutDispatch,
  layoutKeptChoices,
  ownerOf,
  physicalChoices,
  placeExperts,
  type Redundancy,
  replicasOf,
} from "./index.ts";

/** 12 experts in 4 groups on 8 ranks of two nodes, with 4 redundant ones; the published example of EPLB. */
const LOADS = [
  [90, 132, 40, 61, 104, 165, 39, 4, 73, 56, 183, 86],
  [20, 107, 104, 64, 19, 197, 187, 157, 172, 86, 16, 27],
];
const REDUNDANCY: Redundancy = { count: 4, groupCount: 4, nodeCount: 2, loads: LOADS };
const PUBLISHED = [
  [5, 6, 5, 7, 8, 4, 3, 4, 10, 9, 10, 2, 0, 1, 11, 1],
  [7, 10, 6, 8, 6, 11, 8, 9, 2, 4, 5, 1, 5, 0, 3, 1],
];

describe("expert placement", () => {
  test("gives every rank a contiguous block", () => {
    for (const redundancy of [undefined, { ...REDUNDANCY, count: 0 }]) {
      const options = { expertCount: 24, degree: 8 };
      const placement = placeExperts(redundancy === undefined ? options : { ...options, redundancy });
      expect(placement).toEqual({ ...options, physicalCount: 24, expertsPerRank: 3, replicaMaps: [] });
      for (let expert = 0; expert < 24; expert++) {
        expect(ownerOf(placement, expert)).toBe(Math.floor(expert / 3));
        expect(replicasOf(placement, 5, expert)).toEqual([expert]);
      }
      expect(expertsOfRank(placement, 5, 2)).toEqual([6, 7, 8]);
    }
  });

  test("with redundant experts follows EPLB, and layers take the expected loads in turn", () => {
    const placement = placeExperts({ expertCount: 12, degree: 8, redundancy: REDUNDANCY });
    expect(placement).toMatchObject({ physicalCount: 16, expertsPerRank: 2 });
    for (const layer of [0, 1, 6, 7]) {
      const published = PUBLISHED[layer % 2]!;
      const held = Array.from({ length: 8 }, (_, rank) => expertsOfRank(placement, layer, rank));
      expect(held.flat()).toEqual(published);
      for (let expert = 0; expert < 12; expert++) {
        const replicas = replicasOf(placement, layer, expert);
        expect(replicas.toSorted((a, b) => a - b)).toEqual(
          [...published.keys()].filter((physical) => published[physical] === expert),
        );
        for (const physical of replicas) expect(held[ownerOf(placement, physical)]).toContain(expert);
      }
    }
  });

  test("groups stay on a node where nodes divide them, and not elsewhere", () => {
    const nodesOf = (nodeCount: number): number[][] => {
      const redundancy = { ...REDUNDANCY, nodeCount };
      const placement = placeExperts({ expertCount: 12, degree: 8, redundancy });
      return [0, 1, 2, 3].map((group) => {
        const experts = [3 * group, 3 * group + 1, 3 * group + 2];
        const ranks = experts.flatMap((expert) =>
          replicasOf(placement, 0, expert).map((physical) => ownerOf(placement, physical)),
        );
        return [...new Set(ranks.map((rank) => Math.floor(rank / 4)))];
      });
    };
    expect(nodesOf(2)).toEqual([[1], [0], [0], [1]]);
    expect(nodesOf(8).flat().length).toBeGreaterThan(4);
  });

  test("works for one rank, on which an expert may be twice", () => {
    const redundancy = { count: 3, groupCount: 1, nodeCount: 1, loads: [[1, 5, 1, 1]] };
    const placement = placeExperts({ expertCount: 4, degree: 1, redundancy });
    expect(expertsOfRank(placement, 0, 0).toSorted((a, b) => a - b)).toEqual([0, 1, 1, 1, 1, 2, 3]);
  });

  test("refuses what does not divide, and names the nearest number of redundant experts that would", () => {
    expect(() => placeExperts({ expertCount: 24, degree: 7 })).toThrow(
      "24 experts + 0 redundant do not divide by a degree of 7; 4 redundant experts would",
    );
    expect(divisionProblem(256, 0, 72)).toMatch(/; 32 redundant experts would$/);
    expect(divisionProblem(256, 33, 144)).toMatch(/256 experts \+ 33 .*; 32 redundant experts would$/);
    expect(divisionProblem(256, 50, 320)).toMatch(/; 64 redundant experts would$/);
    // 104 is as near as 32.
    expect(divisionProblem(256, 68, 72)).toMatch(/; 104 redundant experts would$/);
    expect(divisionProblem(256, 0, 0)).toMatch(/a degree of 0$/);
    for (const [redundant, degree] of [
      [32, 72],
      [32, 144],
      [64, 320],
      [0, 256],
    ] as const) {
      expect(divisionProblem(256, redundant, degree)).toBeUndefined();
    }
  });
});

describe("physical choices", () => {
  test("take an expert's replicas in turn, by source rank and token", () => {
    const random = new RandomStream(9, "physical choices");
    for (let round = 0; round < 40; round++) {
      const degree = [1, 2, 4, 8][round % 4]!;
      const loads = [0, 1, 2].map(() => Array.from({ length: 12 }, () => random.below(100)));
      const redundancy = { count: 8 * random.below(4), groupCount: 4, nodeCount: 1, loads };
      redundancy.count += degree === 8 ? 4 : 0;
      const placement = placeExperts({ expertCount: 12, degree, redundancy });
      const source = {
        layer: random.below(9),
        choicesPerToken: 3,
        unitRank: random.below(degree),
        firstRow: random.below(50),
      };
      const choices = Int32Array.from({ length: 3 * random.below(20) }, () => random.below(12));
      const actual = physicalChoices(choices, placement, source);
      expect([...actual]).toEqual(plainPhysicalChoices(choices, placement, redundancy, source));
    }
  });

  /** The plain twin: EPLB's own answer, searched for the replica. */
  function plainPhysicalChoices(
    choices: Int32Array,
    { degree }: ExpertPlacement,
    { count, groupCount, nodeCount, loads }: Redundancy,
    source: { layer: number; choicesPerToken: number; unitRank: number; firstRow: number },
  ): number[] {
    if (count === 0) return [...choices];
    const layerLoads = loads[source.layer % loads.length]!;
    const options = { replicaCount: 12 + count, groupCount, nodeCount, gpuCount: degree };
    const { physicalToLogical, replicaOfPhysical, logicalCount } = balanceExperts(layerLoads, options);
    return [...choices].map((expert, slot) => {
      const token = source.firstRow + Math.floor(slot / source.choicesPerToken);
      const replica = (source.unitRank + token) % logicalCount[expert]!;
      return [...physicalToLogical.keys()].find(
        (physical) => physicalToLogical[physical] === expert && replicaOfPhysical[physical] === replica,
      )!;
    });
  }

  test("of a micro-batch are those of its rows in the whole batch", () => {
    const placement = placeExperts({ expertCount: 12, degree: 8, redundancy: REDUNDANCY });
    const random = new RandomStream(2, "halves");
    const choices = Int32Array.from({ length: 30 }, () => random.below(12));
    const of = (part: Int32Array, firstRow: number): number[] => [
      ...physicalChoices(part, placement, { layer: 1, choicesPerToken: 2, unitRank: 3, firstRow }),
    ];
    expect([...of(choices.subarray(0, 14), 0), ...of(choices.subarray(14), 7)]).toEqual(of(choices, 0));
  });

  test("even out the rows of an expert that is chosen by all", () => {
    const loads = [[100, 1, 1, 1]];
    const redundancy = { count: 4, groupCount: 1, nodeCount: 1, loads };
    const placement = placeExperts({ expertCount: 4, degree: 4, redundancy });
    expect(replicasOf(placement, 0, 0)).toHaveLength(5);
    const rows = new Int32Array(4);
    for (let unitRank = 0; unitRank < 4; unitRank++) {
      const source = { layer: 0, choicesPerToken: 1, unitRank, firstRow: 0 };
      for (const physical of physicalChoices(new Int32Array(10), placement, source)) {
        rows[ownerOf(placement, physical)]!++;
      }
    }
    // 40 rows on five replicas, two of them on the rank that has no other expert.
    expect([...rows].toSorted((a, b) => a - b)).toEqual([8, 8, 8, 16]);
  });

  test("without redundant experts are the choices, and experts that do not exist are refused", () => {
    const choices = Int32Array.of(3, 4);
    const source = { layer: 0, choicesPerToken: 2, unitRank: 0, firstRow: 0 };
    expect(physicalChoices(choices, placeExperts({ expertCount: 8, degree: 2 }), source)).toBe(choices);
    const placement = placeExperts({ expertCount: 12, degree: 8, redundancy: REDUNDANCY });
    expect(() => physicalChoices(Int32Array.of(3, 12), placement, source)).toThrow(/expert 12 of 12/);
  });
});

describe("a dispatch layout", () => {
  const redundancy = { count: 8, groupCount: 1, nodeCount: 1, loads: [Array.from({ length: 16 }, () => 1)] };

  test.each([
    ["experts", placeExperts({ expertCount: 16, degree: 4 })],
    ["physical experts", placeExperts({ expertCount: 16, degree: 4, redundancy })],
  ])("orders rows by %s, token and choice, each exactly once", (_, placement) => {
    const random = new RandomStream(4, "layout");
    const { physicalCount, expertsPerRank } = placement;
    for (let round = 0; round < 50; round++) {
      const tokenCount = random.below(20);
      const choices = Int32Array.from({ length: tokenCount * 3 }, () => random.below(physicalCount));
      const layout = layoutDispatch(choices, tokenCount, 3, placement);
      const kept = layoutKeptChoices(choices, tokenCount, 3, placement);
      expect([kept.rowOffsets, kept.slotOfRow, kept.rowOfSlot]).toEqual([
        layout.rowOffsets,
        layout.slotOfRow,
        layout.rowOfSlot,
      ]);
      // The plain twin: sort (physical expert, token, choice).
      const sorted = [...choices.keys()].toSorted((a, b) => choices[a]! - choices[b]! || a - b);
      expect([...layout.slotOfRow]).toEqual(sorted);
      for (const [row, slot] of sorted.entries()) expect(layout.rowOfSlot[slot]).toBe(row);
      for (let rank = 0; rank < 4; rank++) {
        const counts = countsForRank(layout, placement, rank);
        for (const [local, count] of counts.entries()) {
          expect(count).toBe(choices.filter((choice) => choice === rank * expertsPerRank + local).length);
        }
      }
    }
  });

  test("refuses physical experts that do not exist", () => {
    const placement = placeExperts({ expertCount: 16, degree: 4 });
    expect(() => layoutDispatch(Int32Array.of(2, 16), 1, 2, placement)).toThrow(/physical expert 16 of 16/);
  });
});
