// Tiles for the one to three rows that are left over: fewer rows, so more panels, because it takes about eight
// accumulators to hide the latency of an addition. Every output has one accumulator and adds k = 0, 1, 2 … in turn,
// so each tile gives the same bits as any other. Strides are in bytes; `columns` (1 to 8) says how many columns
// of the last panel exist.

import { storeColumns } from "./lanes";

/** Three rows, one panel. */
export function tile3x8(out: usize, outStride: usize, x: usize, xStride: usize, w: usize, k: i32, columns: i32): void {
  const zero = f32x4.splat(0);
  let sum00 = zero;
  let sum01 = zero;
  let sum10 = zero;
  let sum11 = zero;
  let sum20 = zero;
  let sum21 = zero;
  let x1 = x + xStride;
  let x2 = x + 2 * xStride;
  const unrolledEnd = x + (<usize>(k & -4) << 2);
  const end = x + (<usize>k << 2);
  while (x < unrolledEnd) {
    let weights0 = v128.load(w);
    let weights1 = v128.load(w, 16);
    let value = v128.load32_splat(x);
    sum00 = f32x4.add(sum00, f32x4.mul(value, weights0));
    sum01 = f32x4.add(sum01, f32x4.mul(value, weights1));
    value = v128.load32_splat(x1);
    sum10 = f32x4.add(sum10, f32x4.mul(value, weights0));
    sum11 = f32x4.add(sum11, f32x4.mul(value, weights1));
    value = v128.load32_splat(x2);
    sum20 = f32x4.add(sum20, f32x4.mul(value, weights0));
    sum21 = f32x4.add(sum21, f32x4.mul(value, weights1));
    weights0 = v128.load(w, 32);
    weights1 = v128.load(w, 48);
    value = v128.load32_splat(x, 4);
    sum00 = f32x4.add(sum00, f32x4.mul(value, weights0));
    sum01 = f32x4.add(sum01, f32x4.mul(value, weights1));
    value = v128.load32_splat(x1, 4);
    sum10 = f32x4.add(sum10, f32x4.mul(value, weights0));
    sum11 = f32x4.add(sum11, f32x4.mul(value, weights1));
    value = v128.load32_splat(x2, 4);
    sum20 = f32x4.add(sum20, f32x4.mul(value, weights0));
    sum21 = f32x4.add(sum21, f32x4.mul(value, weights1));
    weights0 = v128.load(w, 64);
    weights1 = v128.load(w, 80);
    value = v128.load32_splat(x, 8);
    sum00 = f32x4.add(sum00, f32x4.mul(value, weights0));
    sum01 = f32x4.add(sum01, f32x4.mul(value, weights1));
    value = v128.load32_splat(x1, 8);
    sum10 = f32x4.add(sum10, f32x4.mul(value, weights0));
    sum11 = f32x4.add(sum11, f32x4.mul(value, weights1));
    value = v128.load32_splat(x2, 8);
    sum20 = f32x4.add(sum20, f32x4.mul(value, weights0));
    sum21 = f32x4.add(sum21, f32x4.mul(value, weights1));
    weights0 = v128.load(w, 96);
    weights1 = v128.load(w, 112);
    value = v128.load32_splat(x, 12);
    sum00 = f32x4.add(sum00, f32x4.mul(value, weights0));
    sum01 = f32x4.add(sum01, f32x4.mul(value, weights1));
    value = v128.load32_splat(x1, 12);
    sum10 = f32x4.add(sum10, f32x4.mul(value, weights0));
    sum11 = f32x4.add(sum11, f32x4.mul(value, weights1));
    value = v128.load32_splat(x2, 12);
    sum20 = f32x4.add(sum20, f32x4.mul(value, weights0));
    sum21 = f32x4.add(sum21, f32x4.mul(value, weights1));
    x += 16;
    x1 += 16;
    x2 += 16;
    w += 128;
  }
  while (x < end) {
    let weights0 = v128.load(w);
    let weights1 = v128.load(w, 16);
    let value = v128.load32_splat(x);
    sum00 = f32x4.add(sum00, f32x4.mul(value, weights0));
    sum01 = f32x4.add(sum01, f32x4.mul(value, weights1));
    value = v128.load32_splat(x1);
    sum10 = f32x4.add(sum10, f32x4.mul(value, weights0));
    sum11 = f32x4.add(sum11, f32x4.mul(value, weights1));
    value = v128.load32_splat(x2);
    sum20 = f32x4.add(sum20, f32x4.mul(value, weights0));
    sum21 = f32x4.add(sum21, f32x4.mul(value, weights1));
    x += 4;
    x1 += 4;
    x2 += 4;
    w += 32;
  }
  storeColumns(out, sum00, sum01, columns);
  storeColumns(out + outStride, sum10, sum11, columns);
  storeColumns(out + 2 * outStride, sum20, sum21, columns);
}

