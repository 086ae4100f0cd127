// A decoder layer over rows in one process: x ← x + attention(norm(x)); x ← x + feed-forward(norm(x)).

import type { Tensor } from "@windtunnel/tensor";
import { rowCount } from "@windtunnel/tensor";
import type { AttentionBatch } from "./attention-batch.ts";
import { attentionCore, projectAttention } from "./attention.ts";
import { mlpForward } from "./feed-forward.ts";
import type { LayerContext } from "./layer-context.ts";
import { moeForward, type MoeOptions } from "./moe.ts";
import type { LayerWeights } from "./weights.ts";

/** Adds layer `layer` to the residual stream x [rows, hidden], in place. */
export function decoderLayer(
  context: LayerContext,
  at: { readonly layer: number; readonly weights: LayerWeights },
  x: Tensor,
  batch: AttentionBatch,
  options: MoeOptions = {},
): void {
  const { kernels, arena } = context;
  const attention = { layer: at.layer, weights: at.weights.attention };
  arena.scope(() => {
    const queries = projectAttention(context, attention, x, batch);
    kernels.add(x, attentionCore(context, attention, queries, batch));
    kernels.checkFinite(x, `the residual stream after the attention of layer ${at.layer}`);
  });
  arena.scope(() => {
    const normed = feedForwardInput(context, at.weights, x);
    const { feedForward } = at.weights;
    const added =
      feedForward.kind === "dense"
        ? mlpForward(context, feedForward.mlp, normed)
        : moeForward(context, feedForward, normed, options);
    kernels.add(x, added);
  });
  kernels.checkFinite(x, `the residual stream after layer ${at.layer}`);
}

/** What gate, experts and MLP see: the norm of x, in the arena. */
export function feedForwardInput(
  context: Pick<LayerContext, "config" | "kernels" | "arena">,
  weights: Pick<LayerWeights, "feedForwardNorm">,
  x: Tensor,
): Tensor {
  const normed = context.arena.tensor([rowCount(x), context.config.hiddenSize]);
  context.kernels.rmsNorm(normed, x, weights.feedForwardNorm, context.config.epsilon);
  return normed;
}
