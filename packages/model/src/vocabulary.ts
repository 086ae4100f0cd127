// Both ends of a model: token ids to rows, and rows to logits and the next token.

import { invariant } from "@windtunnel/base";
import { rowCount, rowSize, type Tensor } from "@windtunnel/tensor";
import type { LayerContext } from "./layer-context.ts";
import type { ModelWeights } from "./weights.ts";

type VocabularyContext = Pick<LayerContext, "config" | "kernels" | "arena">;
type VocabularyWeights = Pick<ModelWeights, "embedding" | "finalNorm" | "head">;

/** The embedding rows of `tokens`: [tokens, hidden], in the arena. */
export function embed(
  context: VocabularyContext,
  weights: VocabularyWeights,
  tokens: readonly number[],
): Tensor {
  const { hiddenSize, vocabularySize } = context.config;
  const rows = context.arena.tensor([tokens.length, hiddenSize]);
  for (const [row, token] of tokens.entries()) {
    invariant(
      Number.isInteger(token) && token >= 0 && token < vocabularySize,
      `token ${token} of ${vocabularySize}`,
    );
    const start = token * hiddenSize;
    rows.data.set(weights.embedding.data.subarray(start, start + hiddenSize), row * hiddenSize);
  }
  return rows;
}

/** The last norm and the head: logits [rows, vocabulary] of x [rows, hidden], in the arena; finite or an error. */
export function projectLogits(context: VocabularyContext, weights: VocabularyWeights, x: Tensor): Tensor {
  const { config, kernels, arena } = context;
  const logits = arena.tensor([rowCount(x), config.vocabularySize]);
  arena.scope(() => {
    const normed = arena.tensor([rowCount(x), config.hiddenSize]);
    kernels.rmsNorm(normed, x, weights.finalNorm, config.epsilon);
    kernels.matmul(logits, normed, weights.head);
  });
  kernels.checkFinite(logits, "logits");
  return logits;
}

/** The largest logit of each row, ties to the lowest token. */
export function greedyTokens(logits: Tensor): number[] {
  const size = rowSize(logits);
  const tokens: number[] = [];
  for (let row = 0; row < rowCount(logits); row++) {
    let best = 0;
    for (let token = 1; token < size; token++) {
      if (logits.data[row * size + token]! > logits.data[row * size + best]!) best = token;
    }
    tokens.push(best);
  }
  return tokens;
}
