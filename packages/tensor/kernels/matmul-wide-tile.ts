// The widest tile of the matrix product: four rows of x times one panel of packed weights, eight sums in registers.
// Every output has one accumulator and adds k = 0, 1, 2 … in turn. Strides are in bytes.
// Unrolled eight times by hand, in the order in which registers are free. Measured on a core shared with others:
// 6 % faster than four times, as fast as sixteen. Binaryen's level 3 would group the steps by sum; registers then
// spill, which costs another 10 %.

import { storeColumns } from "./lanes";

/** A line of the cache: what eight steps of a tile touch ahead. */
export const TOUCHED_BYTES: usize = 64;

/**
 * Four rows, one panel, of which `columns` (1 to 8) columns exist. Meanwhile touches ⌊k / 8⌋ lines of 64 bytes from
 * `ahead` on, so that they are in the cache when their turn comes; a load may trap, so no compiler leaves it out.
 */
export function tile4x8(
  out: usize,
  outStride: usize,
  x: usize,
  xStride: usize,
  w: usize,
  k: i32,
  columns: i32,
  ahead: usize,
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
  let x1 = x + xStride;
  let x2 = x + 2 * xStride;
  let x3 = x + 3 * xStride;
  const unrolledEnd = x + (<usize>(k & -8) << 2);
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
    value = v128.load32_splat(x3);
    sum30 = f32x4.add(sum30, f32x4.mul(value, weights0));
    sum31 = f32x4.add(sum31, f32x4.mul(value, weights1));
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
    value = v128.load32_splat(x3, 4);
    sum30 = f32x4.add(sum30, f32x4.mul(value, weights0));
    sum31 = f32x4.add(sum31, f32x4.mul(value, weights1));
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
    value = v128.load32_splat(x3, 8);
    sum30 = f32x4.add(sum30, f32x4.mul(value, weights0));
    sum31 = f32x4.add(sum31, f32x4.mul(value, weights1));
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
    value = v128.load32_splat(x3, 12);
    sum30 = f32x4.add(sum30, f32x4.mul(value, weights0));
    sum31 = f32x4.add(sum31, f32x4.mul(value, weights1));
    weights0 = v128.load(w, 128);
    weights1 = v128.load(w, 144);
    value = v128.load32_splat(x, 16);
    sum00 = f32x4.add(sum00, f32x4.mul(value, weights0));
    sum01 = f32x4.add(sum01, f32x4.mul(value, weights1));
    value = v128.load32_splat(x1, 16);
    sum10 = f32x4.add(sum10, f32x4.mul(value, weights0));
    sum11 = f32x4.add(sum11, f32x4.mul(value, weights1));
    value = v128.load32_splat(x2, 16);
    sum20 = f32x4.add(sum20, f32x4.mul(value, weights0));
    sum21 = f32x4.add(sum21, f32x4.mul(value, weights1));
    value = v128.load32_splat(x3, 16);
    sum30 = f32x4.add(sum30, f32x4.mul(value, weights0));
    sum31 = f32x4.add(sum31, f32x4.mul(value, weights1));
    weights0 = v128.load(w, 160);
    weights1 = v128.load(w, 176);
    value = v128.load32_splat(x, 20);
    sum00 = f32x4.add(sum00, f32x4.mul(value, weights0));
    sum01 = f32x4.add(sum01, f32x4.mul(value, weights1));
    value = v128.load32_splat(x1, 20);
    sum10 = f32x4.add(sum10, f32x4.mul(value, weights0));
    sum11 = f32x4.add(sum11, f32x4.mul(value, weights1));
    value = v128.load32_splat(x2, 20);
    sum20 = f32x4.add(sum20, f32x4.mul(value, weights0));
    sum21 = f32x4.add(sum21, f32x4.mul(value, weights1));
    value = v128.load32_splat(x3, 20);
    sum30 = f32x4.add(sum30, f32x4.mul(value, weights0));
    sum31 = f32x4.add(sum31, f32x4.mul(value, weights1));
    weights0 = v128.load(w, 192);
    weights1 = v128.load(w, 208);
    value = v128.load32_splat(x, 24);
    sum00 = f32x4.add(sum00, f32x4.mul(value, weights0));
    sum01 = f32x4.add(sum01, f32x4.mul(value, weights1));
    value = v128.load32_splat(x1, 24);
    sum10 = f32x4.add(sum10, f32x4.mul(value, weights0));
    sum11 = f32x4.add(sum11, f32x4.mul(value, weights1));
    value = v128.load32_splat(x2, 24);
    sum20 = f32x4.add(sum20, f32x4.mul(value, weights0));
    sum21 = f32x4.add(sum21, f32x4.mul(value, weights1));
    value = v128.load32_splat(x3, 24);
    sum30 = f32x4.add(sum30, f32x4.mul(value, weights0));
    sum31 = f32x4.add(sum31, f32x4.mul(value, weights1));
    weights0 = v128.load(w, 224);
    weights1 = v128.load(w, 240);
    value = v128.load32_splat(x, 28);
    sum00 = f32x4.add(sum00, f32x4.mul(value, weights0));
    sum01 = f32x4.add(sum01, f32x4.mul(value, weights1));
    value = v128.load32_splat(x1, 28);
    sum10 = f32x4.add(sum10, f32x4.mul(value, weights0));
    sum11 = f32x4.add(sum11, f32x4.mul(value, weights1));
    value = v128.load32_splat(x2, 28);
    sum20 = f32x4.add(sum20, f32x4.mul(value, weights0));
    sum21 = f32x4.add(sum21, f32x4.mul(value, weights1));
    value = v128.load32_splat(x3, 28);
    sum30 = f32x4.add(sum30, f32x4.mul(value, weights0));
    sum31 = f32x4.add(sum31, f32x4.mul(value, weights1));
    load<i32>(ahead);
    ahead += TOUCHED_BYTES;
    x += 32;
    x1 += 32;
    x2 += 32;
    x3 += 32;
    w += 256;
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
    value = v128.load32_splat(x3);
    sum30 = f32x4.add(sum30, f32x4.mul(value, weights0));
    sum31 = f32x4.add(sum31, f32x4.mul(value, weights1));
    x += 4;
    x1 += 4;
    x2 += 4;
    x3 += 4;
    w += 32;
  }
  storeColumns(out, sum00, sum01, columns);
  storeColumns(out + outStride, sum10, sum11, columns);
  storeColumns(out + 2 * outStride, sum20, sum21, columns);
  storeColumns(out + 3 * outStride, sum30, sum31, columns);
}
