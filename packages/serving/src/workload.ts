// The requests of a run, and which rank each lives on.

import { RandomStream } from "@windtunnel/base";

export interface WorkloadRequest {
  readonly request: number;
  readonly rank: number;
  readonly prompt: readonly number[];
  /** Decode steps, and where the prompt is prefilled one more: tokens to generate, unless a step gives several. */
  readonly newTokens: number;
  /** Cached positions that nothing computed: their keys and values are drawn from the seed. */
  readonly drawnPositions: number;
  /** Missing: one position in a decode step, which gives one token. */
  readonly speculation?: Speculation;
}

/**
 * Multi-token prediction as the clock sees it, where nothing is executed: a decode step verifies several positions of a
 * request at once, and so many of them are accepted on average. The layer that guesses them is not modelled.
 */
export interface Speculation {
  readonly positionsPerStep: number;
  readonly acceptedPerStep: number;
}

/** Positions that a request has in its last step: all of its steps' tokens but the last ones, which are never fed. */
export function positionsOf({ drawnPositions, prompt, newTokens, speculation }: WorkloadRequest): number {
  return drawnPositions + prompt.length + (newTokens - 1) * (speculation?.positionsPerStep ?? 1);
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
  readonly speculation?: Speculation | undefined;
}

/** Draws prompts; each request has a stream of its own, so that one more request changes no other. */
export function drawRequests(options: DrawnWorkload): WorkloadRequest[] {
  const { seed, rankCount, requestsPerGpu, promptTokens, vocabularySize, prefill, newTokens, speculation } =
    options;
  return Array.from({ length: rankCount * requestsPerGpu }, (_, request) => {
    const random = new RandomStream(seed, `prompt ${request}`);
    const length = prefill ? promptTokens : (speculation?.positionsPerStep ?? 1);
    return {
      request,
      rank: request % rankCount,
      prompt: Array.from({ length }, () => random.below(vocabularySize)),
      newTokens,
      drawnPositions: prefill ? 0 : promptTokens,
      ...(speculation === undefined ? {} : { speculation }),
    };
  });
}
