import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { differenceOf, intersectionOf, type Intervals, lengthOf, unionOf, unionOfSets } from "./intervals.ts";

const SPAN = 40;
const pairs = fc
  .array(fc.tuple(fc.nat(SPAN), fc.nat(SPAN)), { maxLength: 12 })
  .map((list) => list.flatMap(([a, b]) => [Math.min(a, b), Math.max(a, b)]));

/** The plain twin: one flag for each instant. */
function bitmapOf(flatPairs: readonly number[]): boolean[] {
  const bitmap = Array.from({ length: SPAN }, () => false);
  for (let i = 0; i < flatPairs.length; i += 2) bitmap.fill(true, flatPairs[i], flatPairs[i + 1]);
  return bitmap;
}

function intervalsOfBitmap(bitmap: readonly boolean[]): Intervals {
  const result: number[] = [];
  for (let i = 0; i <= bitmap.length; i++) {
    if ((bitmap[i] ?? false) !== (bitmap[i - 1] ?? false)) result.push(i);
  }
  return result;
}

describe("intervals", () => {
  test("union, intersection, difference and length agree with a bitmap", () => {
    fc.assert(
      fc.property(pairs, pairs, (a, b) => {
        const [bitsA, bitsB] = [bitmapOf(a), bitmapOf(b)];
        const [setA, setB] = [unionOf(a), unionOf(b)];
        expect(setA).toEqual(intervalsOfBitmap(bitsA));
        expect(unionOfSets([setA, setB])).toEqual(intervalsOfBitmap(bitsA.map((bit, i) => bit || bitsB[i]!)));
        expect(intersectionOf(setA, setB)).toEqual(
          intervalsOfBitmap(bitsA.map((bit, i) => bit && bitsB[i]!)),
        );
        expect(differenceOf(setA, setB)).toEqual(intervalsOfBitmap(bitsA.map((bit, i) => bit && !bitsB[i]!)));
        expect(lengthOf(setA)).toBe(bitsA.filter(Boolean).length);
      }),
      { numRuns: 1000 },
    );
  });

  test("the empty set is empty", () => {
    expect(unionOf([])).toEqual([]);
    expect(unionOfSets([])).toEqual([]);
    expect(unionOf([5, 5])).toEqual([]);
  });
});
