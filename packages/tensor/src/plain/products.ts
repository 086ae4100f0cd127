// Products of matrices, one output after the other, in the stated order of each sum: the definition of the answer.

import type { StridedRows } from "../kernels.ts";
import { type PackedMatrix, PANEL_WIDTH } from "../packed-matrix.ts";
import { checkDotRows, checkGrouped, checkMatmul, checkWeightedRows } from "../shapes.ts";
import { rowCount, rowSize, rowsOf, type Tensor } from "../tensor.ts";
import { FourLaneSum } from "./four-lane-sum.ts";

const { fround } = Math;

/** out[rows, n] = x[rows, k] · W, sequential over k. */
export function matmul(out: Tensor, x: Tensor, weights: PackedMatrix): void {
  checkMatmul(out, x, weights);
  const { inputSize, outputSize } = weights;
  const rows = rowCount(x);
  for (let row = 0; row < rows; row++) {
    for (let n = 0; n < outputSize; n++) {
      // Element (k, n) of the packed matrix stands at panel + k · PANEL_WIDTH.
      const panel = Math.floor(n / PANEL_WIDTH) * PANEL_WIDTH * inputSize + (n % PANEL_WIDTH);
      let sum = 0;
      for (let k = 0; k < inputSize; k++) {
        sum = fround(sum + fround(x.data[row * inputSize + k]! * weights.data[panel + k * PANEL_WIDTH]!));
      }
      out.data[row * outputSize + n] = sum;
    }
  }
}

/** Each expert's rows through its own weights. */
export function groupedMatmul(
  out: Tensor,
  x: Tensor,
  rowOffsets: Int32Array,
  weights: readonly PackedMatrix[],
): void {
  checkGrouped(out, x, rowOffsets, weights);
  for (const [expert, matrix] of weights.entries()) {
    const start = rowOffsets[expert]!;
    const end = rowOffsets[expert + 1]!;
    if (start < end) matmul(rowsOf(out, start, end), rowsOf(x, start, end), matrix);
  }
}

/** out[i, j] = Σ_c a[i, c] · b[j, c], four-lane over c. */
export function dotRows(out: Tensor, a: StridedRows, b: StridedRows, depth: number): void {
  checkDotRows(out, a, b, depth);
  const sum = new FourLaneSum();
  for (let i = 0; i < a.rows; i++) {
    for (let j = 0; j < b.rows; j++) {
      sum.clear();
      for (let c = 0; c < depth; c++) {
        sum.add(c, fround(a.data[i * a.stride + c]! * b.data[j * b.stride + c]!));
      }
      out.data[i * b.rows + j] = sum.result();
    }
  }
}

/** out[i, c] = Σ_t a[i, t] · b[t, c], sequential over t. */
export function weightedRows(out: StridedRows, a: Tensor, b: StridedRows, width: number): void {
  checkWeightedRows(out, a, b, width);
  const count = rowSize(a);
  for (let i = 0; i < out.rows; i++) {
    for (let c = 0; c < width; c++) {
      let sum = 0;
      for (let t = 0; t < count; t++) {
        sum = fround(sum + fround(a.data[i * count + t]! * b.data[t * b.stride + c]!));
      }
      out.data[i * out.stride + c] = sum;
    }
  }
}
