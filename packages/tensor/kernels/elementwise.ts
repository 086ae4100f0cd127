// Functions of single elements: sigmoid, silu, sums of whole tensors, and the search for NaN.
// Addresses are in bytes, counts in elements.

import { ONE, SIGN } from "./constants";
import { siluOf, sigmoidOf, storeExponentials } from "./exponential";
import { loadTail, storeTail } from "./lanes";

export function sigmoid(out: usize, x: usize, count: i32): void {
  const one = v128.load(ONE);
  const sign = v128.load(SIGN);
  const end = x + (<usize>(count & -4) << 2);
  for (; x + 48 < end; x += 64, out += 64) {
    storeExponentials(
      out,
      v128.xor(v128.load(x), sign),
      v128.xor(v128.load(x, 16), sign),
      v128.xor(v128.load(x, 32), sign),
      v128.xor(v128.load(x, 48), sign),
    );
    for (let i: usize = 0; i < 64; i += 16) v128.store(out + i, f32x4.div(one, f32x4.add(one, v128.load(out + i))));
  }
  for (; x < end; x += 16, out += 16) v128.store(out, sigmoidOf(v128.load(x)));
  const rest = count & 3;
  if (rest > 0) storeTail(out, sigmoidOf(loadTail(x, rest)), rest);
}

/** x = x / (1 + e^-x), in place. */
export function silu(x: usize, count: i32): void {
  const one = v128.load(ONE);
  const sign = v128.load(SIGN);
  const end = x + (<usize>(count & -4) << 2);
  for (; x + 48 < end; x += 64) {
    const x0 = v128.load(x);
    const x1 = v128.load(x, 16);
    const x2 = v128.load(x, 32);
    const x3 = v128.load(x, 48);
    storeExponentials(x, v128.xor(x0, sign), v128.xor(x1, sign), v128.xor(x2, sign), v128.xor(x3, sign));
    v128.store(x, f32x4.div(x0, f32x4.add(one, v128.load(x))));
    v128.store(x, f32x4.div(x1, f32x4.add(one, v128.load(x, 16))), 16);
    v128.store(x, f32x4.div(x2, f32x4.add(one, v128.load(x, 32))), 32);
    v128.store(x, f32x4.div(x3, f32x4.add(one, v128.load(x, 48))), 48);
  }
  for (; x < end; x += 16) v128.store(x, siluOf(v128.load(x)));
  const rest = count & 3;
  if (rest > 0) storeTail(x, siluOf(loadTail(x, rest)), rest);
}

export function add(out: usize, x: usize, count: i32): void {
  const end = x + (<usize>(count & -4) << 2);
  for (; x < end; x += 16, out += 16) v128.store(out, f32x4.add(v128.load(out), v128.load(x)));
  const rest = count & 3;
  if (rest > 0) storeTail(out, f32x4.add(loadTail(out, rest), loadTail(x, rest)), rest);
}

/** 1 when no element is NaN or infinite, that is, when no exponent is all ones; else 0. */
export function allFinite(x: usize, count: i32): i32 {
  const exponent = i32x4.splat(0x7f800000);
  let found = i32x4.splat(0);
  const end = x + (<usize>(count & -4) << 2);
  for (; x < end; x += 16) found = v128.or(found, i32x4.eq(v128.and(v128.load(x), exponent), exponent));
  const rest = count & 3;
  if (rest > 0) found = v128.or(found, i32x4.eq(v128.and(loadTail(x, rest), exponent), exponent));
  return i32(!v128.any_true(found));
}