/** Two rows, two panels. */
export function tile2x16(out: usize, outStride: usize, x: usize, xStride: usize, w: usize, k: i32, columns: i32, panelBytes: usize): void {
  const zero = f32x4.splat(0);
  let sum00 = zero;
  let sum01 = zero;
  let sum02 = zero;
  let sum03 = zero;
  let sum10 = zero;
  let sum11 = zero;
  let sum12 = zero;
  let sum13 = zero;
  let x1 = x + xStride;
  let w1 = w + panelBytes;
  const unrolledEnd = x + (<usize>(k & -2) << 2);
  const end = x + (<usize>k << 2);
  while (x < unrolledEnd) {
    let weights0 = v128.load(w);
    let weights1 = v128.load(w, 16);
    let weights2 = v128.load(w1);
    let weights3 = v128.load(w1, 16);
    let value = v128.load32_splat(x);
    sum00 = f32x4.add(sum00, f32x4.mul(value, weights0));
    sum01 = f32x4.add(sum01, f32x4.mul(value, weights1));
    sum02 = f32x4.add(sum02, f32x4.mul(value, weights2));
    sum03 = f32x4.add(sum03, f32x4.mul(value, weights3));
    value = v128.load32_splat(x1);
    sum10 = f32x4.add(sum10, f32x4.mul(value, weights0));
    sum11 = f32x4.add(sum11, f32x4.mul(value, weights1));
    sum12 = f32x4.add(sum12, f32x4.mul(value, weights2));
    sum13 = f32x4.add(sum13, f32x4.mul(value, weights3));
    weights0 = v128.load(w, 32);
    weights1 = v128.load(w, 48);
    weights2 = v128.load(w1, 32);
    weights3 = v128.load(w1, 48);
    value = v128.load32_splat(x, 4);
    sum00 = f32x4.add(sum00, f32x4.mul(value, weights0));
    sum01 = f32x4.add(sum01, f32x4.mul(value, weights1));
    sum02 = f32x4.add(sum02, f32x4.mul(value, weights2));
    sum03 = f32x4.add(sum03, f32x4.mul(value, weights3));
    value = v128.load32_splat(x1, 4);
    sum10 = f32x4.add(sum10, f32x4.mul(value, weights0));
    sum11 = f32x4.add(sum11, f32x4.mul(value, weights1));
    sum12 = f32x4.add(sum12, f32x4.mul(value, weights2));
    sum13 = f32x4.add(sum13, f32x4.mul(value, weights3));
    x += 8;
    x1 += 8;
    w += 64;
    w1 += 64;
  }
  while (x < end) {
    let weights0 = v128.load(w);
    let weights1 = v128.load(w, 16);
    let weights2 = v128.load(w1);
    let weights3 = v128.load(w1, 16);
    let value = v128.load32_splat(x);
    sum00 = f32x4.add(sum00, f32x4.mul(value, weights0));
    sum01 = f32x4.add(sum01, f32x4.mul(value, weights1));
    sum02 = f32x4.add(sum02, f32x4.mul(value, weights2));
    sum03 = f32x4.add(sum03, f32x4.mul(value, weights3));
    value = v128.load32_splat(x1);
    sum10 = f32x4.add(sum10, f32x4.mul(value, weights0));
    sum11 = f32x4.add(sum11, f32x4.mul(value, weights1));
    sum12 = f32x4.add(sum12, f32x4.mul(value, weights2));
    sum13 = f32x4.add(sum13, f32x4.mul(value, weights3));
    x += 4;
    x1 += 4;
    w += 32;
    w1 += 32;
  }
  storeColumns(out, sum00, sum01, 8);
  storeColumns(out + 32, sum02, sum03, columns);
  storeColumns(out + outStride, sum10, sum11, 8);
  storeColumns(out + outStride + 32, sum12, sum13, columns);
}

