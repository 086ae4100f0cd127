// out[i, c] = Σ_t a[i, t] · b[t, c], one accumulator for each output, t = 0, 1, 2 … in turn: attention's mix of
// value rows. Vectors lie along the columns; strides are in bytes, a is [rows, count] without gaps.

import { loadTail, storeTail } from "./lanes";

/** Four rows, eight columns; unrolled four times by hand, so that pointers of a advance once in four steps. */
function tile4x8(out: usize, outStride: usize, a0: usize, aStride: usize, b: usize, bStride: usize): void {
  const zero = f32x4.splat(0);
  let sum00 = zero;
  let sum01 = zero;
  let sum10 = zero;
  let sum11 = zero;
  let sum20 = zero;
  let sum21 = zero;
  let sum30 = zero;
  let sum31 = zero;
  const end = a0 + aStride;
  const unrolledEnd = a0 + (aStride & -16);
  let a1 = a0 + aStride;
  let a2 = a1 + aStride;
  let a3 = a2 + aStride;
  while (a0 < unrolledEnd) {
    let low = v128.load(b);
    let high = v128.load(b, 16);
    let value = v128.load32_splat(a0);
    sum00 = f32x4.add(sum00, f32x4.mul(value, low));
    sum01 = f32x4.add(sum01, f32x4.mul(value, high));
    value = v128.load32_splat(a1);
    sum10 = f32x4.add(sum10, f32x4.mul(value, low));
    sum11 = f32x4.add(sum11, f32x4.mul(value, high));
    value = v128.load32_splat(a2);
    sum20 = f32x4.add(sum20, f32x4.mul(value, low));
    sum21 = f32x4.add(sum21, f32x4.mul(value, high));
    value = v128.load32_splat(a3);
    sum30 = f32x4.add(sum30, f32x4.mul(value, low));
    sum31 = f32x4.add(sum31, f32x4.mul(value, high));
    b += bStride;
    low = v128.load(b);
    high = v128.load(b, 16);
    value = v128.load32_splat(a0, 4);
    sum00 = f32x4.add(sum00, f32x4.mul(value, low));
    sum01 = f32x4.add(sum01, f32x4.mul(value, high));
    value = v128.load32_splat(a1, 4);
    sum10 = f32x4.add(sum10, f32x4.mul(value, low));
    sum11 = f32x4.add(sum11, f32x4.mul(value, high));
    value = v128.load32_splat(a2, 4);
    sum20 = f32x4.add(sum20, f32x4.mul(value, low));
    sum21 = f32x4.add(sum21, f32x4.mul(value, high));
    value = v128.load32_splat(a3, 4);
    sum30 = f32x4.add(sum30, f32x4.mul(value, low));
    sum31 = f32x4.add(sum31, f32x4.mul(value, high));
    b += bStride;
    low = v128.load(b);
    high = v128.load(b, 16);
    value = v128.load32_splat(a0, 8);
    sum00 = f32x4.add(sum00, f32x4.mul(value, low));
    sum01 = f32x4.add(sum01, f32x4.mul(value, high));
    value = v128.load32_splat(a1, 8);
    sum10 = f32x4.add(sum10, f32x4.mul(value, low));
    sum11 = f32x4.add(sum11, f32x4.mul(value, high));
    value = v128.load32_splat(a2, 8);
    sum20 = f32x4.add(sum20, f32x4.mul(value, low));
    sum21 = f32x4.add(sum21, f32x4.mul(value, high));
    value = v128.load32_splat(a3, 8);
    sum30 = f32x4.add(sum30, f32x4.mul(value, low));
    sum31 = f32x4.add(sum31, f32x4.mul(value, high));
    b += bStride;
    low = v128.load(b);
    high = v128.load(b, 16);
    value = v128.load32_splat(a0, 12);
    sum00 = f32x4.add(sum00, f32x4.mul(value, low));
    sum01 = f32x4.add(sum01, f32x4.mul(value, high));
    value = v128.load32_splat(a1, 12);
    sum10 = f32x4.add(sum10, f32x4.mul(value, low));
    sum11 = f32x4.add(sum11, f32x4.mul(value, high));
    value = v128.load32_splat(a2, 12);
    sum20 = f32x4.add(sum20, f32x4.mul(value, low));
    sum21 = f32x4.add(sum21, f32x4.mul(value, high));
    value = v128.load32_splat(a3, 12);
    sum30 = f32x4.add(sum30, f32x4.mul(value, low));
    sum31 = f32x4.add(sum31, f32x4.mul(value, high));
    b += bStride;
    a0 += 16;
    a1 += 16;
    a2 += 16;
    a3 += 16;
  }
  while (a0 < end) {
    let low = v128.load(b);
    let high = v128.load(b, 16);
    let value = v128.load32_splat(a0);
    sum00 = f32x4.add(sum00, f32x4.mul(value, low));
    sum01 = f32x4.add(sum01, f32x4.mul(value, high));
    value = v128.load32_splat(a1);
    sum10 = f32x4.add(sum10, f32x4.mul(value, low));
    sum11 = f32x4.add(sum11, f32x4.mul(value, high));
    value = v128.load32_splat(a2);
    sum20 = f32x4.add(sum20, f32x4.mul(value, low));
    sum21 = f32x4.add(sum21, f32x4.mul(value, high));
    value = v128.load32_splat(a3);
    sum30 = f32x4.add(sum30, f32x4.mul(value, low));
    sum31 = f32x4.add(sum31, f32x4.mul(value, high));
    b += bStride;
    a0 += 4;
    a1 += 4;
    a2 += 4;
    a3 += 4;
  }
  v128.store(out, sum00);
  v128.store(out, sum01, 16);
  out += outStride;
  v128.store(out, sum10);
  v128.store(out, sum11, 16);
  out += outStride;
  v128.store(out, sum20);
  v128.store(out, sum21, 16);
  out += outStride;
  v128.store(out, sum30);
  v128.store(out, sum31, 16);
}

