// Where a rank's batch is cut into two micro-batches: rows keep their order, so that a token's place and with it its
// bits stay. In decode, half of the requests each. In prefill, where both halves come nearest to half of the tokens and
// half of the attention work; a prompt is cut in two where whole prompts would leave the halves too uneven.

import { invariant } from "@windtunnel/base";

/** What one request brings to a step: new positions, on top of cached ones. */
export interface BatchedRequest {
  readonly tokens: number;
  readonly cached: number;
}

export interface BatchCut {
  /** Requests that are wholly in the first half. */
  readonly requests: number;
  /** Tokens of the next request that are in the first half too; 0: none is cut. */
  readonly tokens: number;
}

/** Whole prompts stay whole while a half has at most so much more or less than half: SGLang's two-chunk threshold, 0.48. */
const TOLERANCE = 0.02;

/**
 * The smallest size that a graph was captured for and that holds the requests; undefined where there is none, and kernels
 * are launched one by one. A rank without requests replays what it has: nothing.
 */
export function capturedSize(
  requests: number,
  graphSizes: readonly number[] | undefined,
): number | undefined {
  if (requests === 0) return graphSizes === undefined ? undefined : 0;
  return graphSizes?.find((size) => size >= requests);
}

/** `size`: requests that the batch counts as, where it is padded; at least its own number. */
export function splitDecode(requestCount: number, size: number = requestCount): BatchCut {
  invariant(size >= requestCount, `a batch of ${requestCount} requests is padded to ${size}`);
  return { requests: Math.min(requestCount, Math.ceil(size / 2)), tokens: 0 };
}

/** Attention work: pairs of a new position and one that it attends to (mechanics §6.1). */
function attendedPairs(tokens: number, cached: number): number {
  return tokens * cached + (tokens * (tokens + 1)) / 2;
}

export function splitPrefill(requests: readonly BatchedRequest[]): BatchCut {
  const total = requests.reduce(
    (sum, { tokens, cached }) => ({
      tokens: sum.tokens + tokens,
      pairs: sum.pairs + attendedPairs(tokens, cached),
    }),
    { tokens: 0, pairs: 0 },
  );
  if (total.tokens === 0) return { requests: requests.length, tokens: 0 };
  const unevenness = (tokens: number, pairs: number): number =>
    Math.max(Math.abs(tokens / total.tokens - 0.5), Math.abs(pairs / total.pairs - 0.5));
  const best = { cut: { requests: 0, tokens: 0 }, uneven: Number.POSITIVE_INFINITY };
  const consider = (mayCut: boolean): void => {
    let before = { tokens: 0, pairs: 0 };
    for (const [index, { tokens, cached }] of requests.entries()) {
      for (let taken = 0; taken < (mayCut ? tokens : 1); taken++) {
        const uneven = unevenness(before.tokens + taken, before.pairs + attendedPairs(taken, cached));
        if (uneven >= best.uneven) continue;
        best.uneven = uneven;
        best.cut = { requests: index, tokens: taken };
      }
      before = { tokens: before.tokens + tokens, pairs: before.pairs + attendedPairs(tokens, cached) };
    }
  };
  consider(false);
  if (best.uneven > TOLERANCE) consider(true);
  return best.cut;
}
