// Functions of single elements: sigmoid, sums of whole tensors, and the search for NaN.
// Addresses are in bytes, counts in elements.

import { sigmoidOf } from "./exponential";
import { loadTail, storeTail } from "./lanes";

export function sigmoid(out: usize, x: usize, count: i32): void {
  const end = x + (<usize>(count & -4) << 2);
  for (; x < end; x += 16, out += 16) v128.store(out, sigmoidOf(v128.load(x)));
  const rest = count & 3;
  if (rest > 0) storeTail(out, sigmoidOf(loadTail(x, rest)), rest);
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