/** One row, sixteen columns. */
function tile1x16(out: usize, a: usize, end: usize, b: usize, bStride: usize): void {
  const zero = f32x4.splat(0);
  let sum0 = zero;
  let sum1 = zero;
  let sum2 = zero;
  let sum3 = zero;
  for (; a < end; a += 4, b += bStride) {
    const value = v128.load32_splat(a);
    sum0 = f32x4.add(sum0, f32x4.mul(value, v128.load(b)));
    sum1 = f32x4.add(sum1, f32x4.mul(value, v128.load(b, 16)));
    sum2 = f32x4.add(sum2, f32x4.mul(value, v128.load(b, 32)));
    sum3 = f32x4.add(sum3, f32x4.mul(value, v128.load(b, 48)));
  }
  v128.store(out, sum0);
  v128.store(out, sum1, 16);
  v128.store(out, sum2, 32);
  v128.store(out, sum3, 48);
}

function tile1x4(out: usize, a: usize, end: usize, b: usize, bStride: usize): void {
  let sum = f32x4.splat(0);
  for (; a < end; a += 4, b += bStride) sum = f32x4.add(sum, f32x4.mul(v128.load32_splat(a), v128.load(b)));
  v128.store(out, sum);
}

/** The last one to three columns. */
function tile1xTail(out: usize, a: usize, end: usize, b: usize, bStride: usize, columns: i32): void {
  let sum = f32x4.splat(0);
  for (; a < end; a += 4, b += bStride) {
    sum = f32x4.add(sum, f32x4.mul(v128.load32_splat(a), loadTail(b, columns)));
  }
  storeTail(out, sum, columns);
}

/** Columns from `column` on of one row. */
function oneRow(out: usize, a: usize, aStride: usize, b: usize, bStride: usize, column: i32, width: i32): void {
  const end = a + aStride;
  out += <usize>column << 2;
  b += <usize>column << 2;
  for (; column + 16 <= width; column += 16, out += 64, b += 64) tile1x16(out, a, end, b, bStride);
  for (; column + 4 <= width; column += 4, out += 16, b += 16) tile1x4(out, a, end, b, bStride);
  if (column < width) tile1xTail(out, a, end, b, bStride, width - column);
}

export function weightedRows(
  out: usize,
  outStride: usize,
  a: usize,
  rows: i32,
  count: i32,
  b: usize,
  bStride: usize,
  width: i32,
): void {
  const aStride = <usize>count << 2;
  const tiledRows = rows & -4;
  const tiledColumns = width & -8;
  for (let column = 0; column < tiledColumns; column += 8) {
    const offset = <usize>column << 2;
    for (let row = 0; row < tiledRows; row += 4) {
      tile4x8(out + <usize>row * outStride + offset, outStride, a + <usize>row * aStride, aStride, b + offset, bStride);
    }
  }
  for (let row = 0; row < rows; row++) {
    const column = row < tiledRows ? tiledColumns : 0;
    oneRow(out + <usize>row * outStride, a + <usize>row * aStride, aStride, b, bStride, column, width);
  }
}
