// What the timed model's experts and shared experts cost on a GPU. The kernels are those of the training trace: what
// enters a product with FP8 weights is quantised, by the activation's kernel or by one of its own.

import {
  ACTIVATION_BYTES,
  type CostSequence,
  indexKernels,
  matrixProduct,
  memoryKernel,
  type OperationCost,
  quantization,
  QUANTIZED_BYTES,
  rowKernel,
  type RowSpread,
  type WeightPrecision,
} from "@windtunnel/gpu";
import type { ModelConfig } from "@windtunnel/model";

export interface ExpertRows {
  readonly rows: number;
  /** Experts of the rank that got any. */
  readonly activeExperts: number;
  /**
   * "even" where each expert got the same number; "least" bounds both others from below and, like them, never falls with
   * more rows or experts. By default uneven.
   */
  readonly spread?: RowSpread;
  /**
   * False: the activation is written in BF16 and quantised by a kernel of its own, as in SGLang's contiguous path
   * (`forward_deepgemm_contiguous`: `silu_and_mul`, then `sglang_per_token_group_quant_fp8`). By default one kernel does
   * both, as in DeepSeek's trace.
   */
  readonly fusedActivation?: boolean;
}

/** Grouped SwiGLU over the rows of a rank's experts. Rows arrive as the products read them. */
export function expertsCost(
  config: ModelConfig,
  precision: WeightPrecision,
  { rows, activeExperts, spread = "uneven", fusedActivation = true }: ExpertRows,
): CostSequence {
  const { hiddenSize, expertInnerSize } = config;
  const elements = rows * expertInnerSize;
  const activation =
    fusedActivation || precision === "bf16"
      ? [swiglu(elements, precision)]
      : [swiglu(elements, "bf16"), quantization(elements)];
  return [
    matrixProduct(rows, hiddenSize, 2 * expertInnerSize, precision, activeExperts, spread),
    ...activation,
    matrixProduct(rows, expertInnerSize, hiddenSize, precision, activeExperts, spread),
  ];
}

/**
 * Before and after the grouped products where tokens arrive once for all experts of a rank, as in DeepEP's normal mode:
 * they are expanded to one row for each expert, the rows of an expert side by side (DeepGEMM's contiguous layout; SGLang's
 * `ep_scatter`), and each token's rows are weighed and summed again (`ep_gather`). The kernels are those of the training
 * trace. Rows that arrive one for each expert, as in low-latency mode, lie as the masked layout takes them.
 */
export function permutationCost(
  config: ModelConfig,
  precision: WeightPrecision,
  { tokens, rows }: { readonly tokens: number; readonly rows: number },
): { readonly expand: CostSequence; readonly reduce: CostSequence } {
  const { hiddenSize } = config;
  const arrived = precision === "fp8" ? QUANTIZED_BYTES : ACTIVATION_BYTES;
  return {
    expand: [indexKernels(rows), memoryKernel((tokens + rows) * hiddenSize * arrived)],
    reduce: [memoryKernel((tokens + rows) * hiddenSize * ACTIVATION_BYTES)],
  };
}

/** One SwiGLU network for all tokens, of inner size `innerSize`: shared experts, dense layers. */
export function mlpCost(
  config: ModelConfig,
  precision: WeightPrecision,
  tokens: number,
  innerSize: number,
): CostSequence {
  const { hiddenSize } = config;
  return [
    ...(precision === "fp8" ? [quantization(tokens * hiddenSize)] : []),
    matrixProduct(tokens, hiddenSize, 2 * innerSize, precision),
    swiglu(tokens * innerSize, precision),
    matrixProduct(tokens, innerSize, hiddenSize, precision),
  ];
}

/** Norm, scores (BF16 weights) and choice, in two kernels as in the training trace: groups, then experts. */
export function gateCost(config: ModelConfig, tokens: number): CostSequence {
  const { hiddenSize, expertCount } = config;
  return [
    rowKernel(tokens, tokens * 2 * hiddenSize),
    matrixProduct(tokens, hiddenSize, expertCount, "bf16"),
    rowKernel(tokens, tokens * expertCount),
    rowKernel(tokens, tokens * expertCount),
  ];
}

/** Gate and up are read, their product is written as the next matrix product reads it. */
function swiglu(elements: number, precision: WeightPrecision): OperationCost {
  const written = precision === "fp8" ? QUANTIZED_BYTES : ACTIVATION_BYTES;
  return memoryKernel(elements * (2 * ACTIVATION_BYTES + written));
}
