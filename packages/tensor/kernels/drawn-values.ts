// Values that a seed gives, written straight into a packed matrix: the arithmetic of mix32 in packages/base and of
// packages/model/src/drawn-weights.ts, four values at a time. Value i of the row-major matrix comes from the state
// offset + i · step. Panels as in src/packed-matrix.ts.

const WIDE_PANEL: i32 = 20;
const NARROW_PANEL: i32 = 8;

/** All n rows of k values, packed; the columns that fill up the last panel become +0. */
export function drawPacked(out: usize, n: i32, k: i32, offset: i32, step: i32, factor: f64): void {
  const wideEnd = n - (n % WIDE_PANEL);
  for (let column = 0; column < n; ) {
    const width = column < wideEnd ? WIDE_PANEL : NARROW_PANEL;
    for (let group = 0; group < width; group += 4) {
      const first = column + group;
      drawColumns(out + (<usize>group << 2), width << 2, n - first, k, offset + first * k * step, step, factor);
    }
    out += <usize>(width * k) << 2;
    column += width;
  }
}

/** Four columns of a panel, of which `columns` exist. `state` is that of the first value of the first one. */
function drawColumns(
  out: usize,
  stride: usize,
  columns: i32,
  k: i32,
  state: i32,
  step: i32,
  factor: f64,
): void {
  const lanes = i32x4(0, 1, 2, 3);
  const exists = i32x4.gt_s(i32x4.splat(columns), lanes);
  const factors = f64x2.splat(factor);
  const steps = i32x4.splat(step);
  let states = i32x4.add(i32x4.splat(state), i32x4.mul(lanes, i32x4.splat(k * step)));
  for (let i = 0; i < k; i++, out += stride) {
    v128.store(out, v128.and(exists, valuesOf(mixed(states), factors)));
    states = i32x4.add(states, steps);
  }
}

/** mix32 of each lane. */
// @ts-ignore: decorator
@inline
function mixed(x: v128): v128 {
  x = i32x4.mul(v128.xor(x, i32x4.shr_u(x, 16)), i32x4.splat(0x7feb352d));
  x = i32x4.mul(v128.xor(x, i32x4.shr_u(x, 15)), i32x4.splat(0x846ca68b));
  return v128.xor(x, i32x4.shr_u(x, 16));
}

/** Signed integers times the factor in 64 bits, rounded once to 32. */
// @ts-ignore: decorator
@inline
function valuesOf(integers: v128, factors: v128): v128 {
  const low = f64x2.mul(f64x2.convert_low_i32x4_s(integers), factors);
  const high = f64x2.mul(f64x2.convert_low_i32x4_s(v128.shuffle<i64>(integers, integers, 1, 1)), factors);
  return v128.shuffle<i64>(f32x4.demote_f64x2_zero(low), f32x4.demote_f64x2_zero(high), 0, 2);
}
