// The ranks of an expert-parallel unit and the nodes that they sit in, numbered inside the unit. Ranks of one node reach
// each other over NVLink.

import { invariant } from "@windtunnel/base";
import type { RankGroups } from "./token-set.ts";

export class Unit {
  /** This rank's number in the unit. */
  readonly rank: number;
  /** Ranks of the run, by their numbers in the unit; consecutive. */
  readonly ranks: readonly number[];
  /** The unit's ranks of each node, ascending. */
  readonly nodes: readonly (readonly number[])[];
  /**
   * Every other rank, in the order in which this one sends: node by node from its own on, in each node from its own index
   * on. So no two ranks of a node aim at one target at once, and no two nodes at one NIC.
   */
  readonly others: readonly number[];
  /** The same as ranks of the run. */
  readonly otherRanks: Int32Array;
  /** The others in ascending order, and as ranks of the run. */
  readonly ascending: readonly number[];
  readonly ascendingRanks: readonly number[];
  readonly #nodeOf: Int32Array;
  readonly #groups = new Map<string, RankGroups>();

  constructor(options: {
    readonly rank: number;
    readonly ranks: readonly number[];
    readonly gpusPerNode: number;
  }) {
    const { rank, ranks, gpusPerNode } = options;
    invariant(rank >= 0 && rank < ranks.length, `rank ${rank} of ${ranks.length}`);
    this.rank = rank;
    this.ranks = ranks;
    const firstNode = Math.floor(ranks[0]! / gpusPerNode);
    this.#nodeOf = Int32Array.from(ranks, (each) => Math.floor(each / gpusPerNode) - firstNode);
    const nodeCount = this.#nodeOf.at(-1)! + 1;
    this.nodes = Array.from({ length: nodeCount }, (_, node) =>
      [...this.#nodeOf.keys()].filter((each) => this.#nodeOf[each] === node),
    );
    this.others = this.#inTurn();
    this.otherRanks = Int32Array.from(this.others, (each) => ranks[each]!);
    this.ascending = this.others.toSorted((a, b) => a - b);
    this.ascendingRanks = this.ascending.map((each) => ranks[each]!);
  }

  #inTurn(): number[] {
    const home = this.nodeOf(this.rank);
    const index = this.nodes[home]!.indexOf(this.rank);
    const nodes = this.nodes.map((_, distance) => this.nodes[(home + distance) % this.nodes.length]!);
    const ordered = nodes.flatMap((ranks) => ranks.map((_, step) => ranks[(index + step) % ranks.length]!));
    return ordered.filter((each) => each !== this.rank);
  }

  get degree(): number {
    return this.ranks.length;
  }

  nodeOf(rank: number): number {
    return this.#nodeOf[rank]!;
  }

  /** The rank of a node that receives what `rank` sends there: the one of the same index, where there is one. */
  relayOf(rank: number, node: number): number {
    const home = this.nodes[this.nodeOf(rank)]!;
    const there = this.nodes[node]!;
    return there[home.indexOf(rank) % there.length]!;
  }

  /** Groups of ranks for `splitByGroup`; the same object for the same key. */
  groups(key: string, expertsPerRank: number, groupOf: (rank: number) => number): RankGroups {
    const known = this.#groups.get(key);
    if (known !== undefined) return known;
    const groupOfRank = Int32Array.from(this.ranks, (_, rank) => groupOf(rank));
    const groups = sharedGroups(groupOfRank, expertsPerRank);
    this.#groups.set(key, groups);
    return groups;
  }
}

const shared = new Map<string, RankGroups>();

/** Equal groups are one object, so that ranks share what was split by them. */
function sharedGroups(groupOfRank: Int32Array, expertsPerRank: number): RankGroups {
  const name = `${expertsPerRank} ${groupOfRank.join()}`;
  let groups = shared.get(name);
  if (groups === undefined) {
    const groupCount = groupOfRank.reduce((most, group) => Math.max(most, group + 1), 0);
    shared.set(name, (groups = { groupOfRank, groupCount, expertsPerRank }));
  }
  return groups;
}
