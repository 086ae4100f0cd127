// The shapes that every kernel asks for, checked once before its loops: both implementations call these,
// so a wrong shape is the same invariant violation in either. Nothing here reads an element of a tensor.

import { invariant } from "@windtunnel/base";
import type { RopeTables, StridedRows } from "./kernels.ts";
import { E4M3_TILE } from "./number-formats.ts";
import { packedElementCount, type PackedMatrix } from "./packed-matrix.ts";
import { rowCount, rowSize, type Tensor } from "./tensor.ts";

function expectEqual(actual: number, expected: number, what: string): void {
  invariant(actual === expected, `${what}: expected ${expected}, got ${actual}`);
}

function checkStrided(rows: StridedRows, width: number, what: string): void {
  invariant(rows.stride >= width, `${what}: a stride of ${rows.stride} elements holds rows of ${width}`);
  const needed = rows.rows === 0 ? 0 : (rows.rows - 1) * rows.stride + width;
  invariant(rows.data.length >= needed, `${what}: expected ${needed} elements, got ${rows.data.length}`);
}

function checkWeights(weights: PackedMatrix): void {
  const count = packedElementCount(weights.outputSize, weights.inputSize);
  invariant(
    weights.data.length >= count,
    `packed weights: expected ${count} elements, got ${weights.data.length}`,
  );
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
  expectEqual(rowOffsets.length, weights.length + 1, "row offsets");
  expectEqual(rowOffsets[0]!, 0, "first row offset");
  expectEqual(rowOffsets[weights.length]!, rowCount(x), "last row offset");
  expectEqual(rowCount(out), rowCount(x), "grouped matmul output rows");
  for (const [expert, matrix] of weights.entries()) {
    invariant(rowOffsets[expert]! <= rowOffsets[expert + 1]!, `row offsets fall at expert ${expert}`);
    checkWeights(matrix);
    expectEqual(matrix.inputSize, rowSize(x), "grouped matmul input size");
    expectEqual(matrix.outputSize, rowSize(out), "grouped matmul output size");
  }
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

export function checkSwiglu(out: Tensor, gateUp: Tensor): void {
  expectEqual(rowSize(gateUp), 2 * rowSize(out), "swiglu gate and up");
  expectEqual(rowCount(gateUp), rowCount(out), "swiglu rows");
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
  expectEqual(codes.length, x.data.length, "E4M3 codes");
  expectEqual(scales.length, rowCount(x) * Math.ceil(rowSize(x) / E4M3_TILE), "E4M3 scales");
}

export function checkBF16(codes: Uint16Array, x: Tensor): void {
  expectEqual(codes.length, x.data.length, "BF16 codes");
}
