// What the timed model's attention costs on a GPU (mechanics §1.3 and §9).

import {
  type CostSequence,
  elementwise,
  matrixProduct,
  type OperationCost,
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

/** Norm, query and latent projections, rotation: everything before the core. */
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
          matrixProduct(rows, queryRank, querySize, precision),
        ];
  const latentUp =
    load.form === "expanded"
      ? matrixProduct(rows, latentSize, headCount * (nopeSize + valueSize), precision)
      : perHead(rows, nopeSize, latentSize, headCount);
  return [
    elementwise(rows * 2 * hiddenSize),
    ...query,
    matrixProduct(rows, hiddenSize, latentSize + ropeSize, precision),
    elementwise(rows * 2 * (headCount * ropeSize + latentSize + ropeSize)),
    latentUp,
  ];
}

/** The core over the cache, and the output projection. */
export function coreCost(config: ModelConfig, precision: WeightPrecision, load: AttentionLoad): CostSequence {
  const rows = sum(load.newPositions);
  const { hiddenSize, headCount, latentSize, valueSize } = config;
  const output = matrixProduct(rows, headCount * valueSize, hiddenSize, precision);
  if (load.form === "expanded") return [expandedCore(config, load), output];
  return [absorbedCore(config, load), perHead(rows, latentSize, valueSize, headCount), output];
}

/** Scores of a row against its context by keys and values of each head; causal, so half of the new square. */
function expandedCore(config: ModelConfig, load: AttentionLoad): OperationCost {
  const { headCount, nopeSize, ropeSize, valueSize } = config;
  let pairs = 0;
  for (const [request, count] of load.newPositions.entries()) {
    const cached = load.contextPositions[request]! - count;
    pairs += count * cached + (count * (count + 1)) / 2;
  }
  const widths = nopeSize + ropeSize + valueSize;
  const bytes = (sum(load.newPositions) + sum(load.contextPositions)) * headCount * widths * CACHE_BYTES;
  return { kind: "attention", precision: "bf16", flops: 2 * headCount * widths * pairs, bytes, kernels: 1 };
}

/** Multi-query attention with one key of latent + rope channels and one value of latent channels. */
function absorbedCore(config: ModelConfig, load: AttentionLoad): OperationCost {
  const { headCount, latentSize, ropeSize } = config;
  let pairs = 0;
  for (const [request, count] of load.newPositions.entries())
    pairs += count * load.contextPositions[request]!;
  const bytes = sum(load.contextPositions) * (latentSize + ropeSize) * CACHE_BYTES;
  return {
    kind: "attention",
    precision: "bf16",
    flops: 2 * headCount * (2 * latentSize + ropeSize) * pairs,
    bytes,
    kernels: 1,
  };
}

/** A product with a matrix of its own for each head, in BF16. */
function perHead(rows: number, inputs: number, outputs: number, headCount: number): OperationCost {
  const one = matrixProduct(rows, inputs, outputs, "bf16");
  return { ...one, flops: one.flops * headCount, bytes: one.bytes * headCount };
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