/** Two rows, one panel. */
export function tile2x8(out: usize, outStride: usize, x: usize, xStride: usize, w: usize, k: i32, columns: i32): void {
  const zero = f32x4.splat(0);
  let sum00 = zero;
  let sum01 = zero;
  let sum10 = zero;
  let sum11 = zero;
  let x1 = x + xStride;
  const unrolledEnd = x + (<usize>(k & -2) << 2);
  const end = x + (<usize>k << 2);
  while (x < unrolledEnd) {
    let weights0 = v128.load(w);
    let weights1 = v128.load(w, 16);
    let value = v128.load32_splat(x);
    sum00 = f32x4.add(sum00, f32x4.mul(value, weights0));
    sum01 = f32x4.add(sum01, f32x4.mul(value, weights1));
    value = v128.load32_splat(x1);
    sum10 = f32x4.add(sum10, f32x4.mul(value, weights0));
    sum11 = f32x4.add(sum11, f32x4.mul(value, weights1));
    weights0 = v128.load(w, 32);
    weights1 = v128.load(w, 48);
    value = v128.load32_splat(x, 4);
    sum00 = f32x4.add(sum00, f32x4.mul(value, weights0));
    sum01 = f32x4.add(sum01, f32x4.mul(value, weights1));
    value = v128.load32_splat(x1, 4);
    sum10 = f32x4.add(sum10, f32x4.mul(value, weights0));
    sum11 = f32x4.add(sum11, f32x4.mul(value, weights1));
    x += 8;
    x1 += 8;
    w += 64;
  }
  while (x < end) {
    let weights0 = v128.load(w);
    let weights1 = v128.load(w, 16);
    let value = v128.load32_splat(x);
    sum00 = f32x4.add(sum00, f32x4.mul(value, weights0));
    sum01 = f32x4.add(sum01, f32x4.mul(value, weights1));
    value = v128.load32_splat(x1);
    sum10 = f32x4.add(sum10, f32x4.mul(value, weights0));
    sum11 = f32x4.add(sum11, f32x4.mul(value, weights1));
    x += 4;
    x1 += 4;
    w += 32;
  }
  storeColumns(out, sum00, sum01, columns);
  storeColumns(out + outStride, sum10, sum11, columns);
}

