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

/**
 * e^x of four vectors, stored behind each other at `out`: the operations of `exponential`, taken in turn, because the
 * steps of one vector wait for each other (measured: 1.5 times as fast). `constant` changes between the turns, which keeps
 * Binaryen from putting one vector's steps together again.
 */
// @ts-ignore: decorator
@inline
export function storeExponentials(out: usize, value0: v128, value1: v128, value2: v128, value3: v128): void {
  let constant = v128.load(LARGEST_EXPONENT);
  const x0 = f32x4.pmin(value0, constant);
  const x1 = f32x4.pmin(value1, constant);
  const x2 = f32x4.pmin(value2, constant);
  const x3 = f32x4.pmin(value3, constant);
  constant = v128.load(LOG2_E);
  let rounded0 = f32x4.mul(x0, constant);
  let rounded1 = f32x4.mul(x1, constant);
  let rounded2 = f32x4.mul(x2, constant);
  let rounded3 = f32x4.mul(x3, constant);
  constant = v128.load(ROUNDING);
  rounded0 = f32x4.add(rounded0, constant);
  rounded1 = f32x4.add(rounded1, constant);
  rounded2 = f32x4.add(rounded2, constant);
  rounded3 = f32x4.add(rounded3, constant);
  const n0 = f32x4.sub(rounded0, constant);
  const n1 = f32x4.sub(rounded1, constant);
  const n2 = f32x4.sub(rounded2, constant);
  const n3 = f32x4.sub(rounded3, constant);
  constant = v128.load(LN2_HIGH);
  let r0 = f32x4.sub(x0, f32x4.mul(n0, constant));
  let r1 = f32x4.sub(x1, f32x4.mul(n1, constant));
  let r2 = f32x4.sub(x2, f32x4.mul(n2, constant));
  let r3 = f32x4.sub(x3, f32x4.mul(n3, constant));
  constant = v128.load(LN2_LOW);
  r0 = f32x4.sub(r0, f32x4.mul(n0, constant));
  r1 = f32x4.sub(r1, f32x4.mul(n1, constant));
  r2 = f32x4.sub(r2, f32x4.mul(n2, constant));
  r3 = f32x4.sub(r3, f32x4.mul(n3, constant));
  constant = v128.load(POLYNOMIAL);
  let p0 = f32x4.mul(r0, constant);
  let p1 = f32x4.mul(r1, constant);
  let p2 = f32x4.mul(r2, constant);
  let p3 = f32x4.mul(r3, constant);
  constant = v128.load(POLYNOMIAL, 16);
  p0 = f32x4.add(p0, constant);
  p1 = f32x4.add(p1, constant);
  p2 = f32x4.add(p2, constant);
  p3 = f32x4.add(p3, constant);
  constant = v128.load(POLYNOMIAL, 32);
  p0 = f32x4.add(f32x4.mul(p0, r0), constant);
  p1 = f32x4.add(f32x4.mul(p1, r1), constant);
  p2 = f32x4.add(f32x4.mul(p2, r2), constant);
  p3 = f32x4.add(f32x4.mul(p3, r3), constant);
  constant = v128.load(POLYNOMIAL, 48);
  p0 = f32x4.add(f32x4.mul(p0, r0), constant);
  p1 = f32x4.add(f32x4.mul(p1, r1), constant);
  p2 = f32x4.add(f32x4.mul(p2, r2), constant);
  p3 = f32x4.add(f32x4.mul(p3, r3), constant);
  constant = v128.load(POLYNOMIAL, 64);
  p0 = f32x4.add(f32x4.mul(p0, r0), constant);
  p1 = f32x4.add(f32x4.mul(p1, r1), constant);
  p2 = f32x4.add(f32x4.mul(p2, r2), constant);
  p3 = f32x4.add(f32x4.mul(p3, r3), constant);
  constant = v128.load(POLYNOMIAL, 80);
  p0 = f32x4.add(f32x4.mul(p0, r0), constant);
  p1 = f32x4.add(f32x4.mul(p1, r1), constant);
  p2 = f32x4.add(f32x4.mul(p2, r2), constant);
  p3 = f32x4.add(f32x4.mul(p3, r3), constant);
  constant = v128.load(ONE);
  p0 = f32x4.add(f32x4.add(f32x4.mul(p0, f32x4.mul(r0, r0)), r0), constant);
  p1 = f32x4.add(f32x4.add(f32x4.mul(p1, f32x4.mul(r1, r1)), r1), constant);
  p2 = f32x4.add(f32x4.add(f32x4.mul(p2, f32x4.mul(r2, r2)), r2), constant);
  p3 = f32x4.add(f32x4.add(f32x4.mul(p3, f32x4.mul(r3, r3)), r3), constant);
  constant = v128.load(FLOAT_BIAS);
  p0 = f32x4.mul(p0, i32x4.shl(i32x4.add(rounded0, constant), 23));
  p1 = f32x4.mul(p1, i32x4.shl(i32x4.add(rounded1, constant), 23));
  p2 = f32x4.mul(p2, i32x4.shl(i32x4.add(rounded2, constant), 23));
  p3 = f32x4.mul(p3, i32x4.shl(i32x4.add(rounded3, constant), 23));
  constant = v128.load(SMALLEST_EXPONENT);
  v128.store(out, v128.andnot(p0, f32x4.lt(x0, constant)));
  v128.store(out, v128.andnot(p1, f32x4.lt(x1, constant)), 16);
  v128.store(out, v128.andnot(p2, f32x4.lt(x2, constant)), 32);
  v128.store(out, v128.andnot(p3, f32x4.lt(x3, constant)), 48);
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
