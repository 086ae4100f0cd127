import { RandomStream } from "@windtunnel/base";
import { describe, expect, test } from "vitest";
import { drawChoices, type RoutingDraw, type RoutingShape, zipfPopularity } from "./draw-routing.ts";

const v3: RoutingShape = { expertCount: 256, expertsPerToken: 8, groupCount: 8, limitedGroupCount: 4 };
const TOKENS = 1024;

function draw(how: RoutingDraw, shape: RoutingShape = v3, tokens: number = TOKENS): Int32Array {
  return drawChoices(how, shape, tokens, new RandomStream(5, "routing"));
}

/** Mean number of bins that a token's experts fall into, of bins of `size` consecutive experts. */
function meanBins(choices: Int32Array, size: number): number {
  let bins = 0;
  for (let at = 0; at < choices.length; at += 8) {
    bins += new Set([...choices.subarray(at, at + 8)].map((expert) => Math.floor(expert / size))).size;
  }
  return bins / (choices.length / 8);
}

const zipf: RoutingDraw = {
  draw: "zipf",
  popularity: zipfPopularity(256, 1, new RandomStream(1, "popularity")),
};

describe("drawn routing", () => {
  test.each([{ draw: "balanced" }, { draw: "gate-like" }, zipf] as const)(
    "$draw gives distinct experts of few groups",
    (how) => {
      const choices = draw(how);
      for (let at = 0; at < choices.length; at += 8) {
        const experts = [...choices.subarray(at, at + 8)];
        expect(new Set(experts).size).toBe(8);
        expect(new Set(experts.map((expert) => expert >> 5)).size).toBeLessThanOrEqual(4);
      }
      expect(draw(how)).toEqual(choices);
    },
  );

  test("balanced gives every expert the same number of tokens", () => {
    const counts = new Int32Array(256);
    for (const expert of draw({ draw: "balanced" })) counts[expert]!++;
    expect(new Set(counts)).toEqual(new Set([(TOKENS * 8) / 256]));
    // Also where nothing divides, no expert is more than two ahead of another.
    const odd: RoutingShape = { expertCount: 24, expertsPerToken: 6, groupCount: 1, limitedGroupCount: 1 };
    const oddCounts = new Int32Array(24);
    for (const expert of draw({ draw: "balanced" }, odd, 37)) oddCounts[expert]!++;
    expect(Math.max(...oddCounts) - Math.min(...oddCounts)).toBeLessThanOrEqual(2);
  });

  test("gate-like meets as many nodes and ranks as published (figures: EP16 1.993, EP32 3.614 nodes without limit)", () => {
    const free = { ...v3, groupCount: 1, limitedGroupCount: 1 };
    expect(meanBins(draw({ draw: "gate-like" }, free), 128)).toBeCloseTo(1.993, 1);
    expect(meanBins(draw({ draw: "gate-like" }, free), 64)).toBeCloseTo(3.614, 1);
    expect(meanBins(draw({ draw: "gate-like" }, free), 32)).toBeCloseTo(5.295, 1);
  });

  test("zipf makes few experts popular", () => {
    const counts = new Int32Array(256);
    for (const expert of draw(zipf)) counts[expert]!++;
    const sorted = counts.toSorted((a, b) => b - a);
    expect(sorted[0]!).toBeGreaterThan(10 * sorted[128]!);
  });

  test("zipf's first choices are draws by popularity, and its second ones by what is left", () => {
    const popularity = Float64Array.of(6, 3, 1);
    const shape: RoutingShape = { expertCount: 3, expertsPerToken: 2, groupCount: 1, limitedGroupCount: 1 };
    const tokens = 20_000;
    const choices = draw({ draw: "zipf", popularity }, shape, tokens);
    const share = (first: number, second: number): number => {
      let count = 0;
      for (let at = 0; at < choices.length; at += 2) {
        count += choices[at] === first && choices[at + 1] === second ? 1 : 0;
      }
      return count / tokens;
    };
    // The standard deviation of a share s of 20,000 is at most 0.0035.
    expect(Math.abs(share(0, 1) - 0.6 * (3 / 4))).toBeLessThan(0.015);
    expect(Math.abs(share(1, 0) - 0.3 * (6 / 7))).toBeLessThan(0.015);
    expect(Math.abs(share(2, 1) - 0.1 * (3 / 9))).toBeLessThan(0.015);
  });
});
