// Functions of single elements and of rows times a factor.

import { checkSame, checkScaledRows, checkSwiglu } from "../shapes.ts";
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

export function addScaledRows(out: Tensor, x: Tensor, factors: Float32Array): void {
  checkScaledRows(out, x, factors);
  const size = rowSize(x);
  for (let row = 0; row < factors.length; row++) {
    const factor = factors[row]!;
    for (let i = row * size; i < (row + 1) * size; i++) {
      out.data[i] = fround(out.data[i]! + fround(factor * x.data[i]!));
    }
  }
}
