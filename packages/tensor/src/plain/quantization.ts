// Whole tensors in the narrow number formats, element by element with the definitions of number-formats.ts.

import {
  decodeE4M3,
  E4M3_TILE,
  encodeBF16,
  encodeE4M3,
  scaleE4M3,
  type ScaleFormat,
  scaleUE8M0,
  SMALLEST_AMAX,
} from "../number-formats.ts";
import { checkBF16, checkE4M3 } from "../shapes.ts";
import { rowCount, rowSize, type Tensor } from "../tensor.ts";

const { fround } = Math;

export function quantizeE4M3(
  codes: Uint8Array,
  scales: Float32Array,
  x: Tensor,
  format: ScaleFormat = "f32",
): void {
  checkE4M3(codes, scales, x);
  const scaleOf = format === "ue8m0" ? scaleUE8M0 : scaleE4M3;
  forEachTile(x, (start, end, tile) => {
    let amax = SMALLEST_AMAX;
    for (let i = start; i < end; i++) {
      const magnitude = Math.abs(x.data[i]!);
      // Never true for a NaN.
      if (magnitude > amax) amax = magnitude;
    }
    const scale = scaleOf(amax);
    scales[tile] = scale;
    for (let i = start; i < end; i++) codes[i] = encodeE4M3(fround(x.data[i]! / scale));
  });
}

export function dequantizeE4M3(out: Tensor, codes: Uint8Array, scales: Float32Array): void {
  checkE4M3(codes, scales, out);
  forEachTile(out, (start, end, tile) => {
    for (let i = start; i < end; i++) out.data[i] = fround(decodeE4M3(codes[i]!) * scales[tile]!);
  });
}

export function quantizeBF16(codes: Uint16Array, x: Tensor): void {
  checkBF16(codes, x);
  for (let i = 0; i < codes.length; i++) codes[i] = encodeBF16(x.data[i]!);
}

/** Moves bit patterns, not numbers: a NaN keeps its payload. */
export function dequantizeBF16(out: Tensor, codes: Uint16Array): void {
  checkBF16(codes, out);
  const patterns = new Uint32Array(out.data.buffer, out.data.byteOffset, out.data.length);
  for (let i = 0; i < codes.length; i++) patterns[i] = codes[i]! << 16;
}

/** Calls `visit` with the element range and the number of each tile, row by row. */
function forEachTile(x: Tensor, visit: (start: number, end: number, tile: number) => void): void {
  const rows = rowCount(x);
  const size = rowSize(x);
  let tile = 0;
  for (let row = 0; row < rows; row++) {
    for (let start = 0; start < size; start += E4M3_TILE) {
      visit(row * size + start, row * size + Math.min(start + E4M3_TILE, size), tile++);
    }
  }
}
