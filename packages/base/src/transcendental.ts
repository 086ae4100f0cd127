// exp, log, sin, cos and pow in double precision from additions, multiplications and divisions only.
// Engines may round Math.exp and its like differently; these give the same bits on every machine.
// Accuracy: a few units in the last place over the ranges that models and draws use (tested to 1e-14).

import { invariant } from "./assert.ts";

// ln 2 split so that k * LN2_HIGH is exact for |k| < 2^20 (fdlibm's constants).
const LN2_HIGH = 6.931_471_803_691_238_164_9e-1;
const LN2_LOW = 1.908_214_929_270_587_700_02e-10;
const INVERSE_LN2 = 1.442_695_040_888_963_387;

const wordsOfDouble = new DataView(new ArrayBuffer(8));

/** 2^exponent for a normal result. */
function powerOfTwo(exponent: number): number {
  wordsOfDouble.setUint32(0, (exponent + 1023) << 20);
  wordsOfDouble.setUint32(4, 0);
  return wordsOfDouble.getFloat64(0);
}

/** e^x. Underflows to 0 below -745 and overflows to Infinity above 709.8. */
export function exp(x: number): number {
  if (x > 709.78) return Number.POSITIVE_INFINITY;
  if (x < -745.13) return 0;
  const k = Math.round(x * INVERSE_LN2);
  const r = x - k * LN2_HIGH - k * LN2_LOW; // |r| <= ln2 / 2
  // Taylor to degree 14 by Horner: the first term left out is below 2^-53 for |r| <= 0.35.
  let sum = 1;
  for (let n = 14; n >= 1; n--) sum = 1 + (sum * r) / n;
  return k < -1000 ? sum * powerOfTwo(k + 100) * powerOfTwo(-100) : sum * powerOfTwo(k - 1) * 2;
}

/** The natural logarithm of a positive, finite number. */
export function log(x: number): number {
  // The text is made only when it is needed: draws take many logarithms.
  if (!(x > 0 && Number.isFinite(x))) invariant(false, `log of ${x}`);
  let scaled = x;
  let exponent = 0;
  if (scaled < 2.3e-308) {
    scaled *= 2 ** 54;
    exponent = -54;
  }
  wordsOfDouble.setFloat64(0, scaled);
  const high = wordsOfDouble.getUint32(0);
  exponent += (high >>> 20) - 1023;
  wordsOfDouble.setUint32(0, (high & 0xfffff) | (1023 << 20));
  let mantissa = wordsOfDouble.getFloat64(0); // in [1, 2)
  if (mantissa > Math.SQRT2) {
    mantissa /= 2;
    exponent += 1;
  }
  // log m = 2 atanh(s) with s = (m - 1) / (m + 1), |s| <= 0.172: odd series to s^23.
  const s = (mantissa - 1) / (mantissa + 1);
  const square = s * s;
  let sum = 0;
  for (let n = 23; n >= 3; n -= 2) sum = square * (1 / n + sum);
  return exponent * LN2_HIGH + (2 * s + (2 * s * sum + exponent * LN2_LOW));
}

/** base^power for a positive base. */
export function pow(base: number, power: number): number {
  return exp(power * log(base));
}

// pi/2 in three parts of 33 bits each (fdlibm), so that k * part is exact for k < 2^20.
const HALF_PI_1 = 1.570_796_326_734_125_614_17;
const HALF_PI_2 = 6.077_100_506_303_965_976_6e-11;
const HALF_PI_3 = 2.022_266_248_795_950_631_54e-21;
const TWO_OVER_PI = 6.366_197_723_675_814e-1;

function sineOfReduced(r: number): number {
  const square = r * r;
  let sum = 0;
  for (let n = 19; n >= 3; n -= 2) sum = (-square / (n * (n - 1))) * (1 + sum);
  return r * (1 + sum);
}

function cosineOfReduced(r: number): number {
  const square = r * r;
  let sum = 0;
  for (let n = 20; n >= 2; n -= 2) sum = (-square / (n * (n - 1))) * (1 + sum);
  return 1 + sum;
}

function quadrantOf(x: number): { quadrant: number; reduced: number } {
  if (!(Math.abs(x) < 1e6)) invariant(false, `angle out of range: ${x} rad`);
  const k = Math.round(x * TWO_OVER_PI);
  const reduced = x - k * HALF_PI_1 - k * HALF_PI_2 - k * HALF_PI_3;
  return { quadrant: ((k % 4) + 4) % 4, reduced };
}

/** The sine of an angle below a million radians. */
export function sin(x: number): number {
  const { quadrant, reduced } = quadrantOf(x);
  const value = quadrant % 2 === 0 ? sineOfReduced(reduced) : cosineOfReduced(reduced);
  return quadrant < 2 ? value : -value;
}

/** The cosine of an angle below a million radians. */
export function cos(x: number): number {
  const { quadrant, reduced } = quadrantOf(x);
  const value = quadrant % 2 === 0 ? cosineOfReduced(reduced) : sineOfReduced(reduced);
  return quadrant === 0 || quadrant === 3 ? value : -value;
}
