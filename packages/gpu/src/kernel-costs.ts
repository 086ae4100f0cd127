// Costs of the kernels that everything is made of. Activations between kernels are BF16; the weights' precision is
// that of the matrix product.

import type { OperationCost, RowSpread } from "./cost-model.ts";

export type WeightPrecision = "fp8" | "bf16";

export const ACTIVATION_BYTES = 2;
export const WEIGHT_BYTES: Readonly<Record<WeightPrecision, number>> = { fp8: 1, bf16: 2 };
/** An FP8 value and its share of the F32 scale of 128 values. */
export const QUANTIZED_BYTES: number = 1 + 4 / 128;

/**
 * A matrix product of [rows, inputs] by [inputs, outputs], with `matrices` such matrices read from HBM: each row
 * belongs to one of them. `spread` says how the rows are divided among several.
 */
export function matrixProduct(
  rows: number,
  inputs: number,
  outputs: number,
  precision: WeightPrecision,
  matrices: number = 1,
  spread: RowSpread = "uneven",
): OperationCost {
  const weights = matrices * inputs * outputs * WEIGHT_BYTES[precision];
  const bytes = weights + rows * inputs * WEIGHT_BYTES[precision] + rows * outputs * ACTIVATION_BYTES;
  return {
    shape: {
      kind: "product",
      rows,
      inputs,
      outputs,
      matrices,
      // The rows of a single matrix are all its own.
      spread: matrices === 1 && spread === "uneven" ? "even" : spread,
    },
    precision,
    flops: 2 * rows * inputs * outputs,
    bytes,
    kernels: 1,
  };
}

/** A kernel that reads and writes `elements` activations in all. */
export function elementwise(elements: number): OperationCost {
  return memoryKernel(elements * ACTIVATION_BYTES);
}

/** A kernel that reads and writes `bytes` and does next to no arithmetic. */
export function memoryKernel(bytes: number): OperationCost {
  return { shape: { kind: "stream" }, precision: "bf16", flops: 0, bytes, kernels: 1 };
}

/** A kernel that copies: it reads and writes `bytes` and computes nothing. */
export function copyKernel(bytes: number): OperationCost {
  return { ...memoryKernel(bytes), shape: { kind: "copy" } };
}

/** Activations to FP8, with a scale for every 128 channels: before a product whose weights are FP8. */
export function quantization(elements: number): OperationCost {
  return { ...memoryKernel(elements * (ACTIVATION_BYTES + QUANTIZED_BYTES)), shape: { kind: "cast" } };
}

/**
 * Where the rows of a grouped product come from, when tokens arrive once for all experts of a rank: rows counted by
 * expert, the place of each, and scales laid out by column.
 */
export function indexKernels(rows: number): OperationCost {
  return { shape: { kind: "index", rows }, precision: "bf16", flops: 0, bytes: 0, kernels: 3 };
}

/** A kernel that reduces each of its rows (norm, top-k) and reads and writes `elements` activations in all. */
export function rowKernel(rows: number, elements: number): OperationCost {
  return { ...elementwise(elements), shape: { kind: "rows", rows } };
}
