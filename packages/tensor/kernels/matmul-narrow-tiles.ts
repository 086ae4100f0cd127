// Tiles over panels of eight columns, for what is left of the columns behind the panels of twenty: four, two or one rows.
// Every output has one accumulator and adds k = 0, 1, 2 … in turn, so each tile gives the same bits as any other. Strides
// are in bytes; `columns` (1 to 8) says how many columns of the panel exist.

import { storeColumns } from "./outputs";

/** Four rows, eight columns. */
export function tile4x8(
  out: usize,
  outStride: usize,
  x0: usize,
  xStride: usize,
  w: usize,
  k: i32,
  columns: i32,
  isProduct: bool,
): void {
  const zero = f32x4.splat(0);
  let sum00 = zero;
  let sum01 = zero;
  let sum10 = zero;
  let sum11 = zero;
  let sum20 = zero;
  let sum21 = zero;
  let sum30 = zero;
  let sum31 = zero;
  let x1 = x0 + xStride;
  let x2 = x1 + xStride;
  let x3 = x2 + xStride;
  const unrolledEnd = x0 + (<usize>(k & -4) << 2);
  const end = x0 + (<usize>k << 2);
  while (x0 < unrolledEnd) {
    let weights0 = v128.load(w);
    let weights1 = v128.load(w, 16);
    let value = v128.load32_splat(x0);
    sum00 = f32x4.add(sum00, f32x4.mul(value, weights0));
    sum01 = f32x4.add(sum01, f32x4.mul(value, weights1));
    value = v128.load32_splat(x1);
    sum10 = f32x4.add(sum10, f32x4.mul(value, weights0));
    sum11 = f32x4.add(sum11, f32x4.mul(value, weights1));
    value = v128.load32_splat(x2);
    sum20 = f32x4.add(sum20, f32x4.mul(value, weights0));
    sum21 = f32x4.add(sum21, f32x4.mul(value, weights1));
    value = v128.load32_splat(x3);
    sum30 = f32x4.add(sum30, f32x4.mul(value, weights0));
    sum31 = f32x4.add(sum31, f32x4.mul(value, weights1));
    weights0 = v128.load(w, 32);
    weights1 = v128.load(w, 48);
    value = v128.load32_splat(x0, 4);
    sum00 = f32x4.add(sum00, f32x4.mul(value, weights0));
    sum01 = f32x4.add(sum01, f32x4.mul(value, weights1));
    value = v128.load32_splat(x1, 4);
    sum10 = f32x4.add(sum10, f32x4.mul(value, weights0));
    sum11 = f32x4.add(sum11, f32x4.mul(value, weights1));
    value = v128.load32_splat(x2, 4);
    sum20 = f32x4.add(sum20, f32x4.mul(value, weights0));
    sum21 = f32x4.add(sum21, f32x4.mul(value, weights1));
    value = v128.load32_splat(x3, 4);
    sum30 = f32x4.add(sum30, f32x4.mul(value, weights0));
    sum31 = f32x4.add(sum31, f32x4.mul(value, weights1));
    weights0 = v128.load(w, 64);
    weights1 = v128.load(w, 80);
    value = v128.load32_splat(x0, 8);
    sum00 = f32x4.add(sum00, f32x4.mul(value, weights0));
    sum01 = f32x4.add(sum01, f32x4.mul(value, weights1));
    value = v128.load32_splat(x1, 8);
    sum10 = f32x4.add(sum10, f32x4.mul(value, weights0));
    sum11 = f32x4.add(sum11, f32x4.mul(value, weights1));
    value = v128.load32_splat(x2, 8);
    sum20 = f32x4.add(sum20, f32x4.mul(value, weights0));
    sum21 = f32x4.add(sum21, f32x4.mul(value, weights1));
    value = v128.load32_splat(x3, 8);
    sum30 = f32x4.add(sum30, f32x4.mul(value, weights0));
    sum31 = f32x4.add(sum31, f32x4.mul(value, weights1));
    weights0 = v128.load(w, 96);
    weights1 = v128.load(w, 112);
    value = v128.load32_splat(x0, 12);
    sum00 = f32x4.add(sum00, f32x4.mul(value, weights0));
    sum01 = f32x4.add(sum01, f32x4.mul(value, weights1));
    value = v128.load32_splat(x1, 12);
    sum10 = f32x4.add(sum10, f32x4.mul(value, weights0));
    sum11 = f32x4.add(sum11, f32x4.mul(value, weights1));
    value = v128.load32_splat(x2, 12);
    sum20 = f32x4.add(sum20, f32x4.mul(value, weights0));
    sum21 = f32x4.add(sum21, f32x4.mul(value, weights1));
    value = v128.load32_splat(x3, 12);
    sum30 = f32x4.add(sum30, f32x4.mul(value, weights0));
    sum31 = f32x4.add(sum31, f32x4.mul(value, weights1));
    x0 += 16;
    x1 += 16;
    x2 += 16;
    x3 += 16;
    w += 128;
  }
  while (x0 < end) {
    let weights0 = v128.load(w);
    let weights1 = v128.load(w, 16);
    let value = v128.load32_splat(x0);
    sum00 = f32x4.add(sum00, f32x4.mul(value, weights0));
    sum01 = f32x4.add(sum01, f32x4.mul(value, weights1));
    value = v128.load32_splat(x1);
    sum10 = f32x4.add(sum10, f32x4.mul(value, weights0));
    sum11 = f32x4.add(sum11, f32x4.mul(value, weights1));
    value = v128.load32_splat(x2);
    sum20 = f32x4.add(sum20, f32x4.mul(value, weights0));
    sum21 = f32x4.add(sum21, f32x4.mul(value, weights1));
    value = v128.load32_splat(x3);
    sum30 = f32x4.add(sum30, f32x4.mul(value, weights0));
    sum31 = f32x4.add(sum31, f32x4.mul(value, weights1));
    x0 += 4;
    x1 += 4;
    x2 += 4;
    x3 += 4;
    w += 32;
  }
  storeColumns(out, sum00, sum01, columns, isProduct);
  out += outStride;
  storeColumns(out, sum10, sum11, columns, isProduct);
  out += outStride;
  storeColumns(out, sum20, sum21, columns, isProduct);
  out += outStride;
  storeColumns(out, sum30, sum31, columns, isProduct);
}

