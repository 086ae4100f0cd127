// Functions of whole rows: RMS norm, softmax, rotary position embedding.

import type { RopeTables, StridedRows } from "../kernels.ts";
import { checkRmsNorm, checkRope, checkSoftmax } from "../shapes.ts";
import { rowCount, rowSize, type Tensor } from "../tensor.ts";
import { exponential } from "./exponential.ts";
import { FourLaneSum } from "./four-lane-sum.ts";

const { fround } = Math;

/** out = weight · (x · factor), factor = 1 / sqrt(mean(x²) + epsilon), the mean a four-lane sum over the size. */
export function rmsNorm(out: Tensor, x: Tensor, weight: Float32Array, epsilon: number): void {
  checkRmsNorm(out, x, weight);
  const rows = rowCount(x);
  const size = rowSize(x);
  const squares = new FourLaneSum();
  for (let row = 0; row < rows; row++) {
    const start = row * size;
    squares.clear();
    for (let i = 0; i < size; i++) squares.add(i, fround(x.data[start + i]! * x.data[start + i]!));
    const mean = fround(squares.result() / size);
    const factor = fround(1 / fround(Math.sqrt(fround(mean + fround(epsilon)))));
    for (let i = 0; i < size; i++)
      out.data[start + i] = fround(weight[i]! * fround(x.data[start + i]! * factor));
  }
}

/** e^(x · scale − m) / Σ, m the largest scaled element. Math.max agrees with WebAssembly's: −0 < +0, NaN wins. */
export function softmax(x: Tensor, lengths: Int32Array, scale: number): void {
  checkSoftmax(x, lengths);
  const size = rowSize(x);
  const factor = fround(scale);
  const sum = new FourLaneSum();
  for (let row = 0; row < lengths.length; row++) {
    const start = row * size;
    const end = start + lengths[row]!;
    let largest = -Infinity;
    for (let i = start; i < end; i++) {
      x.data[i] = fround(x.data[i]! * factor);
      largest = Math.max(largest, x.data[i]!);
    }
    sum.clear();
    for (let i = start; i < end; i++) {
      x.data[i] = exponential(fround(x.data[i]! - largest));
      sum.add(i - start, x.data[i]!);
    }
    const total = sum.result();
    for (let i = start; i < end; i++) x.data[i] = fround(x.data[i]! / total);
    x.data.fill(0, end, start + size);
  }
}

/** (a, b) → (a·cos − b·sin, a·sin + b·cos), interleaved pairs, in place. */
export function rope(rows: StridedRows, width: number, positions: Int32Array, tables: RopeTables): void {
  checkRope(rows, width, positions, tables);
  const pairs = width / 2;
  for (let row = 0; row < rows.rows; row++) {
    const angles = positions[row]! * pairs;
    for (let pair = 0; pair < pairs; pair++) {
      const first = row * rows.stride + 2 * pair;
      const a = rows.data[first]!;
      const b = rows.data[first + 1]!;
      const cosine = tables.cosines.data[angles + pair]!;
      const sine = tables.sines.data[angles + pair]!;
      rows.data[first] = fround(fround(a * cosine) - fround(b * sine));
      rows.data[first + 1] = fround(fround(a * sine) + fround(b * cosine));
    }
  }
}
