// e^x on four lanes in 32-bit floats, the same operations in the same order as src/plain/exponential.ts:
// n = floor(x · log2 e + 1/2), r = x − n · ln 2 in two parts, a polynomial of degree 7 (Cephes expf), times 2^n.
// Below −87 the result is 0, above 88 it stays at e^88; a NaN stays a NaN.

// @ts-ignore: decorator
@inline
export function exponential(value: v128): v128 {
  const one = f32x4.splat(1);
  const x = f32x4.min(value, f32x4.splat(88));
  const n = f32x4.floor(f32x4.add(f32x4.mul(x, f32x4.splat(1.44269504088896341)), f32x4.splat(0.5)));
  const high = f32x4.sub(x, f32x4.mul(n, f32x4.splat(0.693359375)));
  const r = f32x4.sub(high, f32x4.mul(n, f32x4.splat(-2.1219444e-4)));
  let p = f32x4.splat(1.98756915e-4);
  p = f32x4.add(f32x4.mul(p, r), f32x4.splat(1.3981999507e-3));
  p = f32x4.add(f32x4.mul(p, r), f32x4.splat(8.3334519073e-3));
  p = f32x4.add(f32x4.mul(p, r), f32x4.splat(4.1665795894e-2));
  p = f32x4.add(f32x4.mul(p, r), f32x4.splat(1.6666665459e-1));
  p = f32x4.add(f32x4.mul(p, r), f32x4.splat(5.0000001201e-1));
  p = f32x4.add(f32x4.add(f32x4.mul(p, f32x4.mul(r, r)), r), one);
  const powerOfTwo = i32x4.shl(i32x4.add(i32x4.trunc_sat_f32x4_s(n), i32x4.splat(127)), 23);
  const underflows = f32x4.lt(x, f32x4.splat(-87));
  return v128.andnot(f32x4.mul(p, powerOfTwo), underflows);
}

/** 1 / (1 + e^-x). */
// @ts-ignore: decorator
@inline
export function sigmoidOf(x: v128): v128 {
  const one = f32x4.splat(1);
  return f32x4.div(one, f32x4.add(one, exponential(f32x4.neg(x))));
}

/** x / (1 + e^-x). */
// @ts-ignore: decorator
@inline
export function siluOf(x: v128): v128 {
  return f32x4.div(x, f32x4.add(f32x4.splat(1), exponential(f32x4.neg(x))));
}
