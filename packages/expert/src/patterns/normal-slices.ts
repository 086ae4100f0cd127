// How `normal` cuts its tokens, and what one of them weighs on its way.

import { wireRowBytes } from "@windtunnel/model";
import type { ExchangeShape } from "../pattern.ts";
import type { TokenSet } from "../token-set.ts";

/** Tokens that all channels together have under way: 10 channels with chunks of 8 to 36 tokens (mechanics §2.2). */
const SLICE_TOKENS = 256;
export const MOST_SLICES = 16;

/** Source node and mask of ranks, in front of each token. */
const META_BYTES = 8;

/** Bytes of a token on its way to experts: row, source, expert numbers and gate weights. */
export function normalDispatchBytes({ hiddenSize, wire, choicesPerToken }: ExchangeShape): number {
  return align16(wireRowBytes(wire.dispatch, hiddenSize) + META_BYTES + 8 * choicesPerToken);
}

/** Bytes of a partial sum on its way back; gate weights are reduced beside it. */
export function normalCombineBytes({ hiddenSize, wire, choicesPerToken }: ExchangeShape): number {
  return align16(wireRowBytes(wire.combine, hiddenSize) + META_BYTES + 4 * choicesPerToken);
}

function align16(bytes: number): number {
  return 16 * Math.ceil(bytes / 16);
}

/** Tokens of a slice, of a rank with so many. */
export function sliceSize(tokens: number): number {
  return Math.max(SLICE_TOKENS, Math.ceil(tokens / MOST_SLICES));
}

export function sliceCount(tokens: number): number {
  return Math.ceil(tokens / sliceSize(tokens));
}

/** Tokens of all sets together: as many messages. */
export function entries(sets: readonly TokenSet[]): number {
  return sets.reduce((sum, { tokens }) => sum + tokens.length, 0);
}
