// Tokens of tests: drawn from a seed, with gates that are even, crowd on one expert, or leave one out.

import { RandomStream } from "@windtunnel/base";
import { CHOICES, EXPERT_COUNT, HIDDEN, type TestToken } from "./emulated-unit.ts";

/** Seeds of random tests: a fixed one, and one that differs from run to run unless WINDTUNNEL_TEST_SEED names it. */
export const SEEDS: readonly number[] = [
  20_240_926,
  Number(process.env["WINDTUNNEL_TEST_SEED"] ?? process.pid),
];

export type Gate = "even" | "one-gets-all" | "one-gets-none";

/** Distinct experts for each token, in any order; a token's weights add up to about 1. */
export function drawTokens(random: RandomStream, count: number, gate: Gate = "even"): TestToken[] {
  const special = random.below(EXPERT_COUNT);
  return Array.from({ length: count }, () => ({
    x: Float32Array.from({ length: HIDDEN }, () => 2 * random.uniform() - 1),
    experts: drawExperts(random, gate, special),
    weights: Float32Array.from({ length: CHOICES }, () => (0.5 + random.uniform()) / CHOICES),
  }));
}

function drawExperts(random: RandomStream, gate: Gate, special: number): Int32Array {
  const chosen = gate === "one-gets-all" ? [special] : [];
  while (chosen.length < CHOICES) {
    const expert = random.below(EXPERT_COUNT);
    if (chosen.includes(expert) || (gate === "one-gets-none" && expert === special)) continue;
    chosen.splice(random.below(chosen.length + 1), 0, expert);
  }
  return Int32Array.from(chosen);
}

/** Deals tokens to ranks in consecutive parts of any length; several ranks may have none. */
export function deal(random: RandomStream, tokens: readonly TestToken[], ranks: number): TestToken[][] {
  const cuts = Array.from({ length: ranks - 1 }, () => random.below(tokens.length + 1)).sort((a, b) => a - b);
  return Array.from({ length: ranks }, (_, rank) =>
    tokens.slice(cuts[rank - 1] ?? 0, rank === ranks - 1 ? tokens.length : cuts[rank]),
  );
}
