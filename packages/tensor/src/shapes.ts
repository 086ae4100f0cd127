// The shapes that every kernel asks for, checked once before its loops: both implementations call these,
// so a wrong shape is the same invariant violation in either. Nothing here reads an element of a tensor.

import { invariant } from "@windtunnel/base";
import type { E4M3Rows, RopeTables, StridedRows } from "./kernels.ts";
import { E4M3_TILE } from "./number-formats.ts";
import { type GatedPair, packedElementCount, type PackedMatrix } from "./packed-matrix.ts";
import { rowCount, rowSize, type Tensor } from "./tensor.ts";

/** Sentences are made only when they are needed: a call of a small product should not pay for ten of them. */
function expectEqual(actual: number, expected: number, what: string): void {
  if (actual !== expected) invariant(false, `${what}: expected ${expected}, got ${actual}`);
}

function checkStrided(rows: StridedRows, width: number, what: string): void {
  const { stride } = rows;
  if (stride < width) invariant(false, `${what}: a stride of ${stride} elements holds rows of ${width}`);
  const needed = rows.rows === 0 ? 0 : (rows.rows - 1) * stride + width;
  const found = rows.data.length;
  if (found < needed) invariant(false, `${what}: expected ${needed} elements, got ${found}`);
}

function checkWeights(weights: PackedMatrix): void {
  const count = packedElementCount(weights.outputSize, weights.inputSize);
  const found = weights.data.length;
  if (found < count) invariant(false, `packed weights: expected ${count} elements, got ${found}`);
}

export function checkMatmul(out: Tensor, x: Tensor, weights: PackedMatrix): void {
  checkWeights(weights);
  expectEqual(rowSize(x), weights.inputSize, "matmul input size");
  expectEqual(rowSize(out), weights.outputSize, "matmul output size");
  expectEqual(rowCount(out), rowCount(x), "matmul output rows");
}

export function checkGrouped(
  out: Tensor,
  x: Tensor,
  rowOffsets: Int32Array,
  weights: readonly PackedMatrix[],
): void {
  checkRowOffsets(rowOffsets, weights.length, rowCount(x));
  expectEqual(rowCount(out), rowCount(x), "grouped matmul output rows");
  for (const matrix of weights) checkProduct(matrix, rowSize(x), rowSize(out), "grouped matmul");
}

export function checkSwiglu(
  out: Tensor,
  x: Tensor | E4M3Rows,
  rowOffsets: Int32Array,
  weights: readonly GatedPair[],
): void {
  const isCoded = "codes" in x;
  const [rows, size] = isCoded ? [x.rows, x.size] : [rowCount(x), rowSize(x)];
  if (isCoded) checkCodes(x.codes, x.scales, rows, size);
  checkRowOffsets(rowOffsets, weights.length, rows);
  expectEqual(rowCount(out), rows, "swiglu output rows");
  for (const { gate, up } of weights) {
    checkProduct(gate, size, rowSize(out), "swiglu gate");
    checkProduct(up, size, rowSize(out), "swiglu up");
  }
}

function checkRowOffsets(rowOffsets: Int32Array, groupCount: number, rows: number): void {
  expectEqual(rowOffsets.length, groupCount + 1, "row offsets");
  expectEqual(rowOffsets[0]!, 0, "first row offset");
  expectEqual(rowOffsets[groupCount]!, rows, "last row offset");
  for (let expert = 0; expert < groupCount; expert++) {
    if (rowOffsets[expert]! > rowOffsets[expert + 1]!)
      invariant(false, `row offsets fall at expert ${expert}`);
  }
}

function checkProduct(weights: PackedMatrix, inputSize: number, outputSize: number, what: string): void {
  checkWeights(weights);
  const { inputSize: ofInput, outputSize: ofOutput } = weights;
  if (ofInput !== inputSize) invariant(false, `${what} input size: expected ${inputSize}, got ${ofInput}`);
  if (ofOutput !== outputSize)
    invariant(false, `${what} output size: expected ${outputSize}, got ${ofOutput}`);
}

