// e^x on four lanes in 32-bit floats, the same operations in the same order as src/plain/exponential.ts:
// n = x · log2 e to the nearest integer, r = x − n · ln 2 in two parts, a polynomial of degree 7 (Cephes expf), times 2^n.
// Below −87 the result is 0, above 88 it stays at e^88; a NaN stays a NaN.

import {
  FLOAT_BIAS,
  LARGEST_EXPONENT,
  LN2_HIGH,
  LN2_LOW,
  LOG2_E,
  ONE,
  POLYNOMIAL,
  ROUNDING,
  SIGN,
  SMALLEST_EXPONENT,
} from "./constants";

// @ts-ignore: decorator
@inline
export function exponential(value: v128): v128 {
  // pmin(x, limit) is limit < x ? limit : x, one instruction; it keeps a NaN in x.
  const x = f32x4.pmin(value, v128.load(LARGEST_EXPONENT));
  const rounded = f32x4.add(f32x4.mul(x, v128.load(LOG2_E)), v128.load(ROUNDING));
  const n = f32x4.sub(rounded, v128.load(ROUNDING));
  const high = f32x4.sub(x, f32x4.mul(n, v128.load(LN2_HIGH)));
  const r = f32x4.sub(high, f32x4.mul(n, v128.load(LN2_LOW)));
  let p = f32x4.add(f32x4.mul(r, v128.load(POLYNOMIAL)), v128.load(POLYNOMIAL, 16));
  p = f32x4.add(f32x4.mul(p, r), v128.load(POLYNOMIAL, 32));
  p = f32x4.add(f32x4.mul(p, r), v128.load(POLYNOMIAL, 48));
  p = f32x4.add(f32x4.mul(p, r), v128.load(POLYNOMIAL, 64));
  p = f32x4.add(f32x4.mul(p, r), v128.load(POLYNOMIAL, 80));
  p = f32x4.add(f32x4.add(f32x4.mul(p, f32x4.mul(r, r)), r), v128.load(ONE));
  // The low bits of `rounded` are n; the shift drops everything above the exponent's eight bits.
  const powerOfTwo = i32x4.shl(i32x4.add(rounded, v128.load(FLOAT_BIAS)), 23);
  const underflows = f32x4.lt(x, v128.load(SMALLEST_EXPONENT));
  return v128.andnot(f32x4.mul(p, powerOfTwo), underflows);
}

/** 1 / (1 + e^-x). */
// @ts-ignore: decorator
@inline
export function sigmoidOf(x: v128): v128 {
  return f32x4.div(v128.load(ONE), f32x4.add(v128.load(ONE), exponential(v128.xor(x, v128.load(SIGN)))));
}

/** x / (1 + e^-x). */
// @ts-ignore: decorator
@inline
export function siluOf(x: v128): v128 {
  return f32x4.div(x, f32x4.add(v128.load(ONE), exponential(v128.xor(x, v128.load(SIGN)))));
}
