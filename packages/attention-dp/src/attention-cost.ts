// What the timed model's attention costs on a GPU (mechanics §1.3 and §9).

import {
  absorbedAttention,
  ACTIVATION_BYTES,
  copyKernel,
  type CostSequence,
  elementwise,
  expandedAttention,
  matrixProduct,
  type OperationCost,
  quantization,
  rowKernel,
  type WeightPrecision,
} from "@windtunnel/gpu";
import type { ModelConfig } from "@windtunnel/model";

/** Rows of one micro-batch as attention sees them: new positions, and how many each request has with them. */
export interface AttentionLoad {
  readonly form: "expanded" | "absorbed";
  /** By request. */
  readonly newPositions: readonly number[];
  /** By request: cached positions and new ones together. */
  readonly contextPositions: readonly number[];
}

/** Cached keys and values are BF16. */
const CACHE_BYTES = 2;

/** Bytes that a position takes in the KV cache over all layers: 70,272 for DeepSeek-V3. */
export function cacheBytesPerPosition(config: ModelConfig): number {
  return config.layerCount * (config.latentSize + config.ropeSize) * CACHE_BYTES;
}

/**
 * Sum of what the layer before has made, norms, query and latent projections, rotation, new rows of the cache: everything
 * before the core. The kernels of the expanded form are those of the training trace: what enters a product with FP8
 * weights is quantised by a kernel of its own, queries are rotated whole, keys are put together from their parts and
 * values made contiguous. Absorbed, a query is put together from its two parts, as FlashMLA takes it.
 */
export function projectionCost(
  config: ModelConfig,
  precision: WeightPrecision,
  load: AttentionLoad,
): CostSequence {
  const rows = sum(load.newPositions);
  const { hiddenSize, headCount, queryRank, latentSize, nopeSize, ropeSize, valueSize } = config;
  const querySize = headCount * (nopeSize + ropeSize);
  const query =
    queryRank === null
      ? [matrixProduct(rows, hiddenSize, querySize, precision)]
      : [
          matrixProduct(rows, hiddenSize, queryRank, precision),
          ...quantized(rows * queryRank, precision),
          matrixProduct(rows, queryRank, querySize, precision),
        ];
  const cacheRow = latentSize + ropeSize;
  const latentUp =
    load.form === "expanded"
      ? [
          copied(rows * 2 * querySize),
          ...quantized(rows * latentSize, precision),
          matrixProduct(rows, latentSize, headCount * (nopeSize + valueSize), precision),
          copied(rows * headCount * (2 * nopeSize + ropeSize)),
          copied(rows * headCount * 2 * valueSize),
        ]
      : [
          elementwise(rows * 2 * headCount * ropeSize),
          perHead(rows, nopeSize, latentSize, headCount),
          copied(rows * headCount * 2 * cacheRow),
        ];
  return [
    // Shared and routed outputs and the residual stream, read; the residual stream, written.
    elementwise(rows * 4 * hiddenSize),
    rowKernel(rows, rows * 2 * hiddenSize),
    ...quantized(rows * hiddenSize, precision),
    matrixProduct(rows, hiddenSize, latentSize + ropeSize, precision),
    ...query,
    // The norm of both latents.
    rowKernel(rows, rows * 2 * ((queryRank ?? 0) + latentSize)),
    copied(rows * 2 * cacheRow),
    ...latentUp,
  ];
}

/** The core over the cache, the output projection, the residual. */
export function coreCost(config: ModelConfig, precision: WeightPrecision, load: AttentionLoad): CostSequence {
  const rows = sum(load.newPositions);
  const { hiddenSize, headCount, latentSize, nopeSize, ropeSize, valueSize } = config;
  const core =
    load.form === "expanded"
      ? [expandedAttention({ heads: headCount, keySize: nopeSize + ropeSize, valueSize }, load)]
      : [
          absorbedAttention(
            { heads: headCount, keySize: latentSize + ropeSize, valueSize: latentSize },
            load,
          ),
          perHead(rows, latentSize, valueSize, headCount),
          // From heads of rows to rows of heads.
          copied(rows * headCount * 2 * valueSize),
        ];
  return [
    ...core,
    ...quantized(rows * headCount * valueSize, precision),
    matrixProduct(rows, headCount * valueSize, hiddenSize, precision),
    // The other operand has just been written and comes from L2, by the training trace.
    copied(rows * 2 * hiddenSize),
  ];
}

/** A copy that reads and writes so many activations in all. */
function copied(elements: number): OperationCost {
  return copyKernel(elements * ACTIVATION_BYTES);
}

function quantized(elements: number, precision: WeightPrecision): OperationCost[] {
  return precision === "fp8" ? [quantization(elements)] : [];
}

/** A product with a matrix of its own for each head, in BF16. */
function perHead(rows: number, inputs: number, outputs: number, headCount: number): OperationCost {
  return matrixProduct(rows * headCount, inputs, outputs, "bf16", headCount, "even");
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
