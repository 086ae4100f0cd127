// out[i, j] = Σ_c a[i, c] · b[j, c]: one vector accumulator is the four-lane sum of one output. Tiles of 2 × 4
// outputs give eight independent sums. Strides are in bytes, depth in elements.

import { loadTail, sumOfLanes } from "./lanes";

/** The four outputs of four accumulators: a transposition, then (l0 + l1) + (l2 + l3) on all of them at once. */
// @ts-ignore: decorator
@inline
function sumsOfFour(a: v128, b: v128, c: v128, d: v128): v128 {
  const abLow = v128.shuffle<i32>(a, b, 0, 4, 1, 5);
  const abHigh = v128.shuffle<i32>(a, b, 2, 6, 3, 7);
  const cdLow = v128.shuffle<i32>(c, d, 0, 4, 1, 5);
  const cdHigh = v128.shuffle<i32>(c, d, 2, 6, 3, 7);
  const lane0 = v128.shuffle<i64>(abLow, cdLow, 0, 2);
  const lane1 = v128.shuffle<i64>(abLow, cdLow, 1, 3);
  const lane2 = v128.shuffle<i64>(abHigh, cdHigh, 0, 2);
  const lane3 = v128.shuffle<i64>(abHigh, cdHigh, 1, 3);
  return f32x4.add(f32x4.add(lane0, lane1), f32x4.add(lane2, lane3));
}

function tile2x4(out: usize, outStride: usize, a0: usize, aStride: usize, b0: usize, bStride: usize, depth: i32): void {
  const zero = f32x4.splat(0);
  let sum00 = zero;
  let sum01 = zero;
  let sum02 = zero;
  let sum03 = zero;
  let sum10 = zero;
  let sum11 = zero;
  let sum12 = zero;
  let sum13 = zero;
  let a1 = a0 + aStride;
  let b1 = b0 + bStride;
  let b2 = b1 + bStride;
  let b3 = b2 + bStride;
  // Unrolled four times by hand, so that six pointers advance once in 64 multiplications and additions.
  const unrolledEnd = a0 + (<usize>(depth & -16) << 2);
  const end = a0 + (<usize>(depth & -4) << 2);
  while (a0 < unrolledEnd) {
    let x0 = v128.load(a0);
    let x1 = v128.load(a1);
    let y = v128.load(b0);
    sum00 = f32x4.add(sum00, f32x4.mul(x0, y));
    sum10 = f32x4.add(sum10, f32x4.mul(x1, y));
    y = v128.load(b1);
    sum01 = f32x4.add(sum01, f32x4.mul(x0, y));
    sum11 = f32x4.add(sum11, f32x4.mul(x1, y));
    y = v128.load(b2);
    sum02 = f32x4.add(sum02, f32x4.mul(x0, y));
    sum12 = f32x4.add(sum12, f32x4.mul(x1, y));
    y = v128.load(b3);
    sum03 = f32x4.add(sum03, f32x4.mul(x0, y));
    sum13 = f32x4.add(sum13, f32x4.mul(x1, y));
    x0 = v128.load(a0, 16);
    x1 = v128.load(a1, 16);
    y = v128.load(b0, 16);
    sum00 = f32x4.add(sum00, f32x4.mul(x0, y));
    sum10 = f32x4.add(sum10, f32x4.mul(x1, y));
    y = v128.load(b1, 16);
    sum01 = f32x4.add(sum01, f32x4.mul(x0, y));
    sum11 = f32x4.add(sum11, f32x4.mul(x1, y));
    y = v128.load(b2, 16);
    sum02 = f32x4.add(sum02, f32x4.mul(x0, y));
    sum12 = f32x4.add(sum12, f32x4.mul(x1, y));
    y = v128.load(b3, 16);
    sum03 = f32x4.add(sum03, f32x4.mul(x0, y));
    sum13 = f32x4.add(sum13, f32x4.mul(x1, y));
    x0 = v128.load(a0, 32);
    x1 = v128.load(a1, 32);
    y = v128.load(b0, 32);
    sum00 = f32x4.add(sum00, f32x4.mul(x0, y));
    sum10 = f32x4.add(sum10, f32x4.mul(x1, y));
    y = v128.load(b1, 32);
    sum01 = f32x4.add(sum01, f32x4.mul(x0, y));
    sum11 = f32x4.add(sum11, f32x4.mul(x1, y));
    y = v128.load(b2, 32);
    sum02 = f32x4.add(sum02, f32x4.mul(x0, y));
    sum12 = f32x4.add(sum12, f32x4.mul(x1, y));
    y = v128.load(b3, 32);
    sum03 = f32x4.add(sum03, f32x4.mul(x0, y));
    sum13 = f32x4.add(sum13, f32x4.mul(x1, y));
    x0 = v128.load(a0, 48);
    x1 = v128.load(a1, 48);
    y = v128.load(b0, 48);
    sum00 = f32x4.add(sum00, f32x4.mul(x0, y));
    sum10 = f32x4.add(sum10, f32x4.mul(x1, y));
    y = v128.load(b1, 48);
    sum01 = f32x4.add(sum01, f32x4.mul(x0, y));
    sum11 = f32x4.add(sum11, f32x4.mul(x1, y));
    y = v128.load(b2, 48);
    sum02 = f32x4.add(sum02, f32x4.mul(x0, y));
    sum12 = f32x4.add(sum12, f32x4.mul(x1, y));
    y = v128.load(b3, 48);
    sum03 = f32x4.add(sum03, f32x4.mul(x0, y));
    sum13 = f32x4.add(sum13, f32x4.mul(x1, y));
    a0 += 64;
    a1 += 64;
    b0 += 64;
    b1 += 64;
    b2 += 64;
    b3 += 64;
  }
  while (a0 < end) {
    let x0 = v128.load(a0);
    let x1 = v128.load(a1);
    let y = v128.load(b0);
    sum00 = f32x4.add(sum00, f32x4.mul(x0, y));
    sum10 = f32x4.add(sum10, f32x4.mul(x1, y));
    y = v128.load(b1);
    sum01 = f32x4.add(sum01, f32x4.mul(x0, y));
    sum11 = f32x4.add(sum11, f32x4.mul(x1, y));
    y = v128.load(b2);
    sum02 = f32x4.add(sum02, f32x4.mul(x0, y));
    sum12 = f32x4.add(sum12, f32x4.mul(x1, y));
    y = v128.load(b3);
    sum03 = f32x4.add(sum03, f32x4.mul(x0, y));
    sum13 = f32x4.add(sum13, f32x4.mul(x1, y));
    a0 += 16;
    a1 += 16;
    b0 += 16;
    b1 += 16;
    b2 += 16;
    b3 += 16;
  }
  const rest = depth & 3;
  if (rest > 0) {
    const x0 = loadTail(a0, rest);
    const x1 = loadTail(a1, rest);
    const y0 = loadTail(b0, rest);
    const y1 = loadTail(b1, rest);
    const y2 = loadTail(b2, rest);
    const y3 = loadTail(b3, rest);
    sum00 = f32x4.add(sum00, f32x4.mul(x0, y0));
    sum01 = f32x4.add(sum01, f32x4.mul(x0, y1));
    sum02 = f32x4.add(sum02, f32x4.mul(x0, y2));
    sum03 = f32x4.add(sum03, f32x4.mul(x0, y3));
    sum10 = f32x4.add(sum10, f32x4.mul(x1, y0));
    sum11 = f32x4.add(sum11, f32x4.mul(x1, y1));
    sum12 = f32x4.add(sum12, f32x4.mul(x1, y2));
    sum13 = f32x4.add(sum13, f32x4.mul(x1, y3));
  }
  v128.store(out, sumsOfFour(sum00, sum01, sum02, sum03));
  v128.store(out + outStride, sumsOfFour(sum10, sum11, sum12, sum13));
}

