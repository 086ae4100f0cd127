// What both forms of attention share: how a query scores cached positions. A score is the dot product of the nope
// parts plus that of the rotated parts, in this order; then the softmax over the positions up to the row's own.

import type { StridedRows, Tensor } from "@windtunnel/tensor";
import type { LayerContext } from "./layer-context.ts";
import type { LatentUpWeights } from "./weights.ts";

/** One layer's attention core: where queries come from and where the heads' outputs go. */
export interface CoreOperands {
  readonly layer: number;
  readonly latentUp: LatentUpWeights;
  /** [rows, heads · (nope + rope)] */
  readonly queries: Tensor;
  /** [rows, heads · value] */
  readonly out: Tensor;
  readonly scale: number;
}

/** Queries and keys in their two parts; each pair has the same depth. */
export interface ScoreOperands {
  readonly queries: StridedRows;
  readonly keys: StridedRows;
  readonly depth: number;
  readonly rotatedQueries: StridedRows;
  readonly rotatedKeys: StridedRows;
  /** Positions that each query sees. */
  readonly lengths: Int32Array;
}

/** Softmax of the scores: [queries, keys], in the arena. Positions beyond a query's length weigh 0. */
export function attentionWeights(context: LayerContext, operands: ScoreOperands, scale: number): Tensor {
  const { config, kernels, arena } = context;
  const { queries, keys, rotatedQueries, rotatedKeys } = operands;
  const scores = arena.tensor([queries.rows, keys.rows]);
  const rotated = arena.tensor([queries.rows, keys.rows]);
  kernels.dotRows(scores, queries, keys, operands.depth);
  kernels.dotRows(rotated, rotatedQueries, rotatedKeys, config.ropeSize);
  kernels.add(scores, rotated);
  kernels.softmax(scores, operands.lengths, scale);
  return scores;
}
