// E4M3 in tiles of 128 elements of a row, each with a 32-bit scale: the same bits as src/number-formats.ts.
// Rounding to nearest even is done on the bit patterns; 448 is the largest value, 2^-9 the smallest.

import {
  E4M3_BIAS,
  E4M3_HALF,
  E4M3_LARGEST,
  E4M3_LEAST_NORMAL_CODE,
  E4M3_MAGNITUDE,
  E4M3_ONE,
  E4M3_SIGN,
  E4M3_SMALLEST_NORMAL,
  E4M3_STEP,
  E4M3_SUBNORMAL,
  E4M3_SUBNORMAL_BITS,
  QUIET_NAN,
} from "./constants";
import { loadTail, storeTail } from "./lanes";

const TILE = 128;

/** Four codes in the low bytes of four 32-bit lanes. */
// @ts-ignore: decorator
@inline
function encoded(value: v128): v128 {
  const sign = v128.and(i32x4.shr_u(value, 24), v128.load(E4M3_SIGN));
  const magnitude = f32x4.pmin(f32x4.abs(value), v128.load(E4M3_LARGEST));
  // Normal: drop 20 of 23 fraction bits, adding half of the dropped part (less one where the kept part is even).
  const kept = v128.and(i32x4.shr_u(magnitude, 20), v128.load(E4M3_ONE));
  const normal = i32x4.shr_u(i32x4.add(i32x4.add(magnitude, v128.load(E4M3_HALF)), kept), 20);
  // Subnormal: 2^14 has steps of 2^-9, so the addition itself rounds; the fraction that is left is the code.
  const shifted = f32x4.add(magnitude, v128.load(E4M3_SUBNORMAL));
  const subnormal = i32x4.sub(shifted, v128.load(E4M3_SUBNORMAL_BITS));
  const code = v128.bitselect(subnormal, normal, f32x4.lt(magnitude, v128.load(E4M3_SMALLEST_NORMAL)));
  return v128.or(code, sign);
}

/** Four values of codes in the low bytes of four lanes; 0x7f and 0xff are NaN. */
// @ts-ignore: decorator
@inline
function decoded(code: v128): v128 {
  const magnitude = v128.and(code, v128.load(E4M3_MAGNITUDE));
  const normal = i32x4.add(i32x4.shl(magnitude, 20), v128.load(E4M3_BIAS));
  const subnormal = f32x4.mul(f32x4.convert_i32x4_s(magnitude), v128.load(E4M3_STEP));
  const value = v128.bitselect(subnormal, normal, i32x4.gt_s(v128.load(E4M3_LEAST_NORMAL_CODE), magnitude));
  const nan = v128.and(i32x4.eq(magnitude, v128.load(E4M3_MAGNITUDE)), v128.load(QUIET_NAN));
  const sign = i32x4.shl(v128.and(code, v128.load(E4M3_SIGN)), 24);
  return v128.or(v128.or(value, nan), sign);
}

// @ts-ignore: decorator
@inline
function fourBytes(lanes: v128): i32 {
  const halves = i16x8.narrow_i32x4_u(lanes, lanes);
  return i32x4.extract_lane(i8x16.narrow_i16x8_u(halves, halves), 0);
}

// @ts-ignore: decorator
@inline
function fourLanes(bytes: v128): v128 {
  return i32x4.extend_low_i16x8_u(i16x8.extend_low_i8x16_u(bytes));
}

/** At least 1e-4. pmax keeps its first operand unless the second is greater, so a NaN never counts. */
// @ts-ignore: decorator
@inline
function largestMagnitude(x: usize, count: i32): f32 {
  let largest = f32x4.splat(1e-4);
  const end = x + (<usize>(count & -4) << 2);
  for (; x < end; x += 16) largest = f32x4.pmax(largest, f32x4.abs(v128.load(x)));
  const rest = count & 3;
  if (rest > 0) largest = f32x4.pmax(largest, f32x4.abs(loadTail(x, rest)));
  return max<f32>(
    max<f32>(f32x4.extract_lane(largest, 0), f32x4.extract_lane(largest, 1)),
    max<f32>(f32x4.extract_lane(largest, 2), f32x4.extract_lane(largest, 3)),
  );
}

/** The least power of two that is not below a positive normal number: any fraction bit carries into the exponent. */
// @ts-ignore: decorator
@inline
function roundedUpToPowerOfTwo(value: f32): f32 {
  return reinterpret<f32>((reinterpret<u32>(value) + 0x7fffff) & 0x7f800000);
}

/** Quantises `count` elements with one scale, which it returns. */
function quantizeTile(codes: usize, x: usize, count: i32, isPowerOfTwo: i32): f32 {
  let scale = largestMagnitude(x, count) / <f32>448;
  if (isPowerOfTwo != 0) scale = roundedUpToPowerOfTwo(scale);
  const divisor = f32x4.splat(scale);
  const end = x + (<usize>(count & -4) << 2);
  for (; x < end; x += 16, codes += 4) {
    store<i32>(codes, fourBytes(encoded(f32x4.div(v128.load(x), divisor))));
  }
  const rest = count & 3;
  if (rest > 0) {
    let bytes = fourBytes(encoded(f32x4.div(loadTail(x, rest), divisor)));
    for (let i = 0; i < rest; i++) {
      store<u8>(codes + i, <u8>bytes);
      bytes >>>= 8;
    }
  }
  return scale;
}

function dequantizeTile(out: usize, codes: usize, count: i32, scale: f32): void {
  const factor = f32x4.splat(scale);
  const end = codes + <usize>(count & -4);
  for (; codes < end; codes += 4, out += 16) {
    v128.store(out, f32x4.mul(decoded(fourLanes(v128.load32_zero(codes))), factor));
  }
  const rest = count & 3;
  if (rest > 0) {
    let bytes = 0;
    for (let i = 0; i < rest; i++) bytes |= <i32>load<u8>(codes + i) << (i << 3);
    storeTail(out, f32x4.mul(decoded(fourLanes(i32x4.splat(bytes))), factor), rest);
  }
}

export function quantizeE4M3(
  codes: usize,
  scales: usize,
  x: usize,
  rows: i32,
  size: i32,
  isPowerOfTwo: i32,
): void {
  for (let row = 0; row < rows; row++) {
    for (let start = 0; start < size; start += TILE) {
      const count = min(TILE, size - start);
      store<f32>(scales, quantizeTile(codes, x, count, isPowerOfTwo));
      scales += 4;
      codes += count;
      x += <usize>count << 2;
    }
  }
}

export function dequantizeE4M3(out: usize, codes: usize, scales: usize, rows: i32, size: i32): void {
  for (let row = 0; row < rows; row++) {
    for (let start = 0; start < size; start += TILE) {
      const count = min(TILE, size - start);
      dequantizeTile(out, codes, count, load<f32>(scales));
      scales += 4;
      codes += count;
      out += <usize>count << 2;
    }
  }
}
