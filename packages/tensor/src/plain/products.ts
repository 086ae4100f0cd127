// Products of matrices, one output after the other, in the stated order of each sum: the definition of the answer.

import type { E4M3Rows, StridedRows } from "../kernels.ts";
import { type GatedPair, packedColumn, type PackedMatrix } from "../packed-matrix.ts";
import { checkDotRows, checkGrouped, checkMatmul, checkSwiglu, checkWeightedRows } from "../shapes.ts";
import { elementCount, rowCount, rowSize, type Tensor } from "../tensor.ts";
import { siluOf } from "./exponential.ts";
import { FourLaneSum } from "./four-lane-sum.ts";
import { dequantizeE4M3 } from "./quantization.ts";

const { fround } = Math;

/** out[rows, n] = x[rows, k] · W, sequential over k. */
export function matmul(out: Tensor, x: Tensor, weights: PackedMatrix): void {
  checkMatmul(out, x, weights);
  multiply(out, x, { start: 0, end: rowCount(x) }, weights);
}

/** Each expert's rows through its own weights. */
export function groupedMatmul(
  out: Tensor,
  x: Tensor,
  rowOffsets: Int32Array,
  weights: readonly PackedMatrix[],
): void {
  checkGrouped(out, x, rowOffsets, weights);
  for (const [expert, matrix] of weights.entries())
    multiply(out, x, rowsOfExpert(rowOffsets, expert), matrix);
}

/** Gates and ups of each expert's rows, then silu(gate) · up. Rows in E4M3 are decoded first. */
export function groupedSwiglu(
  out: Tensor,
  x: Tensor | E4M3Rows,
  rowOffsets: Int32Array,
  weights: readonly GatedPair[],
): void {
  checkSwiglu(out, x, rowOffsets, weights);
  const rows = "codes" in x ? decoded(x) : x;
  const ups = ownTensor(out.shape);
  for (const [expert, { gate, up }] of weights.entries()) {
    multiply(out, rows, rowsOfExpert(rowOffsets, expert), gate);
    multiply(ups, rows, rowsOfExpert(rowOffsets, expert), up);
  }
  for (let i = 0; i < out.data.length; i++) out.data[i] = fround(siluOf(out.data[i]!) * ups.data[i]!);
}

interface RowRange {
  readonly start: number;
  readonly end: number;
}

function rowsOfExpert(rowOffsets: Int32Array, expert: number): RowRange {
  return { start: rowOffsets[expert]!, end: rowOffsets[expert + 1]! };
}

function multiply(out: Tensor, x: Tensor, { start, end }: RowRange, weights: PackedMatrix): void {
  const { inputSize, outputSize, data } = weights;
  for (let n = 0; n < outputSize; n++) {
    const column = packedColumn(n, outputSize, inputSize);
    for (let row = start; row < end; row++) {
      let sum = 0;
      for (let k = 0; k < inputSize; k++) {
        const product = fround(x.data[row * inputSize + k]! * data[column.start + k * column.stride]!);
        sum = fround(sum + product);
      }
      out.data[row * outputSize + n] = sum;
    }
  }
}

function decoded({ rows, size, codes, scales }: E4M3Rows): Tensor {
  const values = ownTensor([rows, size]);
  dequantizeE4M3(values, codes, scales);
  return values;
}

/** Outside the shared memory, whose space the plain kernels do not take. */
function ownTensor(shape: readonly number[]): Tensor {
  return { shape, address: 0, data: new Float32Array(elementCount(shape)) };
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
