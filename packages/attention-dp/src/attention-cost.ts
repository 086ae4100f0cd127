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
 * Norms, query and latent projections, rotation: everything before the core. The kernels are those of the training
 * trace: what enters a product with FP8 weights is quantised by a kernel of its own.
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
  // Expanded: keys and values of each head, and keys put together with their rotated part. Absorbed: queries taken to
  // the latent space, by a BF16 matrix for each head.
  const latentUp =
    load.form === "expanded"
      ? [
          ...quantized(rows * latentSize, precision),
          matrixProduct(rows, latentSize, headCount * (nopeSize + valueSize), precision),
          copyKernel(rows * headCount * (2 * nopeSize + ropeSize) * ACTIVATION_BYTES),
        ]
      : [perHead(rows, nopeSize, latentSize, headCount)];
  return [
    rowKernel(rows, rows * 2 * hiddenSize),
    ...quantized(rows * hiddenSize, precision),
    matrixProduct(rows, hiddenSize, latentSize + ropeSize, precision),
    ...query,
    // The norm of both latents.
    rowKernel(rows, rows * 2 * ((queryRank ?? 0) + latentSize)),
    elementwise(rows * 2 * (headCount * ropeSize + latentSize + ropeSize)),
    ...latentUp,
  ];
}

/** The core over the cache, and the output projection. */
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
        ];
  return [
    ...core,
    ...quantized(rows * headCount * valueSize, precision),
    matrixProduct(rows, headCount * valueSize, hiddenSize, precision),
  ];
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