/** Two rows, eight columns. */
export function tile2x8(
  out: usize,
  outStride: usize,
  x0: usize,
  xStride: usize,
  w: usize,
  k: i32,
  columns: i32,
  isProduct: bool,
): void {
  const zero = f32x4.splat(0);
  let sum00 = zero;
  let sum01 = zero;
  let sum10 = zero;
  let sum11 = zero;
  let x1 = x0 + xStride;
  const unrolledEnd = x0 + (<usize>(k & -4) << 2);
  const end = x0 + (<usize>k << 2);
  while (x0 < unrolledEnd) {
    let weights0 = v128.load(w);
    let weights1 = v128.load(w, 16);
    let value = v128.load32_splat(x0);
    sum00 = f32x4.add(sum00, f32x4.mul(value, weights0));
    sum01 = f32x4.add(sum01, f32x4.mul(value, weights1));
    value = v128.load32_splat(x1);
    sum10 = f32x4.add(sum10, f32x4.mul(value, weights0));
    sum11 = f32x4.add(sum11, f32x4.mul(value, weights1));
    weights0 = v128.load(w, 32);
    weights1 = v128.load(w, 48);
    value = v128.load32_splat(x0, 4);
    sum00 = f32x4.add(sum00, f32x4.mul(value, weights0));
    sum01 = f32x4.add(sum01, f32x4.mul(value, weights1));
    value = v128.load32_splat(x1, 4);
    sum10 = f32x4.add(sum10, f32x4.mul(value, weights0));
    sum11 = f32x4.add(sum11, f32x4.mul(value, weights1));
    weights0 = v128.load(w, 64);
    weights1 = v128.load(w, 80);
    value = v128.load32_splat(x0, 8);
    sum00 = f32x4.add(sum00, f32x4.mul(value, weights0));
    sum01 = f32x4.add(sum01, f32x4.mul(value, weights1));
    value = v128.load32_splat(x1, 8);
    sum10 = f32x4.add(sum10, f32x4.mul(value, weights0));
    sum11 = f32x4.add(sum11, f32x4.mul(value, weights1));
    weights0 = v128.load(w, 96);
    weights1 = v128.load(w, 112);
    value = v128.load32_splat(x0, 12);
    sum00 = f32x4.add(sum00, f32x4.mul(value, weights0));
    sum01 = f32x4.add(sum01, f32x4.mul(value, weights1));
    value = v128.load32_splat(x1, 12);
    sum10 = f32x4.add(sum10, f32x4.mul(value, weights0));
    sum11 = f32x4.add(sum11, f32x4.mul(value, weights1));
    x0 += 16;
    x1 += 16;
    w += 128;
  }
  while (x0 < end) {
    let weights0 = v128.load(w);
    let weights1 = v128.load(w, 16);
    let value = v128.load32_splat(x0);
    sum00 = f32x4.add(sum00, f32x4.mul(value, weights0));
    sum01 = f32x4.add(sum01, f32x4.mul(value, weights1));
    value = v128.load32_splat(x1);
    sum10 = f32x4.add(sum10, f32x4.mul(value, weights0));
    sum11 = f32x4.add(sum11, f32x4.mul(value, weights1));
    x0 += 4;
    x1 += 4;
    w += 32;
  }
  storeColumns(out, sum00, sum01, columns, isProduct);
  out += outStride;
  storeColumns(out, sum10, sum11, columns, isProduct);
}

