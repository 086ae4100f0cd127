// The tile for the last rows of an odd number: three rows over a panel of twenty columns, of which nine sums of twelve
// columns and six of eight take turns, because fifteen sums leave no register for anything else. One pass over the panel
// reads weights from far away once for all three rows. Every output has one accumulator and adds k = 0, 1, 2 … in turn.
// Strides are in bytes.

import { storeColumns, storeTwelve } from "./outputs";

/** Three rows, twenty columns. */
export function tile3x20(
  out: usize,
  outStride: usize,
  x: usize,
  xStride: usize,
  w: usize,
  k: i32,
  isProduct: bool,
): void {
  firstTwelve(out, outStride, x, xStride, w, k, isProduct);
  lastEight(out + 48, outStride, x, xStride, w + 48, k, isProduct);
}

function firstTwelve(
  out: usize,
  outStride: usize,
  x0: usize,
  xStride: usize,
  w: usize,
  k: i32,
  isProduct: bool,
): void {
  const zero = f32x4.splat(0);
  let sum00 = zero;
  let sum01 = zero;
  let sum02 = zero;
  let sum10 = zero;
  let sum11 = zero;
  let sum12 = zero;
  let sum20 = zero;
  let sum21 = zero;
  let sum22 = zero;
  let x1 = x0 + xStride;
  let x2 = x1 + xStride;
  const unrolledEnd = x0 + (<usize>(k & -8) << 2);
  const end = x0 + (<usize>k << 2);
  while (x0 < unrolledEnd) {
    let weights0 = v128.load(w);
    let weights1 = v128.load(w, 16);
    let weights2 = v128.load(w, 32);
    let value = v128.load32_splat(x0);
    sum00 = f32x4.add(sum00, f32x4.mul(value, weights0));
    sum01 = f32x4.add(sum01, f32x4.mul(value, weights1));
    sum02 = f32x4.add(sum02, f32x4.mul(value, weights2));
    value = v128.load32_splat(x1);
    sum10 = f32x4.add(sum10, f32x4.mul(value, weights0));
    sum11 = f32x4.add(sum11, f32x4.mul(value, weights1));
    sum12 = f32x4.add(sum12, f32x4.mul(value, weights2));
    value = v128.load32_splat(x2);
    sum20 = f32x4.add(sum20, f32x4.mul(value, weights0));
    sum21 = f32x4.add(sum21, f32x4.mul(value, weights1));
    sum22 = f32x4.add(sum22, f32x4.mul(value, weights2));
    weights0 = v128.load(w, 80);
    weights1 = v128.load(w, 96);
    weights2 = v128.load(w, 112);
    value = v128.load32_splat(x0, 4);
    sum00 = f32x4.add(sum00, f32x4.mul(value, weights0));
    sum01 = f32x4.add(sum01, f32x4.mul(value, weights1));
    sum02 = f32x4.add(sum02, f32x4.mul(value, weights2));
    value = v128.load32_splat(x1, 4);
    sum10 = f32x4.add(sum10, f32x4.mul(value, weights0));
    sum11 = f32x4.add(sum11, f32x4.mul(value, weights1));
    sum12 = f32x4.add(sum12, f32x4.mul(value, weights2));
    value = v128.load32_splat(x2, 4);
    sum20 = f32x4.add(sum20, f32x4.mul(value, weights0));
    sum21 = f32x4.add(sum21, f32x4.mul(value, weights1));
    sum22 = f32x4.add(sum22, f32x4.mul(value, weights2));
    weights0 = v128.load(w, 160);
    weights1 = v128.load(w, 176);
    weights2 = v128.load(w, 192);
    value = v128.load32_splat(x0, 8);
    sum00 = f32x4.add(sum00, f32x4.mul(value, weights0));
    sum01 = f32x4.add(sum01, f32x4.mul(value, weights1));
    sum02 = f32x4.add(sum02, f32x4.mul(value, weights2));
    value = v128.load32_splat(x1, 8);
    sum10 = f32x4.add(sum10, f32x4.mul(value, weights0));
    sum11 = f32x4.add(sum11, f32x4.mul(value, weights1));
    sum12 = f32x4.add(sum12, f32x4.mul(value, weights2));
    value = v128.load32_splat(x2, 8);
    sum20 = f32x4.add(sum20, f32x4.mul(value, weights0));
    sum21 = f32x4.add(sum21, f32x4.mul(value, weights1));
    sum22 = f32x4.add(sum22, f32x4.mul(value, weights2));
    weights0 = v128.load(w, 240);
    weights1 = v128.load(w, 256);
    weights2 = v128.load(w, 272);
    value = v128.load32_splat(x0, 12);
    sum00 = f32x4.add(sum00, f32x4.mul(value, weights0));
    sum01 = f32x4.add(sum01, f32x4.mul(value, weights1));
    sum02 = f32x4.add(sum02, f32x4.mul(value, weights2));
    value = v128.load32_splat(x1, 12);
    sum10 = f32x4.add(sum10, f32x4.mul(value, weights0));
    sum11 = f32x4.add(sum11, f32x4.mul(value, weights1));
    sum12 = f32x4.add(sum12, f32x4.mul(value, weights2));
    value = v128.load32_splat(x2, 12);
    sum20 = f32x4.add(sum20, f32x4.mul(value, weights0));
    sum21 = f32x4.add(sum21, f32x4.mul(value, weights1));
    sum22 = f32x4.add(sum22, f32x4.mul(value, weights2));
    weights0 = v128.load(w, 320);
    weights1 = v128.load(w, 336);
    weights2 = v128.load(w, 352);
    value = v128.load32_splat(x0, 16);
    sum00 = f32x4.add(sum00, f32x4.mul(value, weights0));
    sum01 = f32x4.add(sum01, f32x4.mul(value, weights1));
    sum02 = f32x4.add(sum02, f32x4.mul(value, weights2));
    value = v128.load32_splat(x1, 16);
    sum10 = f32x4.add(sum10, f32x4.mul(value, weights0));
    sum11 = f32x4.add(sum11, f32x4.mul(value, weights1));
    sum12 = f32x4.add(sum12, f32x4.mul(value, weights2));
    value = v128.load32_splat(x2, 16);
    sum20 = f32x4.add(sum20, f32x4.mul(value, weights0));
    sum21 = f32x4.add(sum21, f32x4.mul(value, weights1));
    sum22 = f32x4.add(sum22, f32x4.mul(value, weights2));
    weights0 = v128.load(w, 400);
    weights1 = v128.load(w, 416);
    weights2 = v128.load(w, 432);
    value = v128.load32_splat(x0, 20);
    sum00 = f32x4.add(sum00, f32x4.mul(value, weights0));
    sum01 = f32x4.add(sum01, f32x4.mul(value, weights1));
    sum02 = f32x4.add(sum02, f32x4.mul(value, weights2));
    value = v128.load32_splat(x1, 20);
    sum10 = f32x4.add(sum10, f32x4.mul(value, weights0));
    sum11 = f32x4.add(sum11, f32x4.mul(value, weights1));
    sum12 = f32x4.add(sum12, f32x4.mul(value, weights2));
    value = v128.load32_splat(x2, 20);
    sum20 = f32x4.add(sum20, f32x4.mul(value, weights0));
    sum21 = f32x4.add(sum21, f32x4.mul(value, weights1));
    sum22 = f32x4.add(sum22, f32x4.mul(value, weights2));
    weights0 = v128.load(w, 480);
    weights1 = v128.load(w, 496);
    weights2 = v128.load(w, 512);
    value = v128.load32_splat(x0, 24);
    sum00 = f32x4.add(sum00, f32x4.mul(value, weights0));
    sum01 = f32x4.add(sum01, f32x4.mul(value, weights1));
    sum02 = f32x4.add(sum02, f32x4.mul(value, weights2));
    value = v128.load32_splat(x1, 24);
    sum10 = f32x4.add(sum10, f32x4.mul(value, weights0));
    sum11 = f32x4.add(sum11, f32x4.mul(value, weights1));
    sum12 = f32x4.add(sum12, f32x4.mul(value, weights2));
    value = v128.load32_splat(x2, 24);
    sum20 = f32x4.add(sum20, f32x4.mul(value, weights0));
    sum21 = f32x4.add(sum21, f32x4.mul(value, weights1));
    sum22 = f32x4.add(sum22, f32x4.mul(value, weights2));
    weights0 = v128.load(w, 560);
    weights1 = v128.load(w, 576);
    weights2 = v128.load(w, 592);
    value = v128.load32_splat(x0, 28);
    sum00 = f32x4.add(sum00, f32x4.mul(value, weights0));
    sum01 = f32x4.add(sum01, f32x4.mul(value, weights1));
    sum02 = f32x4.add(sum02, f32x4.mul(value, weights2));
    value = v128.load32_splat(x1, 28);
    sum10 = f32x4.add(sum10, f32x4.mul(value, weights0));
    sum11 = f32x4.add(sum11, f32x4.mul(value, weights1));
    sum12 = f32x4.add(sum12, f32x4.mul(value, weights2));
    value = v128.load32_splat(x2, 28);
    sum20 = f32x4.add(sum20, f32x4.mul(value, weights0));
    sum21 = f32x4.add(sum21, f32x4.mul(value, weights1));
    sum22 = f32x4.add(sum22, f32x4.mul(value, weights2));
    x0 += 32;
    x1 += 32;
    x2 += 32;
    w += 640;
  }
  while (x0 < end) {
    let weights0 = v128.load(w);
    let weights1 = v128.load(w, 16);
    let weights2 = v128.load(w, 32);
    let value = v128.load32_splat(x0);
    sum00 = f32x4.add(sum00, f32x4.mul(value, weights0));
    sum01 = f32x4.add(sum01, f32x4.mul(value, weights1));
    sum02 = f32x4.add(sum02, f32x4.mul(value, weights2));
    value = v128.load32_splat(x1);
    sum10 = f32x4.add(sum10, f32x4.mul(value, weights0));
    sum11 = f32x4.add(sum11, f32x4.mul(value, weights1));
    sum12 = f32x4.add(sum12, f32x4.mul(value, weights2));
    value = v128.load32_splat(x2);
    sum20 = f32x4.add(sum20, f32x4.mul(value, weights0));
    sum21 = f32x4.add(sum21, f32x4.mul(value, weights1));
    sum22 = f32x4.add(sum22, f32x4.mul(value, weights2));
    x0 += 4;
    x1 += 4;
    x2 += 4;
    w += 80;
  }
  storeTwelve(out, sum00, sum01, sum02, isProduct);
  out += outStride;
  storeTwelve(out, sum10, sum11, sum12, isProduct);
  out += outStride;
  storeTwelve(out, sum20, sum21, sum22, isProduct);
}

