// Where the sums of a tile go: as they are, or times what stands there already.

import { loadTail, storeTail } from "./lanes";

/** Twenty outputs of a row. */
// @ts-ignore: decorator
@inline
export function storeWide(
  out: usize,
  sum0: v128,
  sum1: v128,
  sum2: v128,
  sum3: v128,
  sum4: v128,
  isProduct: bool,
): void {
  if (isProduct) {
    sum0 = f32x4.mul(v128.load(out), sum0);
    sum1 = f32x4.mul(v128.load(out, 16), sum1);
    sum2 = f32x4.mul(v128.load(out, 32), sum2);
    sum3 = f32x4.mul(v128.load(out, 48), sum3);
    sum4 = f32x4.mul(v128.load(out, 64), sum4);
  }
  v128.store(out, sum0);
  v128.store(out, sum1, 16);
  v128.store(out, sum2, 32);
  v128.store(out, sum3, 48);
  v128.store(out, sum4, 64);
}

/** The first twelve of them. */
// @ts-ignore: decorator
@inline
export function storeTwelve(out: usize, sum0: v128, sum1: v128, sum2: v128, isProduct: bool): void {
  if (isProduct) {
    sum0 = f32x4.mul(v128.load(out), sum0);
    sum1 = f32x4.mul(v128.load(out, 16), sum1);
    sum2 = f32x4.mul(v128.load(out, 32), sum2);
  }
  v128.store(out, sum0);
  v128.store(out, sum1, 16);
  v128.store(out, sum2, 32);
}

/** Eight outputs of a row, of which only the first `columns` (1 to 8) exist. */
// @ts-ignore: decorator
@inline
export function storeColumns(out: usize, low: v128, high: v128, columns: i32, isProduct: bool): void {
  storeUpToFour(out, low, min(columns, 4), isProduct);
  if (columns > 4) storeUpToFour(out + 16, high, columns - 4, isProduct);
}

function storeUpToFour(out: usize, sums: v128, count: i32, isProduct: bool): void {
  if (count == 4) v128.store(out, isProduct ? f32x4.mul(v128.load(out), sums) : sums);
  else storeTail(out, isProduct ? f32x4.mul(loadTail(out, count), sums) : sums, count);
}
