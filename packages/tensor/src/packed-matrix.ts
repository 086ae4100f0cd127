// A weight matrix laid out for the matmul kernels: panels of output columns, k-major inside a panel, so that one step
// over k reads one panel row and the whole matrix is read once from front to back. Panels are WIDE_PANEL columns wide as
// long as so many are left, then NARROW_PANEL; the last one is filled up with zero columns.

import type { Tensor } from "./tensor.ts";

/** Output columns of a panel: what a tile of two rows holds in the vector registers of x86-64. */
const WIDE_PANEL = 20;
const NARROW_PANEL = 8;

export interface PackedMatrix {
  /** k: the size of an input row. */
  readonly inputSize: number;
  /** n: the size of an output row. */
  readonly outputSize: number;
  readonly address: number;
  /** packedElementCount(n, k) elements. */
  readonly data: Float32Array;
}

/** A SwiGLU's two projections from the same input, of equal sizes. */
export interface GatedPair {
  readonly gate: PackedMatrix;
  readonly up: PackedMatrix;
}

export function packedElementCount(outputSize: number, inputSize: number): number {
  const rest = outputSize % WIDE_PANEL;
  return (outputSize - rest + Math.ceil(rest / NARROW_PANEL) * NARROW_PANEL) * inputSize;
}

/** Where an output column lies: its element for k stands at start + k · stride. */
export interface PackedColumn {
  readonly start: number;
  readonly stride: number;
}

export function packedColumn(column: number, outputSize: number, inputSize: number): PackedColumn {
  const wideEnd = outputSize - (outputSize % WIDE_PANEL);
  const stride = column < wideEnd ? WIDE_PANEL : NARROW_PANEL;
  const place = (column < wideEnd ? column : column - wideEnd) % stride;
  return { start: (column - place) * inputSize + place, stride };
}

/** Packs W [n, k] (row-major, as checkpoints hold it: y = x · Wᵀ) into `into`, whose data may hold anything before. */
export function packMatrix(
  into: Tensor,
  rowMajor: Float32Array,
  outputSize: number,
  inputSize: number,
): PackedMatrix {
  into.data.fill(0, 0, packedElementCount(outputSize, inputSize));
  for (let column = 0; column < outputSize; column++) {
    const { start, stride } = packedColumn(column, outputSize, inputSize);
    for (let k = 0; k < inputSize; k++) into.data[start + k * stride] = rowMajor[column * inputSize + k]!;
  }
  return { inputSize, outputSize, address: into.address, data: into.data };
}
