// What an all-to-all puts on each kind of wire, against a count of its own from the drawn choices: exactly; and against
// what is expected of uniformly chosen experts and groups: within sampling. The largest stand in
// `all-to-all-bytes.long.test.ts`, since they take longer.

import { RandomStream } from "@windtunnel/base";
import { type AllToAllOptions, drawnChoices, runAllToAll } from "@windtunnel/cluster";
import { describe, expect, test } from "vitest";
import { expectCountedBytes, spreadOptions } from "./support/counted-bytes.ts";
import { repeatWith, SEEDS } from "./support/seeds.ts";

const PATTERNS = ["direct", "normal", "low-latency"] as const;

describe("every wire carries exactly the bytes of the formulas", () => {
  test.each([8, 16, 32])("128 tokens on each of %i ranks, by every pattern", (ranks) => {
    for (const pattern of PATTERNS) expectCountedBytes({ pattern, ranks, tokens: [128] });
  });

  test.each([8])("4096 tokens on each of %i ranks, by direct and normal", (ranks) => {
    for (const pattern of ["direct", "normal"]) expectCountedBytes({ pattern, ranks, tokens: [4096] });
  });

  test.each(PATTERNS)("%s with unequal numbers of tokens, zero among them", (pattern) => {
    expectCountedBytes({ pattern, ranks: 32, tokens: [0, 5, 128] });
    expectCountedBytes({ pattern, ranks: 16, tokens: [0] });
  });

  test("normal where sources of one index have more slices than others", () => {
    expectCountedBytes({ pattern: "normal", ranks: 32, tokens: [2000, 256, 257, 0, 1] });
  });

  test.each(PATTERNS)("%s with redundant experts, whose replicas follow from the source", (pattern) => {
    expectCountedBytes({
      pattern,
      ranks: 32,
      tokens: [128],
      experts: 256,
      redundantExperts: 32,
      gate: "zipf",
    });
  });

  test.each(PATTERNS)("%s without NVLink, where neighbours meet at their leaf", (pattern) => {
    expectCountedBytes({ pattern, ranks: 32, tokens: [64], nvlink: false });
  });

  test.each(SEEDS)("drawn sizes, seed %i", (seed) => {
    for (let run = 0; run < 12; run++) {
      const options = drawnOptions(new RandomStream(seed, `all-to-all ${run}`), seed);
      const repeat = repeatWith(seed, "all-to-all-bytes.test.ts");
      expectCountedBytes(options, `${JSON.stringify(options)}; ${repeat}`);
    }
  });
});

function drawnOptions(random: RandomStream, seed: number): Partial<AllToAllOptions> {
  const oneOf = <Value>(...values: readonly Value[]): Value => values[random.below(values.length)]!;
  const gpusPerNode = 1 + random.below(8);
  const ranks = gpusPerNode * (1 + random.below(6));
  return {
    pattern: oneOf(...PATTERNS),
    ranks,
    gpusPerNode,
    tokens: Array.from({ length: 1 + random.below(Math.min(ranks, 4)) }, () => random.below(257)),
    hidden: 64 * (1 + random.below(20)),
    experts: ranks * (4 + random.below(5)),
    topk: 1 + random.below(4),
    gate: oneOf("balanced", "gate-like", "zipf"),
    nvlink: random.below(4) > 0,
    fabric: { nodesPerLeaf: 1 + random.below(3), spinesPerPlane: 1 + random.below(5) },
    seed: seed % 1000,
  };
}

interface FanOut {
  readonly mean: number;
  /** Of the mean. */
  readonly standardError: number;
}

/** Distinct bins, of so many ranks each, that a token's experts fall into. */
function fanOut(options: AllToAllOptions, choices: readonly Int32Array[], ranksOfBin: number): FanOut {
  const { ranks, experts, topk } = options;
  const expertsOfBin = (experts / ranks) * ranksOfBin;
  let [count, sum, squares] = [0, 0, 0];
  for (const ofRank of choices) {
    for (let token = 0; token < ofRank.length; token += topk) {
      const chosen = ofRank.subarray(token, token + topk);
      const bins = new Set(Array.from(chosen, (expert) => Math.floor(expert / expertsOfBin))).size;
      count++;
      sum += bins;
      squares += bins * bins;
    }
  }
  const mean = sum / count;
  return { mean, standardError: Math.sqrt(Math.max(0, squares / count - mean * mean) / count) };
}

