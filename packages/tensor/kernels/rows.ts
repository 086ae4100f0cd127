// Functions of whole rows: RMS norm, softmax and the rotation of rotary position embeddings.
// Addresses and strides are in bytes, sizes in elements.

import { exponential, storeExponentials } from "./exponential";
import { loadTail, storeTail, sumOfLanes } from "./lanes";

export function rmsNorm(out: usize, x: usize, weight: usize, rows: i32, size: i32, epsilon: f32): void {
  const wholeBytes = <usize>(size & -4) << 2;
  const rest = size & 3;
  const rowBytes = <usize>size << 2;
  for (let row = 0; row < rows; row++) {
    let squares = f32x4.splat(0);
    for (let i: usize = 0; i < wholeBytes; i += 16) {
      const value = v128.load(x + i);
      squares = f32x4.add(squares, f32x4.mul(value, value));
    }
    if (rest > 0) {
      const value = loadTail(x + wholeBytes, rest);
      squares = f32x4.add(squares, f32x4.mul(value, value));
    }
    const factor = f32x4.splat(<f32>1 / sqrt<f32>(sumOfLanes(squares) / <f32>size + epsilon));
    for (let i: usize = 0; i < wholeBytes; i += 16) {
      v128.store(out + i, f32x4.mul(v128.load(weight + i), f32x4.mul(v128.load(x + i), factor)));
    }
    if (rest > 0) {
      const value = f32x4.mul(loadTail(x + wholeBytes, rest), factor);
      storeTail(out + wholeBytes, f32x4.mul(loadTail(weight + wholeBytes, rest), value), rest);
    }
    x += rowBytes;
    out += rowBytes;
  }
}

export function softmax(x: usize, lengths: usize, rows: i32, size: i32, scale: f32): void {
  for (let row = 0; row < rows; row++) {
    const length = load<i32>(lengths + (<usize>row << 2));
    softmaxRow(x, length, scale);
    memory.fill(x + (<usize>length << 2), 0, <usize>(size - length) << 2);
    x += <usize>size << 2;
  }
}

function softmaxRow(x: usize, length: i32, scale: f32): void {
  const end = x + (<usize>(length & -4) << 2);
  const rest = length & 3;
  const largest = f32x4.splat(scaleAndFindLargest(x, end, rest, scale));
  let sums = f32x4.splat(0);
  let i = x;
  for (; i + 48 < end; i += 64) {
    storeExponentials(
      i,
      f32x4.sub(v128.load(i), largest),
      f32x4.sub(v128.load(i, 16), largest),
      f32x4.sub(v128.load(i, 32), largest),
      f32x4.sub(v128.load(i, 48), largest),
    );
    sums = f32x4.add(sums, v128.load(i));
    sums = f32x4.add(sums, v128.load(i, 16));
    sums = f32x4.add(sums, v128.load(i, 32));
    sums = f32x4.add(sums, v128.load(i, 48));
  }
  for (; i < end; i += 16) {
    const power = exponential(f32x4.sub(v128.load(i), largest));
    v128.store(i, power);
    sums = f32x4.add(sums, power);
  }
  if (rest > 0) {
    storeTail(end, exponential(f32x4.sub(loadTail(end, rest), largest)), rest);
    sums = f32x4.add(sums, loadTail(end, rest));
  }
  const sum = f32x4.splat(sumOfLanes(sums));
  for (i = x; i < end; i += 16) v128.store(i, f32x4.div(v128.load(i), sum));
  if (rest > 0) storeTail(end, f32x4.div(loadTail(end, rest), sum), rest);
}

/**
 * The largest scaled element, by pmax (one instruction, where max takes eight). It may pass over a NaN or choose the
 * other zero than Math.max; neither shows: the NaN itself makes the sum NaN, and e^-0 = e^0.
 */
function scaleAndFindLargest(x: usize, end: usize, rest: i32, scale: f32): f32 {
  const factor = f32x4.splat(scale);
  let largest = f32x4.splat(-Infinity);
  for (let i = x; i < end; i += 16) {
    const value = f32x4.mul(v128.load(i), factor);
    v128.store(i, value);
    largest = f32x4.pmax(largest, value);
  }
  let result = max<f32>(
    max<f32>(f32x4.extract_lane(largest, 0), f32x4.extract_lane(largest, 1)),
    max<f32>(f32x4.extract_lane(largest, 2), f32x4.extract_lane(largest, 3)),
  );
  for (let i = 0; i < rest; i++) {
    const address = end + (<usize>i << 2);
    const value = load<f32>(address) * scale;
    store<f32>(address, value);
    result = max<f32>(result, value);
  }
  return result;
}

/** Each lane pair (a, b) becomes (a·cos − b·sin, a·sin + b·cos); a − b is a + (−b), bit for bit. */
// @ts-ignore: decorator
@inline
function rotated(pairs: v128, cosines: v128, sines: v128): v128 {
  const evenSigns = i64x2.splat(0x80000000);
  const swapped = v128.shuffle<i32>(pairs, pairs, 1, 0, 3, 2);
  return f32x4.add(f32x4.mul(pairs, cosines), v128.xor(f32x4.mul(swapped, sines), evenSigns));
}

export function rope(
  address: usize,
  stride: usize,
  rows: i32,
  width: i32,
  positions: usize,
  cosines: usize,
  sines: usize,
): void {
  const tableRowBytes = <usize>width << 1;
  const wholeBytes = <usize>(width & -4) << 2;
  for (let row = 0; row < rows; row++) {
    const tableOffset = <usize>load<i32>(positions + (<usize>row << 2)) * tableRowBytes;
    let cosine = cosines + tableOffset;
    let sine = sines + tableOffset;
    const end = address + wholeBytes;
    for (let i = address; i < end; i += 16, cosine += 8, sine += 8) {
      const c = v128.load64_zero(cosine);
      const s = v128.load64_zero(sine);
      const turned = rotated(v128.load(i), v128.shuffle<i32>(c, c, 0, 0, 1, 1), v128.shuffle<i32>(s, s, 0, 0, 1, 1));
      v128.store(i, turned);
    }
    if ((width & 3) != 0) {
      const turned = rotated(v128.load64_zero(end), v128.load32_splat(cosine), v128.load32_splat(sine));
      v128.store64_lane(end, turned, 0);
    }
    address += stride;
  }
}
