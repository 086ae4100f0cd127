// Tiles for what is left: a last row over a panel of twenty columns, and four, two or one rows over the panels of eight
// columns behind those of twenty. Every output has one accumulator and adds k = 0, 1, 2 … in turn, so each tile gives the
// same bits as any other. Strides are in bytes; `columns` (1 to 8) says how many columns of a panel of eight exist.

import { storeColumns, storeWide } from "./outputs";

/** One row, twenty columns. */
export function tile1x20(out: usize, x0: usize, w: usize, k: i32, isGated: bool): void {
  const zero = f32x4.splat(0);
  let sum00 = zero;
  let sum01 = zero;
  let sum02 = zero;
  let sum03 = zero;
  let sum04 = zero;
  const unrolledEnd = x0 + (<usize>(k & -8) << 2);
  const end = x0 + (<usize>k << 2);
  while (x0 < unrolledEnd) {
    let value0 = v128.load32_splat(x0);
    let weights = v128.load(w);
    sum00 = f32x4.add(sum00, f32x4.mul(value0, weights));
    weights = v128.load(w, 16);
    sum01 = f32x4.add(sum01, f32x4.mul(value0, weights));
    weights = v128.load(w, 32);
    sum02 = f32x4.add(sum02, f32x4.mul(value0, weights));
    weights = v128.load(w, 48);
    sum03 = f32x4.add(sum03, f32x4.mul(value0, weights));
    weights = v128.load(w, 64);
    sum04 = f32x4.add(sum04, f32x4.mul(value0, weights));
    value0 = v128.load32_splat(x0, 4);
    weights = v128.load(w, 80);
    sum00 = f32x4.add(sum00, f32x4.mul(value0, weights));
    weights = v128.load(w, 96);
    sum01 = f32x4.add(sum01, f32x4.mul(value0, weights));
    weights = v128.load(w, 112);
    sum02 = f32x4.add(sum02, f32x4.mul(value0, weights));
    weights = v128.load(w, 128);
    sum03 = f32x4.add(sum03, f32x4.mul(value0, weights));
    weights = v128.load(w, 144);
    sum04 = f32x4.add(sum04, f32x4.mul(value0, weights));
    value0 = v128.load32_splat(x0, 8);
    weights = v128.load(w, 160);
    sum00 = f32x4.add(sum00, f32x4.mul(value0, weights));
    weights = v128.load(w, 176);
    sum01 = f32x4.add(sum01, f32x4.mul(value0, weights));
    weights = v128.load(w, 192);
    sum02 = f32x4.add(sum02, f32x4.mul(value0, weights));
    weights = v128.load(w, 208);
    sum03 = f32x4.add(sum03, f32x4.mul(value0, weights));
    weights = v128.load(w, 224);
    sum04 = f32x4.add(sum04, f32x4.mul(value0, weights));
    value0 = v128.load32_splat(x0, 12);
    weights = v128.load(w, 240);
    sum00 = f32x4.add(sum00, f32x4.mul(value0, weights));
    weights = v128.load(w, 256);
    sum01 = f32x4.add(sum01, f32x4.mul(value0, weights));
    weights = v128.load(w, 272);
    sum02 = f32x4.add(sum02, f32x4.mul(value0, weights));
    weights = v128.load(w, 288);
    sum03 = f32x4.add(sum03, f32x4.mul(value0, weights));
    weights = v128.load(w, 304);
    sum04 = f32x4.add(sum04, f32x4.mul(value0, weights));
    value0 = v128.load32_splat(x0, 16);
    weights = v128.load(w, 320);
    sum00 = f32x4.add(sum00, f32x4.mul(value0, weights));
    weights = v128.load(w, 336);
    sum01 = f32x4.add(sum01, f32x4.mul(value0, weights));
    weights = v128.load(w, 352);
    sum02 = f32x4.add(sum02, f32x4.mul(value0, weights));
    weights = v128.load(w, 368);
    sum03 = f32x4.add(sum03, f32x4.mul(value0, weights));
    weights = v128.load(w, 384);
    sum04 = f32x4.add(sum04, f32x4.mul(value0, weights));
    value0 = v128.load32_splat(x0, 20);
    weights = v128.load(w, 400);
    sum00 = f32x4.add(sum00, f32x4.mul(value0, weights));
    weights = v128.load(w, 416);
    sum01 = f32x4.add(sum01, f32x4.mul(value0, weights));
    weights = v128.load(w, 432);
    sum02 = f32x4.add(sum02, f32x4.mul(value0, weights));
    weights = v128.load(w, 448);
    sum03 = f32x4.add(sum03, f32x4.mul(value0, weights));
    weights = v128.load(w, 464);
    sum04 = f32x4.add(sum04, f32x4.mul(value0, weights));
    value0 = v128.load32_splat(x0, 24);
    weights = v128.load(w, 480);
    sum00 = f32x4.add(sum00, f32x4.mul(value0, weights));
    weights = v128.load(w, 496);
    sum01 = f32x4.add(sum01, f32x4.mul(value0, weights));
    weights = v128.load(w, 512);
    sum02 = f32x4.add(sum02, f32x4.mul(value0, weights));
    weights = v128.load(w, 528);
    sum03 = f32x4.add(sum03, f32x4.mul(value0, weights));
    weights = v128.load(w, 544);
    sum04 = f32x4.add(sum04, f32x4.mul(value0, weights));
    value0 = v128.load32_splat(x0, 28);
    weights = v128.load(w, 560);
    sum00 = f32x4.add(sum00, f32x4.mul(value0, weights));
    weights = v128.load(w, 576);
    sum01 = f32x4.add(sum01, f32x4.mul(value0, weights));
    weights = v128.load(w, 592);
    sum02 = f32x4.add(sum02, f32x4.mul(value0, weights));
    weights = v128.load(w, 608);
    sum03 = f32x4.add(sum03, f32x4.mul(value0, weights));
    weights = v128.load(w, 624);
    sum04 = f32x4.add(sum04, f32x4.mul(value0, weights));
    x0 += 32;
    w += 640;
  }
  while (x0 < end) {
    let value0 = v128.load32_splat(x0);
    let weights = v128.load(w);
    sum00 = f32x4.add(sum00, f32x4.mul(value0, weights));
    weights = v128.load(w, 16);
    sum01 = f32x4.add(sum01, f32x4.mul(value0, weights));
    weights = v128.load(w, 32);
    sum02 = f32x4.add(sum02, f32x4.mul(value0, weights));
    weights = v128.load(w, 48);
    sum03 = f32x4.add(sum03, f32x4.mul(value0, weights));
    weights = v128.load(w, 64);
    sum04 = f32x4.add(sum04, f32x4.mul(value0, weights));
    x0 += 4;
    w += 80;
  }
  storeWide(out, sum00, sum01, sum02, sum03, sum04, isGated);
}

/** Four rows, eight columns. */
export function tile4x8(
  out: usize,
  outStride: usize,
  x0: usize,
  xStride: usize,
  w: usize,
  k: i32,
  columns: i32,
  isGated: bool,
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
  storeColumns(out, sum00, sum01, columns, isGated);
  out += outStride;
  storeColumns(out, sum10, sum11, columns, isGated);
  out += outStride;
  storeColumns(out, sum20, sum21, columns, isGated);
  out += outStride;
  storeColumns(out, sum30, sum31, columns, isGated);
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
  isGated: bool,
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
  storeColumns(out, sum00, sum01, columns, isGated);
  out += outStride;
  storeColumns(out, sum10, sum11, columns, isGated);
}

/** One row, eight columns. */
export function tile1x8(out: usize, x0: usize, w: usize, k: i32, columns: i32, isGated: bool): void {
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
  storeColumns(out, sum00, sum01, columns, isGated);
}
