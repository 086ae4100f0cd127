// Costs of the kernels that everything is made of. Activations between kernels are BF16; the weights' precision is
// that of the matrix product.

import type { OperationCost } from "./cost-model.ts";

export type WeightPrecision = "fp8" | "bf16";

export const ACTIVATION_BYTES = 2;
export const WEIGHT_BYTES: Readonly<Record<WeightPrecision, number>> = { fp8: 1, bf16: 2 };

/** A matrix product of [rows, inputs] by [inputs, outputs], with `matrices` such matrices read from HBM. */
export function matrixProduct(
  rows: number,
  inputs: number,
  outputs: number,
  precision: WeightPrecision,
  matrices: number = 1,
): OperationCost {
  const weights = matrices * inputs * outputs * WEIGHT_BYTES[precision];
  const bytes = weights + rows * inputs * WEIGHT_BYTES[precision] + rows * outputs * ACTIVATION_BYTES;
  return { kind: "gemm", precision, flops: 2 * rows * inputs * outputs, bytes, kernels: 1 };
}

/** A kernel that reads and writes `elements` activations in all. */
export function elementwise(elements: number): OperationCost {
  return memoryKernel(elements * ACTIVATION_BYTES);
}

/** A kernel that reads and writes `bytes` and does next to no arithmetic. */
export function memoryKernel(bytes: number): OperationCost {
  return { kind: "gemm", precision: "bf16", flops: 0, bytes, kernels: 1 };
}