export function checkDotRows(out: Tensor, a: StridedRows, b: StridedRows, depth: number): void {
  checkStrided(a, depth, "dotRows left");
  checkStrided(b, depth, "dotRows right");
  expectEqual(rowCount(out), a.rows, "dotRows output rows");
  expectEqual(rowSize(out), b.rows, "dotRows output size");
}

export function checkWeightedRows(out: StridedRows, a: Tensor, b: StridedRows, width: number): void {
  checkStrided(out, width, "weightedRows output");
  checkStrided(b, width, "weightedRows values");
  expectEqual(out.rows, rowCount(a), "weightedRows output rows");
  expectEqual(b.rows, rowSize(a), "weightedRows value rows");
}

export function checkRmsNorm(out: Tensor, x: Tensor, weight: Float32Array): void {
  checkSame(out, x, "rmsNorm output");
  expectEqual(weight.length, rowSize(x), "rmsNorm weight");
}

export function checkRope(rows: StridedRows, width: number, positions: Int32Array, tables: RopeTables): void {
  invariant(width % 2 === 0, `rope turns pairs; ${width} elements are odd`);
  checkStrided(rows, width, "rope rows");
  expectEqual(positions.length, rows.rows, "rope positions");
  expectEqual(rowSize(tables.cosines), width / 2, "rope cosines of a position");
  expectEqual(rowSize(tables.sines), width / 2, "rope sines of a position");
  const known = Math.min(rowCount(tables.cosines), rowCount(tables.sines));
  for (let row = 0; row < rows.rows; row++) {
    const position = positions[row]!;
    invariant(
      position >= 0 && position < known,
      `rope position ${position} of row ${row}; tables hold ${known}`,
    );
  }
}

export function checkSoftmax(x: Tensor, lengths: Int32Array): void {
  const size = rowSize(x);
  expectEqual(lengths.length, rowCount(x), "softmax lengths");
  for (let row = 0; row < lengths.length; row++) {
    const length = lengths[row]!;
    invariant(length >= 0 && length <= size, `softmax over ${length} of ${size} elements in row ${row}`);
  }
}

export function checkSame(out: Tensor, x: Tensor, what: string): void {
  expectEqual(out.data.length, x.data.length, `${what} elements`);
}

/** Returns how many rows of x each row of out adds. */
export function checkGatheredRows(out: Tensor, x: Tensor, rows: Int32Array, factors: Float32Array): number {
  expectEqual(rowSize(out), rowSize(x), "addGatheredRows row size");
  expectEqual(factors.length, rows.length, "addGatheredRows factors");
  const outRows = rowCount(out);
  const perRow = outRows === 0 ? 0 : rows.length / outRows;
  expectEqual(rows.length, Math.floor(perRow) * outRows, "addGatheredRows rows");
  const known = rowCount(x);
  for (let i = 0; i < rows.length; i++) {
    const row = rows[i]!;
    if (row < 0 || row >= known) invariant(false, `row ${row} is added; there are ${known}`);
  }
  return perRow;
}

export function checkTopK(x: Tensor, k: number, indices: Int32Array, values: Float32Array): void {
  invariant(k >= 0 && k <= rowSize(x), `the ${k} largest of ${rowSize(x)}`);
  expectEqual(indices.length, rowCount(x) * k, "topK indices");
  expectEqual(values.length, rowCount(x) * k, "topK values");
}

export function checkE4M3(codes: Uint8Array, scales: Float32Array, x: Tensor): void {
  checkCodes(codes, scales, rowCount(x), rowSize(x));
}

function checkCodes(codes: Uint8Array, scales: Float32Array, rows: number, size: number): void {
  expectEqual(codes.length, rows * size, "E4M3 codes");
  expectEqual(scales.length, rows * Math.ceil(size / E4M3_TILE), "E4M3 scales");
}

export function checkBF16(codes: Uint16Array, x: Tensor): void {
  expectEqual(codes.length, x.data.length, "BF16 codes");
}
