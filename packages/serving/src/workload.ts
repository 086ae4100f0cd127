// The requests of a run, and which rank each lives on.

import { RandomStream } from "@windtunnel/base";

export interface WorkloadRequest {
  readonly request: number;
  readonly rank: number;
  readonly prompt: readonly number[];
  /** Tokens to generate; at least 1. */
  readonly newTokens: number;
  /** Cached positions that nothing computed: their keys and values are drawn from the seed. */
  readonly drawnPositions: number;
}

/** Spreads given prompts over the ranks, in turn. */
export function spreadRequests(
  prompts: readonly { readonly tokens: readonly number[]; readonly newTokens: number }[],
  rankCount: number,
): WorkloadRequest[] {
  return prompts.map(({ tokens, newTokens }, request) => ({
    request,
    rank: request % rankCount,
    prompt: tokens,
    newTokens,
    drawnPositions: 0,
  }));
}

export interface DrawnWorkload {
  readonly seed: number;
  readonly rankCount: number;
  readonly requestsPerGpu: number;
  readonly promptTokens: number;
  readonly vocabularySize: number;
  /** Without prefill, prompts are cached positions with drawn contents, and one drawn token begins. */
  readonly prefill: boolean;
  readonly newTokens: number;
}

/** Draws prompts; each request has a stream of its own, so that one more request changes no other. */
export function drawRequests(options: DrawnWorkload): WorkloadRequest[] {
  const { seed, rankCount, requestsPerGpu, promptTokens, vocabularySize, prefill, newTokens } = options;
  return Array.from({ length: rankCount * requestsPerGpu }, (_, request) => {
    const random = new RandomStream(seed, `prompt ${request}`);
    const length = prefill ? promptTokens : 1;
    return {
      request,
      rank: request % rankCount,
      prompt: Array.from({ length }, () => random.below(vocabularySize)),
      newTokens,
      drawnPositions: prefill ? 0 : promptTokens,
    };
  });
}