function tile1x4(out: usize, a: usize, b0: usize, bStride: usize, depth: i32): void {
  const zero = f32x4.splat(0);
  let sum0 = zero;
  let sum1 = zero;
  let sum2 = zero;
  let sum3 = zero;
  let b1 = b0 + bStride;
  let b2 = b1 + bStride;
  let b3 = b2 + bStride;
  const end = a + (<usize>(depth & -4) << 2);
  while (a < end) {
    const x = v128.load(a);
    sum0 = f32x4.add(sum0, f32x4.mul(x, v128.load(b0)));
    sum1 = f32x4.add(sum1, f32x4.mul(x, v128.load(b1)));
    sum2 = f32x4.add(sum2, f32x4.mul(x, v128.load(b2)));
    sum3 = f32x4.add(sum3, f32x4.mul(x, v128.load(b3)));
    a += 16;
    b0 += 16;
    b1 += 16;
    b2 += 16;
    b3 += 16;
  }
  const rest = depth & 3;
  if (rest > 0) {
    const x = loadTail(a, rest);
    sum0 = f32x4.add(sum0, f32x4.mul(x, loadTail(b0, rest)));
    sum1 = f32x4.add(sum1, f32x4.mul(x, loadTail(b1, rest)));
    sum2 = f32x4.add(sum2, f32x4.mul(x, loadTail(b2, rest)));
    sum3 = f32x4.add(sum3, f32x4.mul(x, loadTail(b3, rest)));
  }
  v128.store(out, sumsOfFour(sum0, sum1, sum2, sum3));
}

function tile1x1(out: usize, a: usize, b: usize, depth: i32): void {
  let sum = f32x4.splat(0);
  const end = a + (<usize>(depth & -4) << 2);
  for (; a < end; a += 16, b += 16) sum = f32x4.add(sum, f32x4.mul(v128.load(a), v128.load(b)));
  const rest = depth & 3;
  if (rest > 0) sum = f32x4.add(sum, f32x4.mul(loadTail(a, rest), loadTail(b, rest)));
  store<f32>(out, sumOfLanes(sum));
}

/** out is [aRows, bRows]. Four rows of b stay in the cache while all rows of a pass over them. */
export function dotRows(
  out: usize,
  a: usize,
  aStride: usize,
  aRows: i32,
  b: usize,
  bStride: usize,
  bRows: i32,
  depth: i32,
): void {
  const outStride = <usize>bRows << 2;
  let column = 0;
  for (; column + 4 <= bRows; column += 4) {
    let tile = out + (<usize>column << 2);
    let aRow = a;
    let row = 0;
    for (; row + 2 <= aRows; row += 2) {
      tile2x4(tile, outStride, aRow, aStride, b, bStride, depth);
      tile += outStride << 1;
      aRow += aStride << 1;
    }
    if (row < aRows) tile1x4(tile, aRow, b, bStride, depth);
    b += bStride << 2;
  }
  for (; column < bRows; column++) {
    for (let row = 0; row < aRows; row++) {
      tile1x1(out + <usize>row * outStride + (<usize>column << 2), a + <usize>row * aStride, b, depth);
    }
    b += bStride;
  }
}