/** Four standard errors: one seed in 16,000 would miss it, and the seed is fixed. */
function expectWithinSampling({ mean, standardError }: FanOut, expected: number): void {
  expect(Math.abs(mean - expected), `${mean} for ${expected}`).toBeLessThanOrEqual(4 * standardError + 1e-9);
}

/** Bins that 8 of 256 experts hit: m (1 - C(256 - 256 / m, 8) / C(256, 8)). */
function distinctBins(bins: number): number {
  let missed = 1;
  for (let choice = 0; choice < 8; choice++) missed *= (256 - 256 / bins - choice) / (256 - choice);
  return bins * (1 - missed);
}

describe("balanced routing spreads tokens as expected of uniform choices (mechanics §2.4)", () => {
  const balanced = (ranks: number, groups: number): AllToAllOptions =>
    spreadOptions({
      pattern: "normal",
      ranks,
      tokens: [128],
      experts: 256,
      gate: "balanced",
      groups,
      limitedGroups: Math.min(4, groups),
    });

  test("the formula of distinct bins has the published values", () => {
    const published = { 2: 1.993, 4: 3.614, 8: 5.295, 16: 6.523, 32: 7.267, 64: 7.676, 128: 7.89 };
    for (const [bins, value] of Object.entries(published)) {
      expect(distinctBins(Number(bins))).toBeCloseTo(value, 3);
    }
  });

  // 4 of 8 groups, then 8 of their 128 experts; eight, four and two nodes share the groups.
  test.each([
    [64, 3.629, 7.359],
    [32, 2.928, 6.597],
    [16, 1.926, undefined],
  ])("on %i ranks with 4 of 8 groups", (ranks, nodes, gpus) => {
    const options = balanced(ranks, 8);
    const choices = drawnChoices(options);
    const nodesHit = fanOut(options, choices, 8);
    expectWithinSampling(nodesHit, nodes);
    if (gpus !== undefined) expectWithinSampling(fanOut(options, choices, 1), gpus);
    expectRemoteBytes(options, nodes, nodesHit.standardError);
  });

  test.each([8, 16, 32, 64, 128, 256])("on %i ranks without groups", (ranks) => {
    const options = balanced(ranks, 1);
    const choices = drawnChoices(options);
    const [ranksHit, nodesHit] = [fanOut(options, choices, 1), fanOut(options, choices, 8)];
    expectWithinSampling(ranksHit, distinctBins(ranks));
    expectWithinSampling(nodesHit, distinctBins(ranks / 8));
    // What more ranks send is counted exactly in all-to-all-bytes.long.test.ts.
    if (ranks > 64) return;
    expectRemoteBytes(options, distinctBins(ranks / 8), nodesHit.standardError);
    expect(runAllToAll(options)).toMatchObject({
      ranksPerToken: ranksHit.mean,
      nodesPerToken: nodesHit.mean,
    });
  });

  test.each([16, 64])(
    "low-latency sends exactly 8 rows a token, an even share of them to every rank, of %i",
    (ranks) => {
      // 128 tokens · 8 / 256 experts: 4 rows for each expert from each rank, and 4 bytes for its count.
      const { dispatch, combine } = runAllToAll({ ...balanced(ranks, 1), pattern: "low-latency" });
      const [remote, perRank] = [ranks * (ranks - 8), 256 / ranks];
      expect(dispatch.rdmaBytes).toBe(remote * perRank * (4 * 7408 + 4));
      expect(combine.rdmaBytes).toBe(remote * perRank * (4 * 14_336 + 4));
    },
  );
});

/** Normal mode sends each token once to each remote node: nodes (N - 1) / N copies of 7,472 and 14,384 bytes. */
function expectRemoteBytes(options: AllToAllOptions, nodesHit: number, standardError: number): void {
  const { ranks } = options;
  const { dispatch, combine } = runAllToAll(options);
  const [nodes, tokens] = [ranks / 8, ranks * 128];
  const copies = (tokens * nodesHit * (nodes - 1)) / nodes;
  // To each peer the counts of eight ranks: one, and one for each expert.
  const notify = ranks * (nodes - 1) * 8 * 4 * (1 + 256 / ranks);
  const tolerance = 4 * standardError * tokens + 1e-9;
  expect(Math.abs((dispatch.rdmaBytes - notify) / 7472 - copies)).toBeLessThanOrEqual(tolerance);
  expect(Math.abs(combine.rdmaBytes / 14_384 - copies)).toBeLessThanOrEqual(tolerance);
}
