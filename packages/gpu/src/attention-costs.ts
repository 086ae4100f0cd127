// Costs of the two attention cores in BF16: absorbed as FlashMLA computes it (all query heads over one cached vector),
// expanded as FlashAttention does (each head with keys and values of its own).

import type { OperationCost } from "./cost-model.ts";

/** Cached keys and values are BF16. */
const CACHE_BYTES = 2;
/** The query rows of a request (its heads times its new positions) are taken in blocks of 64, FlashMLA's. */
const ABSORBED_BLOCK_ROWS = 64;
/** The query rows of a head are taken in tiles of 128, FlashAttention's. */
const EXPANDED_TILE_ROWS = 128;

/** By request: its new positions, and all positions that there are with them. */
export interface AttendedRequests {
  readonly newPositions: readonly number[];
  readonly contextPositions: readonly number[];
}

export interface HeadShape {
  readonly heads: number;
  /** Channels of a key and of a value; absorbed: of the cached vector, and of its part that serves as value. */
  readonly keySize: number;
  readonly valueSize: number;
}

/** Multi-query attention over cached vectors, each new position against the whole context. */
export function absorbedAttention(shape: HeadShape, requests: AttendedRequests): OperationCost {
  const { heads, keySize, valueSize } = shape;
  let pairs = 0;
  let context = 0;
  let queryBlocks = 0;
  let blockPositions = 0;
  for (const [request, count] of requests.newPositions.entries()) {
    const positions = requests.contextPositions[request]!;
    const blocks = Math.ceil((heads * count) / ABSORBED_BLOCK_ROWS);
    pairs += count * positions;
    context += positions;
    queryBlocks += blocks;
    blockPositions += blocks * positions;
  }
  const flopsPerPair = 2 * (keySize + valueSize);
  const flopsPerBlockPosition = ABSORBED_BLOCK_ROWS * flopsPerPair;
  return {
    shape: { kind: "absorbed-attention", queryBlocks, blockPositions, flopsPerBlockPosition },
    precision: "bf16",
    flops: heads * flopsPerPair * pairs,
    bytes: context * keySize * CACHE_BYTES,
    kernels: 1,
  };
}

/** Causal attention: half of the square of a request's new positions, and all of its cached ones. */
export function expandedAttention(shape: HeadShape, requests: AttendedRequests): OperationCost {
  const { heads, keySize, valueSize } = shape;
  const widths = keySize + valueSize;
  let pairs = 0;
  let positions = 0;
  let tiles = 0;
  for (const [request, count] of requests.newPositions.entries()) {
    const cached = requests.contextPositions[request]! - count;
    pairs += count * cached + (count * (count + 1)) / 2;
    positions += cached + 2 * count;
    tiles += heads * Math.ceil(count / EXPANDED_TILE_ROWS);
  }
  return {
    shape: { kind: "expanded-attention", tiles },
    precision: "bf16",
    flops: 2 * heads * widths * pairs,
    bytes: positions * heads * widths * CACHE_BYTES,
    kernels: 1,
  };
}
