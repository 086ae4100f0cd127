// Token sets against plain versions that keep a list of objects, on random input with and without payload.

import { Payload, RandomStream } from "@windtunnel/base";
import { layoutDispatch, placeExperts } from "@windtunnel/router";
import { describe, expect, test } from "vitest";
import {
  choiceCount,
  joinTokens,
  type RankGroups,
  sliceTokens,
  splitByGroup,
  type TokenSet,
} from "./index.ts";
import { SEEDS } from "./test-support/draw-tokens.ts";
import { tokensOfLayout } from "./token-set.ts";

const DEGREE = 6;
const EXPERTS_PER_RANK = 3;
const CHOICES = 4;
const ROW_BYTES = 5;

/** A token of a set, with its choices, as a plain object. */
interface PlainToken {
  readonly token: number;
  readonly choices: readonly { readonly choice: number; readonly expert: number; readonly weight?: number }[];
  readonly row?: readonly number[];
}

function plainOf({ tokens, offsets, experts, choices, weights, rows }: TokenSet): PlainToken[] {
  return Array.from(tokens, (token, entry) => ({
    token,
    choices: Array.from({ length: offsets[entry + 1]! - offsets[entry]! }, (_, index) => {
      const at = offsets[entry]! + index;
      const choice = { choice: choices[at]!, expert: experts[at]! };
      return weights === undefined ? choice : { ...choice, weight: weights[at]! };
    }),
    ...(rows === undefined
      ? {}
      : { row: [...rows.bytes.subarray(entry * ROW_BYTES, (entry + 1) * ROW_BYTES)] }),
  }));
}

function drawSet(random: RandomStream, tokenCount: number, isExecuted: boolean): TokenSet {
  const placement = placeExperts({ expertCount: DEGREE * EXPERTS_PER_RANK, degree: DEGREE });
  const choices = Int32Array.from({ length: tokenCount * CHOICES }, () =>
    random.below(placement.physicalCount),
  );
  const layout = layoutDispatch(choices, tokenCount, CHOICES, placement);
  if (!isExecuted) return tokensOfLayout(layout, 2);
  const weights = Float32Array.from(choices, () => random.uniform());
  const rows = new Payload(Uint8Array.from({ length: tokenCount * ROW_BYTES }, () => random.below(256)));
  return tokensOfLayout(layout, 2, { weights, rows });
}

function drawGroups(random: RandomStream): RankGroups {
  const groupOfRank = Int32Array.from({ length: DEGREE }, () => random.below(4) - 1);
  return { groupOfRank, groupCount: 3, expertsPerRank: EXPERTS_PER_RANK };
}

describe.each(SEEDS)("of random tokens (WINDTUNNEL_TEST_SEED=%i)", (seed) => {
  const random = new RandomStream(seed, "token sets");
  const sets = [0, 1, 7, 40].flatMap((count) => [
    drawSet(random, count, true),
    drawSet(random, count, false),
  ]);

  test("the set of a layout lists every token once, its choices in order", () => {
    for (const set of sets) {
      expect([...set.tokens]).toEqual([...set.tokens.keys()]);
      expect(choiceCount(set)).toBe(set.tokens.length * CHOICES);
      for (const { choices } of plainOf(set))
        expect(choices.map(({ choice }) => choice)).toEqual([0, 1, 2, 3]);
    }
  });

  test("a split gives each group the tokens that it needs, with the choices there", () => {
    for (const set of sets) {
      const groups = drawGroups(random);
      const parts = splitByGroup(set, groups);
      expect(parts).toHaveLength(3);
      for (const [group, part] of parts.entries()) {
        const isHere = (expert: number): boolean =>
          groups.groupOfRank[Math.floor(expert / EXPERTS_PER_RANK)] === group;
        const expected = plainOf(set)
          .map((token) => ({ ...token, choices: token.choices.filter(({ expert }) => isHere(expert)) }))
          .filter(({ choices }) => choices.length > 0);
        expect(plainOf(part)).toEqual(expected);
        expect(part.source).toBe(2);
      }
    }
  });

  test("slices are consecutive parts that make the whole again", () => {
    for (const set of sets) {
      const size = 1 + random.below(12);
      const slices = sliceTokens(set, size);
      expect(slices.map(({ tokens }) => tokens.length)).toEqual(
        Array.from({ length: Math.ceil(set.tokens.length / size) }, (_, index) =>
          Math.min(size, set.tokens.length - index * size),
        ),
      );
      expect(slices.flatMap(plainOf)).toEqual(plainOf(set));
    }
  });

  test("a slice of a split, and a split of a slice, are the same tokens", () => {
    for (const set of sets) {
      const groups = drawGroups(random);
      const split = sliceTokens(set, 8).map((slice) => splitByGroup(slice, groups));
      for (const [group, part] of splitByGroup(set, groups).entries()) {
        expect(split.flatMap((parts) => plainOf(parts[group]!))).toEqual(plainOf(part));
      }
    }
  });

  test("a join holds each token once, with the choices of all sets in their order", () => {
    for (const set of sets) {
      const parts = splitByGroup(set, {
        ...drawGroups(random),
        groupOfRank: Int32Array.of(2, 0, 1, 1, -1, 0),
      });
      const plain = parts.map(plainOf);
      const tokens = [...new Set(plain.flat().map(({ token }) => token))].sort((a, b) => a - b);
      const expected = tokens.map((token) => ({
        token,
        choices: plain.flatMap((part) =>
          part
            .filter((each) => each.token === token)
            .flatMap(({ choices }) => choices.map(({ choice, expert }) => ({ choice, expert }))),
        ),
      }));
      const joined = joinTokens(parts);
      expect(plainOf(joined)).toEqual(expected);
      expect(joined.source).toBe(2);
    }
  });
});

describe("token sets", () => {
  const random = new RandomStream(3, "sharing");

  test("without payload share what was split and sliced of one layout, each under its own source", () => {
    const placement = placeExperts({ expertCount: DEGREE * EXPERTS_PER_RANK, degree: DEGREE });
    const choices = Int32Array.from({ length: 10 * CHOICES }, () => random.below(placement.physicalCount));
    const layout = layoutDispatch(choices, 10, CHOICES, placement);
    const groups = drawGroups(random);
    const [one, other] = [4, 5].map((source) => splitByGroup(tokensOfLayout(layout, source), groups));
    expect(other!.map(({ tokens }) => tokens)).toEqual(one!.map(({ tokens }) => tokens));
    for (const [group, part] of one!.entries()) expect(other![group]!.experts).toBe(part.experts);
    expect([one![0]!.source, other![0]!.source]).toEqual([4, 5]);
  });

  test("of several sources have no join, and neither has nothing", () => {
    const set = drawSet(random, 3, false);
    expect(() => joinTokens([set, { ...set, source: 1 }])).toThrow(/several sources/);
    expect(() => joinTokens([])).toThrow(/nothing to join/);
  });
});