/** One row, eight columns. */
export function tile1x8(out: usize, x0: usize, w: usize, k: i32, columns: i32, isProduct: bool): void {
  const zero = f32x4.splat(0);
  let sum00 = zero;
  let sum01 = zero;
  const unrolledEnd = x0 + (<usize>(k & -4) << 2);
  const end = x0 + (<usize>k << 2);
  while (x0 < unrolledEnd) {
    let weights0 = v128.load(w);
    let weights1 = v128.load(w, 16);
    let value = v128.load32_splat(x0);
    sum00 = f32x4.add(sum00, f32x4.mul(value, weights0));
    sum01 = f32x4.add(sum01, f32x4.mul(value, weights1));
    weights0 = v128.load(w, 32);
    weights1 = v128.load(w, 48);
    value = v128.load32_splat(x0, 4);
    sum00 = f32x4.add(sum00, f32x4.mul(value, weights0));
    sum01 = f32x4.add(sum01, f32x4.mul(value, weights1));
    weights0 = v128.load(w, 64);
    weights1 = v128.load(w, 80);
    value = v128.load32_splat(x0, 8);
    sum00 = f32x4.add(sum00, f32x4.mul(value, weights0));
    sum01 = f32x4.add(sum01, f32x4.mul(value, weights1));
    weights0 = v128.load(w, 96);
    weights1 = v128.load(w, 112);
    value = v128.load32_splat(x0, 12);
    sum00 = f32x4.add(sum00, f32x4.mul(value, weights0));
    sum01 = f32x4.add(sum01, f32x4.mul(value, weights1));
    x0 += 16;
    w += 128;
  }
  while (x0 < end) {
    let weights0 = v128.load(w);
    let weights1 = v128.load(w, 16);
    let value = v128.load32_splat(x0);
    sum00 = f32x4.add(sum00, f32x4.mul(value, weights0));
    sum01 = f32x4.add(sum01, f32x4.mul(value, weights1));
    x0 += 4;
    w += 32;
  }
  storeColumns(out, sum00, sum01, columns, isProduct);
}
