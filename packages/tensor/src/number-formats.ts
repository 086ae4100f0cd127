// The narrow number formats of inference, as functions of single numbers: E4M3 (FP8), BF16, and UE8M0 scales.
// This is the definition; kernels do the same to whole tensors. Source: DeepSeek-V3 paper §3.3, OCP FP8 (E4M3 "fn").
// Every conversion to fewer bits rounds to nearest, ties to even.

import { invariant } from "@windtunnel/base";

/** The largest finite E4M3 value; larger magnitudes saturate to it. */
export const E4M3_MAX = 448;
/** Elements of a row that share one activation scale. */
export const E4M3_TILE = 128;
/** The floor of a tile's largest magnitude, so that a tile of zeros has a scale. */
export const SMALLEST_AMAX: number = Math.fround(1e-4);

/** What a tile's scale may be: any 32-bit float, or a power of two (`scale_fmt` of a configuration). */
export type ScaleFormat = "f32" | "ue8m0";

const E4M3_NAN = 0x7f;
const BF16_NAN = 0x7fc0;
const FLOAT32_BIAS = 127;
const FLOAT32_FRACTION_BITS = 23;

const float = new Float32Array(1);
const bits = new Uint32Array(float.buffer);

function bitsOf(value: number): number {
  float[0] = value;
  return bits[0]!;
}

function floatOf(pattern: number): number {
  bits[0] = pattern;
  return float[0]!;
}

/** 2^exponent for the exponents of normal 32-bit floats. */
function powerOfTwo(exponent: number): number {
  return floatOf((exponent + FLOAT32_BIAS) << FLOAT32_FRACTION_BITS);
}

function roundHalfToEven(value: number): number {
  const below = Math.floor(value);
  const excess = value - below;
  const isUp = excess > 0.5 || (excess === 0.5 && below % 2 === 1);
  return isUp ? below + 1 : below;
}

/**
 * The E4M3 code of a number: sign, 4 bits of exponent (bias 7), 3 bits of fraction. Magnitudes above 448 (infinity
 * too) saturate; NaN becomes 0x7f.
 */
export function encodeE4M3(value: number): number {
  const rounded = Math.fround(value);
  if (Number.isNaN(rounded)) return E4M3_NAN;
  const pattern = bitsOf(rounded);
  const sign = (pattern >>> 24) & 0x80;
  const magnitude = Math.min(Math.abs(rounded), E4M3_MAX);
  // Below 2^-6 the steps are 2^-9, the smallest subnormal; the code counts them.
  if (magnitude < 2 ** -6) return sign | roundHalfToEven(magnitude * 512);
  const exponent = (bitsOf(magnitude) >>> FLOAT32_FRACTION_BITS) - FLOAT32_BIAS;
  // 8 to 16 eighths of 2^exponent; 16 carries into the exponent by itself.
  const eighths = roundHalfToEven(magnitude / powerOfTwo(exponent - 3));
  return sign | ((exponent + 7) * 8 + eighths - 8);
}

function e4m3Value(code: number): number {
  const exponent = (code >>> 3) & 0xf;
  const fraction = code & 7;
  if ((code & 0x7f) === E4M3_NAN) return Number.NaN;
  const magnitude = exponent === 0 ? fraction / 512 : (8 + fraction) * powerOfTwo(exponent - 10);
  return code < 0x80 ? magnitude : -magnitude;
}

const E4M3_VALUES = Float32Array.from({ length: 256 }, (_, code) => e4m3Value(code));

/** The number that a code (0 … 255) stands for; 0x7f and 0xff are NaN. */
export function decodeE4M3(code: number): number {
  const value = E4M3_VALUES[code];
  invariant(value !== undefined, `E4M3 code ${code} is not a byte`);
  return value;
}

/** The BF16 code of a number: the upper half of its 32-bit float, rounded. NaN becomes 0x7fc0. */
export function encodeBF16(value: number): number {
  if (Number.isNaN(value)) return BF16_NAN;
  const pattern = bitsOf(value);
  return (pattern + 0x7fff + ((pattern >>> 16) & 1)) >>> 16;
}

export function decodeBF16(code: number): number {
  return floatOf(code << 16);
}

/** The 32-bit scale of a tile whose largest magnitude is `amax`: max(amax, 1e-4) / 448. */
export function scaleE4M3(amax: number): number {
  return Math.fround(Math.max(Math.fround(amax), SMALLEST_AMAX) / E4M3_MAX);
}

/** The scale as a power of two: 2^ceil(log2(amax / 448)), amax at least 1e-4. Exact: any fraction bit rounds it up. */
export function scaleUE8M0(amax: number): number {
  if (Number.isNaN(amax)) return Number.NaN;
  const pattern = bitsOf(scaleE4M3(amax));
  const hasFraction = (pattern & 0x7fffff) !== 0;
  return floatOf(((pattern >>> FLOAT32_FRACTION_BITS) + (hasFraction ? 1 : 0)) << FLOAT32_FRACTION_BITS);
}

/** The scale that a UE8M0 code (0 … 255) stands for: 2^(code - 127); 255 is NaN. */
export function decodeUE8M0(code: number): number {
  invariant(Number.isInteger(code) && code >= 0 && code <= 255, `UE8M0 code ${code} is not a byte`);
  if (code === 255) return Number.NaN;
  // 2^-127 lies below the normal 32-bit floats.
  return code === 0 ? 2 ** -127 : powerOfTwo(code - FLOAT32_BIAS);
}

/**
 * Weights [rows, columns] of an FP8 checkpoint: out = q · scale of the block. Scales are `weight_scale_inv`,
 * [ceil(rows / blockSize), ceil(columns / blockSize)].
 */
export function dequantizeBlocks(
  out: Float32Array,
  codes: Uint8Array,
  scales: Float32Array,
  rows: number,
  columns: number,
  blockSize = 128,
): void {
  const blockColumns = Math.ceil(columns / blockSize);
  const blockCount = Math.ceil(rows / blockSize) * blockColumns;
  invariant(codes.length === rows * columns, `${codes.length} codes for ${rows}×${columns} weights`);
  invariant(out.length === codes.length, `room for ${out.length} of ${codes.length} weights`);
  invariant(scales.length === blockCount, `${scales.length} scales for ${blockCount} blocks`);
  for (let row = 0; row < rows; row++) {
    const firstBlock = Math.floor(row / blockSize) * blockColumns;
    for (let block = 0; block < blockColumns; block++) {
      const scale = scales[firstBlock + block]!;
      const end = row * columns + Math.min((block + 1) * blockSize, columns);
      for (let i = row * columns + block * blockSize; i < end; i++) {
        out[i] = Math.fround(E4M3_VALUES[codes[i]!]! * scale);
      }
    }
  }
}
