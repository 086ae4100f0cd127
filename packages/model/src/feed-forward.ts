// SwiGLU networks: one for all rows (dense layers, shared experts), or one per group of rows (routed experts).

import { type E4M3Rows, rowCount, rowSize, type Tensor } from "@windtunnel/tensor";
import type { LayerContext } from "./layer-context.ts";
import type { MlpWeights } from "./weights.ts";

type FeedForwardContext = Pick<LayerContext, "kernels" | "arena">;

/** down · (silu(gate · x) ⊙ (up · x)) for x [rows, hidden]. The result [rows, hidden] lies in the arena. */
export function mlpForward(context: FeedForwardContext, weights: MlpWeights, x: Tensor): Tensor {
  const offsets = Int32Array.of(0, rowCount(x));
  return expertForward(context, [weights], offsets, x);
}

/**
 * Routed experts over rows x [rows, hidden] grouped by expert: rows rowOffsets[i] … rowOffsets[i + 1] go through
 * experts[i]. The result [rows, hidden], not yet weighted, stands in the same order, in the arena.
 */
export function expertForward(
  context: FeedForwardContext,
  experts: readonly MlpWeights[],
  rowOffsets: Int32Array,
  x: Tensor | E4M3Rows,
): Tensor {
  const { kernels, arena } = context;
  const [rows, size] = "codes" in x ? [x.rows, x.size] : [rowCount(x), rowSize(x)];
  const out = arena.tensor([rows, size]);
  if (rows === 0) return out;
  arena.scope(() => {
    const inner = arena.tensor([rows, experts[0]!.down.inputSize]);
    kernels.groupedSwiglu(inner, x, rowOffsets, experts);
    const downWeights = experts.map((expert) => expert.down);
    kernels.groupedMatmul(out, inner, rowOffsets, downWeights);
  });
  return out;
}
