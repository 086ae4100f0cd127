// Sums of token rows: their order, and where they are rounded. Rows of a few channels, whose sums differ with the order.

import { Payload } from "@windtunnel/base";
import { decodeBF16, encodeBF16 } from "@windtunnel/tensor";
import { describe, expect, test } from "vitest";
import { combineTokens, runExpertsOnTokens, packTokens, sumTokens, type TokenSet } from "./index.ts";
import { context, expertWeights, HIDDEN, tensorOf } from "./test-support/emulated-unit.ts";
import { expertForward } from "@windtunnel/model";

const SIZE = 2;
const BIG = 2 ** 24;

/** A set of rows of SIZE channels, in the wire's form on the way back. */
function setOf(
  precision: "f32" | "bf16",
  tokens: readonly number[],
  rows: readonly (readonly number[])[],
): TokenSet {
  const values = Float32Array.from(rows.flat());
  const codes = precision === "f32" ? values : Uint16Array.from(values, encodeBF16);
  return {
    source: 0,
    tokens: Int32Array.from(tokens),
    offsets: Int32Array.from({ length: tokens.length + 1 }, (_, entry) => entry),
    experts: new Int32Array(tokens.length),
    choices: new Uint8Array(tokens.length),
    rows: new Payload(new Uint8Array(codes.buffer.slice(0))),
  };
}

function valuesOf({ rows }: TokenSet, precision: "f32" | "bf16"): number[] {
  const { buffer } = rows!.bytes.slice();
  return precision === "f32"
    ? [...new Float32Array(buffer)]
    : Array.from(new Uint16Array(buffer), (code) => decodeBF16(code));
}

describe("the sum of sets", () => {
  test("is taken in the order of the sets, from zero, in 32 bits", () => {
    // Beside 2^24 a 1 is lost: (2^24 + 1) + 1 is 2^24, and (1 + 1) + 2^24 is 2^24 + 2.
    const [big, one, other] = [BIG, 1, 1].map((value) => setOf("f32", [3], [[value, -value]]));
    expect(valuesOf(sumTokens([big!, one!, other!], "f32", SIZE), "f32")).toEqual([BIG, -BIG]);
    expect(valuesOf(sumTokens([one!, other!, big!], "f32", SIZE), "f32")).toEqual([BIG + 2, -BIG - 2]);
  });

  test("is rounded once, as the wire rounds it, and not on the way", () => {
    // BF16 has 8 bits: 256 + 1 is 256 there, but 256 + 1 + 1 is 258.
    const sets = [256, 1, 1].map((value) => setOf("bf16", [0], [[value, 2 * value]]));
    expect(valuesOf(sumTokens(sets, "bf16", SIZE), "bf16")).toEqual([258, 516]);
    // 257 lies between 256 and 258: a tie, which goes to the even code.
    expect(valuesOf(sumTokens(sets.slice(0, 2), "bf16", SIZE), "bf16")).toEqual([256, 512]);
  });

  test("holds every token of any set, ascending", () => {
    const sets = [
      setOf(
        "f32",
        [1, 4],
        [
          [1, 2],
          [3, 4],
        ],
      ),
      setOf(
        "f32",
        [0, 4],
        [
          [5, 6],
          [10, 20],
        ],
      ),
    ];
    const sum = sumTokens(sets, "f32", SIZE);
    expect([...sum.tokens]).toEqual([0, 1, 4]);
    expect(valuesOf(sum, "f32")).toEqual([5, 6, 1, 2, 13, 24]);
  });

  test("of sets without payload has none", () => {
    const { rows: _rows, ...set } = setOf("f32", [1], [[1, 2]]);
    expect(sumTokens([set, set], "f32", SIZE).rows).toBeUndefined();
  });

  test("reads rows that begin anywhere in a frame", () => {
    const { rows, ...set } = setOf("f32", [0], [[7, 8]]);
    const frame = new Uint8Array(11);
    frame.set(rows!.bytes, 3);
    const shifted = { ...set, rows: new Payload(frame.subarray(3)) };
    expect(valuesOf(sumTokens([shifted], "f32", SIZE), "f32")).toEqual([7, 8]);
  });
});

describe("the sum at the source", () => {
  test("is taken set by set over zeros, and never rounded to the wire", () => {
    const out = { shape: [3, SIZE], address: 0, data: new Float32Array(3 * SIZE).fill(9) };
    combineTokens(
      out,
      [
        setOf(
          "bf16",
          [0, 2],
          [
            [256, 1],
            [2, 3],
          ],
        ),
        setOf("bf16", [0], [[1, 1]]),
      ],
      "bf16",
    );
    expect([...out.data]).toEqual([257, 2, 0, 0, 2, 3]);
  });

  test("refuses a row of a token that is not there", () => {
    const out = { shape: [1, SIZE], address: 0, data: new Float32Array(SIZE) };
    expect(() => combineTokens(out, [setOf("f32", [1], [[1, 1]])], "f32")).toThrow(/token 1 has no row/);
  });
});

test("a rank's experts are added in ascending order, each product and each sum rounded to 32 bits", () => {
  const x = tensorOf(Float32Array.from({ length: HIDDEN }, (_, i) => Math.sin(i)));
  const wire = { dispatch: "f32", combine: "f32" } as const;
  const experts = [12, 13, 14].map(expertWeights);
  const weights = Float32Array.of(0.3, 0.5, 0.7);
  // Choices 0, 1 and 2 are experts 14, 12 and 13.
  const set: TokenSet = {
    source: 1,
    tokens: Int32Array.of(0),
    offsets: Int32Array.of(0, 3),
    experts: Int32Array.of(14, 12, 13),
    choices: Uint8Array.of(0, 1, 2),
    weights,
    rows: packTokens(context, x, "f32"),
  };
  const [sum] = runExpertsOnTokens(context, experts, 12, [set], wire);
  const expected = new Float32Array(HIDDEN);
  for (const [expert, weight] of [
    [12, weights[1]!],
    [13, weights[2]!],
    [14, weights[0]!],
  ] as const) {
    context.arena.scope(() => {
      const { data } = expertForward(context, [expertWeights(expert)], Int32Array.of(0, 1), x);
      for (let i = 0; i < HIDDEN; i++) expected[i] = expected[i]! + Math.fround(weight * data[i]!);
    });
  }
  expect(new Float32Array(sum!.rows!.bytes.slice().buffer)).toEqual(expected);
  expect({ ...sum!, rows: undefined }).toEqual({ ...set, rows: undefined });
});
