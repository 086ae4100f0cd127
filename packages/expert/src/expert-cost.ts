// What the timed model's experts and shared experts cost on a GPU.

import { type CostSequence, elementwise, matrixProduct, type WeightPrecision } from "@windtunnel/gpu";
import type { ModelConfig } from "@windtunnel/model";

/** Grouped SwiGLU over `rows` rows of a rank's experts, of which `activeExperts` got any. */
export function expertsCost(
  config: ModelConfig,
  precision: WeightPrecision,
  rows: number,
  activeExperts: number,
): CostSequence {
  const { hiddenSize, expertInnerSize } = config;
  return [
    matrixProduct(rows, hiddenSize, 2 * expertInnerSize, precision, activeExperts),
    elementwise(rows * 3 * expertInnerSize),
    matrixProduct(rows, expertInnerSize, hiddenSize, precision, activeExperts),
  ];
}

/** One SwiGLU network for all tokens, of inner size `innerSize`: shared experts, dense layers. */
export function mlpCost(
  config: ModelConfig,
  precision: WeightPrecision,
  tokens: number,
  innerSize: number,
): CostSequence {
  return [
    matrixProduct(tokens, config.hiddenSize, 2 * innerSize, precision),
    elementwise(tokens * 3 * innerSize),
    matrixProduct(tokens, innerSize, config.hiddenSize, precision),
  ];
}

/** Norm, scores (BF16 weights) and choice. */
export function gateCost(config: ModelConfig, tokens: number): CostSequence {
  return [
    elementwise(tokens * 2 * config.hiddenSize),
    matrixProduct(tokens, config.hiddenSize, config.expertCount, "bf16"),
    elementwise(tokens * config.expertCount),
  ];
}
