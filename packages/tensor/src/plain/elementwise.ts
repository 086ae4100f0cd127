// Functions of single elements and of sums of rows times factors.

import { checkGatheredRows, checkSame } from "../shapes.ts";
import { rowSize, type Tensor } from "../tensor.ts";
import { sigmoidOf } from "./exponential.ts";

const { fround } = Math;

export function sigmoid(out: Tensor, x: Tensor): void {
  checkSame(out, x, "sigmoid output");
  for (let i = 0; i < x.data.length; i++) out.data[i] = sigmoidOf(x.data[i]!);
}

export function add(out: Tensor, x: Tensor): void {
  checkSame(out, x, "add");
  for (let i = 0; i < x.data.length; i++) out.data[i] = fround(out.data[i]! + x.data[i]!);
}

export function addGatheredRows(out: Tensor, x: Tensor, rows: Int32Array, factors: Float32Array): void {
  const perRow = checkGatheredRows(out, x, rows, factors);
  const size = rowSize(x);
  for (let i = 0; i < rows.length; i++) {
    const factor = factors[i]!;
    const from = rows[i]! * size;
    const to = Math.floor(i / perRow) * size;
    for (let column = 0; column < size; column++) {
      out.data[to + column] = fround(out.data[to + column]! + fround(factor * x.data[from + column]!));
    }
  }
}
