// SwiGLU networks: one for all rows (dense layers, shared experts), or one per group of rows (routed experts).

import { rowCount, rowSize, type Tensor } from "@windtunnel/tensor";
import type { LayerContext } from "./layer-context.ts";
import type { MlpWeights } from "./weights.ts";

type FeedForwardContext = Pick<LayerContext, "kernels" | "arena">;

/** down · (silu(gate · x) ⊙ (up · x)) for x [rows, hidden]. The result [rows, hidden] lies in the arena. */
export function mlpForward(context: FeedForwardContext, weights: MlpWeights, x: Tensor): Tensor {
  const { kernels, arena } = context;
  const rows = rowCount(x);
  const out = arena.tensor([rows, rowSize(x)]);
  arena.scope(() => {
    const gateUp = arena.tensor([rows, weights.gateUp.outputSize]);
    kernels.matmul(gateUp, x, weights.gateUp);
    const inner = arena.tensor([rows, weights.down.inputSize]);
    kernels.swiglu(inner, gateUp);
    kernels.matmul(out, inner, weights.down);
  });
  return out;
}

/**
 * Routed experts over rows x [rows, hidden] grouped by expert: rows rowOffsets[i] … rowOffsets[i + 1] go through
 * experts[i]. The result [rows, hidden], not yet weighted, stands in the same order, in the arena.
 */
export function expertForward(
  context: FeedForwardContext,
  experts: readonly MlpWeights[],
  rowOffsets: Int32Array,
  x: Tensor,
): Tensor {
  const { kernels, arena } = context;
  const rows = rowCount(x);
  const out = arena.tensor([rows, rowSize(x)]);
  if (rows === 0) return out;
  arena.scope(() => {
    const innerSize = experts[0]!.down.inputSize;
    const gateUp = arena.tensor([rows, 2 * innerSize]);
    const gateUpWeights = experts.map((expert) => expert.gateUp);
    kernels.groupedMatmul(gateUp, x, rowOffsets, gateUpWeights);
    const inner = arena.tensor([rows, innerSize]);
    kernels.swiglu(inner, gateUp);
    const downWeights = experts.map((expert) => expert.down);
    kernels.groupedMatmul(out, inner, rowOffsets, downWeights);
  });
  return out;
}
