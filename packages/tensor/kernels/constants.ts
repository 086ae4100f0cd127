// Vector constants of the exponential and of E4M3, at fixed addresses in the bytes that src/memory.ts reserves at the
// start of the memory. V8 builds a constant vector anew with three instructions at each use, and a load is one
// (measured: softmax, sigmoid and E4M3 spend a third to half of their time on it). Every thread writes the same bytes
// before its first call, so it does not matter who writes last.

const START: usize = 512;

export const LARGEST_EXPONENT: usize = START;
export const SMALLEST_EXPONENT: usize = START + 16;
export const LOG2_E: usize = START + 32;
/** 1.5 · 2^23: adding it rounds a number to an integer, which then stands in the low bits. */
export const ROUNDING: usize = START + 48;
export const LN2_HIGH: usize = START + 64;
export const LN2_LOW: usize = START + 80;
export const POLYNOMIAL: usize = START + 96; // six vectors, the highest power first
export const ONE: usize = START + 192;
export const FLOAT_BIAS: usize = START + 208;
export const SIGN: usize = START + 224;

export const E4M3_SIGN: usize = START + 240;
export const E4M3_LARGEST: usize = START + 256;
export const E4M3_ONE: usize = START + 272;
/** Half of the dropped fraction less one, and less the difference of the two exponent biases. */
export const E4M3_HALF: usize = START + 288;
export const E4M3_SUBNORMAL: usize = START + 304;
export const E4M3_SUBNORMAL_BITS: usize = START + 320;
export const E4M3_SMALLEST_NORMAL: usize = START + 336;
export const E4M3_MAGNITUDE: usize = START + 352;
export const E4M3_BIAS: usize = START + 368;
export const E4M3_STEP: usize = START + 384;
export const E4M3_LEAST_NORMAL_CODE: usize = START + 400;
export const QUIET_NAN: usize = START + 416;

export function writeConstants(): void {
  v128.store(LARGEST_EXPONENT, f32x4.splat(88));
  v128.store(SMALLEST_EXPONENT, f32x4.splat(-87));
  v128.store(LOG2_E, f32x4.splat(1.4426950408889634));
  v128.store(ROUNDING, f32x4.splat(12582912));
  v128.store(LN2_HIGH, f32x4.splat(0.693359375));
  v128.store(LN2_LOW, f32x4.splat(-2.1219444e-4));
  v128.store(POLYNOMIAL, f32x4.splat(1.98756915e-4));
  v128.store(POLYNOMIAL, f32x4.splat(1.3981999507e-3), 16);
  v128.store(POLYNOMIAL, f32x4.splat(8.3334519073e-3), 32);
  v128.store(POLYNOMIAL, f32x4.splat(4.1665795894e-2), 48);
  v128.store(POLYNOMIAL, f32x4.splat(1.6666665459e-1), 64);
  v128.store(POLYNOMIAL, f32x4.splat(5.0000001201e-1), 80);
  v128.store(ONE, f32x4.splat(1));
  v128.store(FLOAT_BIAS, i32x4.splat(127));
  v128.store(SIGN, i32x4.splat(0x80000000));
  v128.store(E4M3_SIGN, i32x4.splat(0x80));
  v128.store(E4M3_LARGEST, f32x4.splat(448));
  v128.store(E4M3_ONE, i32x4.splat(1));
  v128.store(E4M3_HALF, i32x4.splat(0x7ffff - (120 << 23)));
  v128.store(E4M3_SUBNORMAL, f32x4.splat(16384));
  v128.store(E4M3_SUBNORMAL_BITS, i32x4.splat(0x46800000));
  v128.store(E4M3_SMALLEST_NORMAL, f32x4.splat(0.015625));
  v128.store(E4M3_MAGNITUDE, i32x4.splat(0x7f));
  v128.store(E4M3_BIAS, i32x4.splat(120 << 23));
  v128.store(E4M3_STEP, f32x4.splat(0.001953125));
  v128.store(E4M3_LEAST_NORMAL_CODE, i32x4.splat(8));
  v128.store(QUIET_NAN, i32x4.splat(0x7fc00000));
}
