// e^x in 32-bit floats with stated operations, because Math.exp differs between engines: n = x · log2 e to the
// nearest integer, r = x − n · ln 2 in two parts (the first has few bits, so n times it is exact), a polynomial of
// degree 7 with the coefficients of Cephes expf, times 2^n. Relative error below 3e-7 (tested).
// kernels/exponential.ts is its twin.

const { fround } = Math;

/** Above it the result stays at e^88 ≈ 1.65e38, which is finite. */
const LARGEST = 88;
/** Below it the result is 0; e^-87 ≈ 1.6e-38 is still a normal number. */
const SMALLEST = -87;
/** 1.5 · 2^23, where the steps of a 32-bit float are 1: adding it rounds to the nearest integer, ties to even. */
const ROUNDING = 12_582_912;
const LOG2_E = fround(Math.LOG2E);
const LN2_HIGH = fround(0.693359375);
const LN2_LOW = fround(-2.1219444e-4);
const COEFFICIENTS = [
  1.98756915e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1,
].map(fround);

const pattern = new Int32Array(1);
const power = new Float32Array(pattern.buffer);

/** 2^n for n in −126 … 127. */
function powerOfTwo(n: number): number {
  pattern[0] = ((n | 0) + 127) << 23;
  return power[0]!;
}

/** e^value; a NaN stays a NaN. */
export function exponential(value: number): number {
  const x = Math.min(value, LARGEST);
  if (x < SMALLEST) return 0;
  const n = fround(fround(fround(x * LOG2_E) + ROUNDING) - ROUNDING);
  const high = fround(x - fround(n * LN2_HIGH));
  const r = fround(high - fround(n * LN2_LOW));
  let p = COEFFICIENTS[0]!;
  for (let i = 1; i < COEFFICIENTS.length; i++) p = fround(fround(p * r) + COEFFICIENTS[i]!);
  p = fround(fround(fround(p * fround(r * r)) + r) + 1);
  return fround(p * powerOfTwo(n));
}

/** 1 / (1 + e^-x). */
export function sigmoidOf(x: number): number {
  return fround(1 / fround(1 + exponential(-x)));
}

/** x / (1 + e^-x). */
export function siluOf(x: number): number {
  return fround(x / fround(1 + exponential(-x)));
}
