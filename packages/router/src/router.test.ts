import { RandomStream } from "@windtunnel/base";
import { describe, expect, test } from "vitest";
import { countsForRank, layoutDispatch, ownerOf, placeExperts } from "./index.ts";

describe("expert placement", () => {
  test("gives every rank a contiguous block", () => {
    const placement = placeExperts({ expertCount: 24, degree: 8 });
    expect(placement.expertsPerRank).toBe(3);
    for (let expert = 0; expert < 24; expert++)
      expect(ownerOf(placement, expert)).toBe(Math.floor(expert / 3));
  });

  test("refuses a degree that does not divide", () => {
    expect(() => placeExperts({ expertCount: 24, degree: 7 })).toThrow(/24 experts do not divide/);
  });
});

describe("a dispatch layout", () => {
  test("orders rows by expert, token and choice, each exactly once", () => {
    const random = new RandomStream(4, "layout");
    for (let round = 0; round < 50; round++) {
      const tokenCount = random.below(20);
      const placement = placeExperts({ expertCount: 16, degree: 4 });
      const choices = Int32Array.from({ length: tokenCount * 3 }, () => random.below(16));
      const layout = layoutDispatch(choices, tokenCount, 3, placement);
      // The plain twin: sort (expert, token, choice).
      const sorted = [...choices.keys()].toSorted((a, b) => choices[a]! - choices[b]! || a - b);
      expect([...layout.slotOfRow]).toEqual(sorted);
      for (const [row, slot] of sorted.entries()) expect(layout.rowOfSlot[slot]).toBe(row);
      for (let rank = 0; rank < 4; rank++) {
        const counts = countsForRank(layout, placement, rank);
        for (const [local, count] of counts.entries()) {
          expect(count).toBe(choices.filter((choice) => choice === rank * 4 + local).length);
        }
      }
    }
  });
});