function lastEight(
  out: usize,
  outStride: usize,
  x0: usize,
  xStride: usize,
  w: usize,
  k: i32,
  isProduct: bool,
): void {
  const zero = f32x4.splat(0);
  let sum00 = zero;
  let sum01 = zero;
  let sum10 = zero;
  let sum11 = zero;
  let sum20 = zero;
  let sum21 = zero;
  let x1 = x0 + xStride;
  let x2 = x1 + xStride;
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
    weights0 = v128.load(w, 80);
    weights1 = v128.load(w, 96);
    value = v128.load32_splat(x0, 4);
    sum00 = f32x4.add(sum00, f32x4.mul(value, weights0));
    sum01 = f32x4.add(sum01, f32x4.mul(value, weights1));
    value = v128.load32_splat(x1, 4);
    sum10 = f32x4.add(sum10, f32x4.mul(value, weights0));
    sum11 = f32x4.add(sum11, f32x4.mul(value, weights1));
    value = v128.load32_splat(x2, 4);
    sum20 = f32x4.add(sum20, f32x4.mul(value, weights0));
    sum21 = f32x4.add(sum21, f32x4.mul(value, weights1));
    weights0 = v128.load(w, 160);
    weights1 = v128.load(w, 176);
    value = v128.load32_splat(x0, 8);
    sum00 = f32x4.add(sum00, f32x4.mul(value, weights0));
    sum01 = f32x4.add(sum01, f32x4.mul(value, weights1));
    value = v128.load32_splat(x1, 8);
    sum10 = f32x4.add(sum10, f32x4.mul(value, weights0));
    sum11 = f32x4.add(sum11, f32x4.mul(value, weights1));
    value = v128.load32_splat(x2, 8);
    sum20 = f32x4.add(sum20, f32x4.mul(value, weights0));
    sum21 = f32x4.add(sum21, f32x4.mul(value, weights1));
    weights0 = v128.load(w, 240);
    weights1 = v128.load(w, 256);
    value = v128.load32_splat(x0, 12);
    sum00 = f32x4.add(sum00, f32x4.mul(value, weights0));
    sum01 = f32x4.add(sum01, f32x4.mul(value, weights1));
    value = v128.load32_splat(x1, 12);
    sum10 = f32x4.add(sum10, f32x4.mul(value, weights0));
    sum11 = f32x4.add(sum11, f32x4.mul(value, weights1));
    value = v128.load32_splat(x2, 12);
    sum20 = f32x4.add(sum20, f32x4.mul(value, weights0));
    sum21 = f32x4.add(sum21, f32x4.mul(value, weights1));
    x0 += 16;
    x1 += 16;
    x2 += 16;
    w += 320;
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
    x0 += 4;
    x1 += 4;
    x2 += 4;
    w += 80;
  }
  storeColumns(out, sum00, sum01, 8, isProduct);
  out += outStride;
  storeColumns(out, sum10, sum11, 8, isProduct);
  out += outStride;
  storeColumns(out, sum20, sum21, 8, isProduct);
}
