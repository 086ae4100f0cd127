import { describe, expect, test } from "vitest";
import { Unit } from "./index.ts";

function unitOf(rank: number, options: { first?: number; degree: number; gpusPerNode: number }): Unit {
  const { first = 0, degree, gpusPerNode } = options;
  return new Unit({ rank, ranks: Array.from({ length: degree }, (_, index) => first + index), gpusPerNode });
}

describe("the nodes of a unit", () => {
  test("are those of the run, numbered from its first", () => {
    const unit = unitOf(3, { first: 16, degree: 16, gpusPerNode: 8 });
    expect(unit.nodes).toEqual([
      [0, 1, 2, 3, 4, 5, 6, 7],
      [8, 9, 10, 11, 12, 13, 14, 15],
    ]);
    expect([unit.rank, unit.degree, unit.nodeOf(7), unit.nodeOf(8)]).toEqual([3, 16, 0, 1]);
    expect(unit.ranks[3]).toBe(19);
  });

  test("may be filled in part, at either end", () => {
    // Ranks 12 to 23 of the run: half of node 1, and node 2.
    expect(unitOf(0, { first: 12, degree: 12, gpusPerNode: 8 }).nodes).toEqual([
      [0, 1, 2, 3],
      [4, 5, 6, 7, 8, 9, 10, 11],
    ]);
    expect(unitOf(0, { degree: 12, gpusPerNode: 8 }).nodes.map(({ length }) => length)).toEqual([8, 4]);
  });

  test("may be one node, or as many as there are ranks", () => {
    expect(unitOf(1, { degree: 4, gpusPerNode: 8 }).nodes).toEqual([[0, 1, 2, 3]]);
    expect(unitOf(1, { degree: 3, gpusPerNode: 1 }).nodes).toEqual([[0], [1], [2]]);
  });
});

describe("a relay", () => {
  test("is the rank of the source's index on the node", () => {
    const unit = unitOf(0, { degree: 16, gpusPerNode: 8 });
    expect([0, 5, 13].map((rank) => unit.relayOf(rank, 1))).toEqual([8, 13, 13]);
    expect(unit.relayOf(13, 0)).toBe(5);
  });

  test("serves several sources where its node has fewer ranks, and every source has one everywhere", () => {
    const unit = unitOf(0, { degree: 12, gpusPerNode: 8 });
    // Four ranks of node 1 for eight of node 0.
    const relays = [0, 1, 2, 3, 4, 5, 6, 7].map((rank) => unit.relayOf(rank, 1));
    expect(relays).toEqual([8, 9, 10, 11, 8, 9, 10, 11]);
    expect([8, 9, 10, 11].map((rank) => unit.relayOf(rank, 0))).toEqual([0, 1, 2, 3]);
  });
});

describe("the others", () => {
  test("are every other rank once, node by node and in each node from the own index on", () => {
    expect(unitOf(1, { degree: 8, gpusPerNode: 4 }).others).toEqual([2, 3, 0, 5, 6, 7, 4]);
    expect(unitOf(6, { degree: 8, gpusPerNode: 4 }).others).toEqual([7, 4, 5, 2, 3, 0, 1]);
    expect(unitOf(0, { degree: 1, gpusPerNode: 8 }).others).toEqual([]);
    for (const degree of [2, 3, 12, 16]) {
      for (let rank = 0; rank < degree; rank++) {
        const { others } = unitOf(rank, { first: degree, degree, gpusPerNode: 8 });
        const all = Array.from({ length: degree }, (_, each) => each);
        expect(others.toSorted((a, b) => a - b)).toEqual(all.filter((each) => each !== rank));
      }
    }
  });

  test("begin differently on all ranks, so that full nodes never aim at one target at once", () => {
    const turns = Array.from(
      { length: 16 },
      (_, rank) => unitOf(rank, { degree: 16, gpusPerNode: 8 }).others,
    );
    // Behind the seven of its own node, each rank's targets on the next one.
    for (let turn = 7; turn < 15; turn++) {
      expect(new Set(turns.map((others) => others[turn])).size).toBe(16);
    }
  });
});

test("groups of one key are made once, and equal groups are one object on all ranks", () => {
  const [first, second] = [0, 1].map((rank) => unitOf(rank, { degree: 4, gpusPerNode: 2 }));
  const byNode = first!.groups("nodes", 3, (rank) => first!.nodeOf(rank));
  expect(byNode).toMatchObject({ groupCount: 2, expertsPerRank: 3 });
  expect([...byNode.groupOfRank]).toEqual([0, 0, 1, 1]);
  expect(first!.groups("nodes", 3, () => 0)).toBe(byNode);
  expect(second!.groups("other name", 3, (rank) => second!.nodeOf(rank))).toBe(byNode);
});
