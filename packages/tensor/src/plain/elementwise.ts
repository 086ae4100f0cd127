// Functions of single elements and of sums of rows times factors.

import { checkGatheredRows, checkSame, checkSwiglu } from "../shapes.ts";
import { rowCount, rowSize, type Tensor } from "../tensor.ts";
import { sigmoidOf, siluOf } from "./exponential.ts";

const { fround } = Math;

export function swiglu(out: Tensor, gateUp: Tensor): void {
  checkSwiglu(out, gateUp);
  const rows = rowCount(out);
  const inner = rowSize(out);
  for (let row = 0; row < rows; row++) {
    for (let i = 0; i < inner; i++) {
      const gate = gateUp.data[row * 2 * inner + i]!;
      const up = gateUp.data[row * 2 * inner + inner + i]!;
      out.data[row * inner + i] = fround(siluOf(gate) * up);
    }
  }
}

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
