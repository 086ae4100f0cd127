// BF16: the upper half of a 32-bit float, rounded to nearest even. Every NaN becomes the code 0x7fc0.

import { loadTail, storeTail } from "./lanes";

/** Four codes in the low halves of four lanes. */
// @ts-ignore: decorator
@inline
function encoded(value: v128): v128 {
  const kept = v128.and(i32x4.shr_u(value, 16), i32x4.splat(1));
  const rounded = i32x4.shr_u(i32x4.add(i32x4.add(value, i32x4.splat(0x7fff)), kept), 16);
  return v128.bitselect(i32x4.splat(0x7fc0), rounded, f32x4.ne(value, value));
}

export function quantizeBF16(codes: usize, x: usize, count: i32): void {
  const end = x + (<usize>(count & -4) << 2);
  for (; x < end; x += 16, codes += 8) {
    const lanes = encoded(v128.load(x));
    v128.store64_lane(codes, i16x8.narrow_i32x4_u(lanes, lanes), 0);
  }
  const rest = count & 3;
  if (rest == 0) return;
  const lanes = encoded(loadTail(x, rest));
  store<u16>(codes, <u16>i32x4.extract_lane(lanes, 0));
  if (rest > 1) store<u16>(codes, <u16>i32x4.extract_lane(lanes, 1), 2);
  if (rest > 2) store<u16>(codes, <u16>i32x4.extract_lane(lanes, 2), 4);
}

export function dequantizeBF16(out: usize, codes: usize, count: i32): void {
  const end = codes + (<usize>(count & -4) << 1);
  for (; codes < end; codes += 8, out += 16) v128.store(out, i32x4.shl(v128.load16x4_u(codes), 16));
  const rest = count & 3;
  for (let i = 0; i < rest; i++, codes += 2, out += 4) store<u32>(out, <u32>load<u16>(codes) << 16);
}
