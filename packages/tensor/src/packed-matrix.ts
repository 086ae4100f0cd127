// A weight matrix laid out for the matmul kernels: panels of PANEL_WIDTH output columns, k-major inside a panel,
// so that one step over k reads one panel row. The last panel is filled up with zero columns.

import type { Tensor } from "./tensor.ts";

/** Output columns in a panel. */
export const PANEL_WIDTH = 8;

export interface PackedMatrix {
  /** k: the size of an input row. */
  readonly inputSize: number;
  /** n: the size of an output row. */
  readonly outputSize: number;
  readonly address: number;
  /** ceil(n / PANEL_WIDTH) · k · PANEL_WIDTH elements. */
  readonly data: Float32Array;
}

export function packedElementCount(outputSize: number, inputSize: number): number {
  return Math.ceil(outputSize / PANEL_WIDTH) * PANEL_WIDTH * inputSize;
}

/** Packs W [n, k] (row-major, as checkpoints hold it: y = x · Wᵀ) into `into`, whose data may hold anything before. */
export function packMatrix(
  into: Tensor,
  rowMajor: Float32Array,
  outputSize: number,
  inputSize: number,
): PackedMatrix {
  const panelCount = Math.ceil(outputSize / PANEL_WIDTH);
  for (let panel = 0; panel < panelCount; panel++) {
    const base = panel * PANEL_WIDTH * inputSize;
    for (let k = 0; k < inputSize; k++) {
      for (let column = 0; column < PANEL_WIDTH; column++) {
        const n = panel * PANEL_WIDTH + column;
        into.data[base + k * PANEL_WIDTH + column] = n < outputSize ? rowMajor[n * inputSize + k]! : 0;
      }
    }
  }
  return { inputSize, outputSize, address: into.address, data: into.data };
}