/** One row, four panels. */
export function tile1x32(out: usize, outStride: usize, x: usize, xStride: usize, w: usize, k: i32, columns: i32, panelBytes: usize): void {
  const zero = f32x4.splat(0);
  let sum00 = zero;
  let sum01 = zero;
  let sum02 = zero;
  let sum03 = zero;
  let sum04 = zero;
  let sum05 = zero;
  let sum06 = zero;
  let sum07 = zero;
  let w1 = w + panelBytes;
  let w2 = w + 2 * panelBytes;
  let w3 = w + 3 * panelBytes;
  const unrolledEnd = x + (<usize>(k & -2) << 2);
  const end = x + (<usize>k << 2);
  while (x < unrolledEnd) {
    let weights0 = v128.load(w);
    let weights1 = v128.load(w, 16);
    let weights2 = v128.load(w1);
    let weights3 = v128.load(w1, 16);
    let weights4 = v128.load(w2);
    let weights5 = v128.load(w2, 16);
    let weights6 = v128.load(w3);
    let weights7 = v128.load(w3, 16);
    let value = v128.load32_splat(x);
    sum00 = f32x4.add(sum00, f32x4.mul(value, weights0));
    sum01 = f32x4.add(sum01, f32x4.mul(value, weights1));
    sum02 = f32x4.add(sum02, f32x4.mul(value, weights2));
    sum03 = f32x4.add(sum03, f32x4.mul(value, weights3));
    sum04 = f32x4.add(sum04, f32x4.mul(value, weights4));
    sum05 = f32x4.add(sum05, f32x4.mul(value, weights5));
    sum06 = f32x4.add(sum06, f32x4.mul(value, weights6));
    sum07 = f32x4.add(sum07, f32x4.mul(value, weights7));
    weights0 = v128.load(w, 32);
    weights1 = v128.load(w, 48);
    weights2 = v128.load(w1, 32);
    weights3 = v128.load(w1, 48);
    weights4 = v128.load(w2, 32);
    weights5 = v128.load(w2, 48);
    weights6 = v128.load(w3, 32);
    weights7 = v128.load(w3, 48);
    value = v128.load32_splat(x, 4);
    sum00 = f32x4.add(sum00, f32x4.mul(value, weights0));
    sum01 = f32x4.add(sum01, f32x4.mul(value, weights1));
    sum02 = f32x4.add(sum02, f32x4.mul(value, weights2));
    sum03 = f32x4.add(sum03, f32x4.mul(value, weights3));
    sum04 = f32x4.add(sum04, f32x4.mul(value, weights4));
    sum05 = f32x4.add(sum05, f32x4.mul(value, weights5));
    sum06 = f32x4.add(sum06, f32x4.mul(value, weights6));
    sum07 = f32x4.add(sum07, f32x4.mul(value, weights7));
    x += 8;
    w += 64;
    w1 += 64;
    w2 += 64;
    w3 += 64;
  }
  while (x < end) {
    let weights0 = v128.load(w);
    let weights1 = v128.load(w, 16);
    let weights2 = v128.load(w1);
    let weights3 = v128.load(w1, 16);
    let weights4 = v128.load(w2);
    let weights5 = v128.load(w2, 16);
    let weights6 = v128.load(w3);
    let weights7 = v128.load(w3, 16);
    let value = v128.load32_splat(x);
    sum00 = f32x4.add(sum00, f32x4.mul(value, weights0));
    sum01 = f32x4.add(sum01, f32x4.mul(value, weights1));
    sum02 = f32x4.add(sum02, f32x4.mul(value, weights2));
    sum03 = f32x4.add(sum03, f32x4.mul(value, weights3));
    sum04 = f32x4.add(sum04, f32x4.mul(value, weights4));
    sum05 = f32x4.add(sum05, f32x4.mul(value, weights5));
    sum06 = f32x4.add(sum06, f32x4.mul(value, weights6));
    sum07 = f32x4.add(sum07, f32x4.mul(value, weights7));
    x += 4;
    w += 32;
    w1 += 32;
    w2 += 32;
    w3 += 32;
  }
  storeColumns(out, sum00, sum01, 8);
  storeColumns(out + 32, sum02, sum03, 8);
  storeColumns(out + 64, sum04, sum05, 8);
  storeColumns(out + 96, sum06, sum07, columns);
}

/** One row, one panel. */
export function tile1x8(out: usize, outStride: usize, x: usize, xStride: usize, w: usize, k: i32, columns: i32): void {
  const zero = f32x4.splat(0);
  let sum00 = zero;
  let sum01 = zero;
  const unrolledEnd = x + (<usize>(k & -4) << 2);
  const end = x + (<usize>k << 2);
  while (x < unrolledEnd) {
    let weights0 = v128.load(w);
    let weights1 = v128.load(w, 16);
    let value = v128.load32_splat(x);
    sum00 = f32x4.add(sum00, f32x4.mul(value, weights0));
    sum01 = f32x4.add(sum01, f32x4.mul(value, weights1));
    weights0 = v128.load(w, 32);
    weights1 = v128.load(w, 48);
    value = v128.load32_splat(x, 4);
    sum00 = f32x4.add(sum00, f32x4.mul(value, weights0));
    sum01 = f32x4.add(sum01, f32x4.mul(value, weights1));
    weights0 = v128.load(w, 64);
    weights1 = v128.load(w, 80);
    value = v128.load32_splat(x, 8);
    sum00 = f32x4.add(sum00, f32x4.mul(value, weights0));
    sum01 = f32x4.add(sum01, f32x4.mul(value, weights1));
    weights0 = v128.load(w, 96);
    weights1 = v128.load(w, 112);
    value = v128.load32_splat(x, 12);
    sum00 = f32x4.add(sum00, f32x4.mul(value, weights0));
    sum01 = f32x4.add(sum01, f32x4.mul(value, weights1));
    x += 16;
    w += 128;
  }
  while (x < end) {
    let weights0 = v128.load(w);
    let weights1 = v128.load(w, 16);
    let value = v128.load32_splat(x);
    sum00 = f32x4.add(sum00, f32x4.mul(value, weights0));
    sum01 = f32x4.add(sum01, f32x4.mul(value, weights1));
    x += 4;
    w += 32;
  }
  storeColumns(out, sum00, sum01, columns);
}
