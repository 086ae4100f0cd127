// The interface of the kernels. Two implementations answer it: `plainKernels` defines every result,
// `createSimdKernels` (WebAssembly SIMD) matches it bit for bit on every shape.
//
// Arithmetic is in 32-bit floats, every operation rounded to nearest, never fused. Sums run in one of two orders:
//  - sequential: index 0 first, one accumulator for each output;
//  - four-lane: lane l adds the elements with index ≡ l (mod 4) in order, from 0; result (l0 + l1) + (l2 + l3).
// A row of a result depends on its own row of the input only.

import type { ScaleFormat } from "./number-formats.ts";
import type { GatedPair, PackedMatrix } from "./packed-matrix.ts";
import type { Tensor } from "./tensor.ts";

export interface Kernels {
  readonly name: "plain" | "simd";

  /** out[rows, n] = x[rows, k] · W, W packed from [n, k]. Sequential over k. */
  matmul(out: Tensor, x: Tensor, weights: PackedMatrix): void;

  /**
   * Rows of x grouped by expert: rows rowOffsets[e] … rowOffsets[e + 1] go through weights[e].
   * rowOffsets has weights.length + 1 entries, from 0 to the number of rows. Sequential over k.
   */
  groupedMatmul(out: Tensor, x: Tensor, rowOffsets: Int32Array, weights: readonly PackedMatrix[]): void;

  /**
   * out = silu(x · gate) ⊙ (x · up) by expert, rows grouped as for groupedMatmul; silu(v) = v / (1 + e^-v). Both
   * products are sequential over k. Rows in E4M3 count as what dequantizeE4M3 makes of them. out may not be x.
   */
  groupedSwiglu(
    out: Tensor,
    x: Tensor | E4M3Rows,
    rowOffsets: Int32Array,
    weights: readonly GatedPair[],
  ): void;

  /**
   * out[i, j] = Σ_c a[i, c] · b[j, c] for c < depth: rows of two row-major matrices, four-lane over c.
   * Strides are in elements, from row to row.
   */
  dotRows(out: Tensor, a: StridedRows, b: StridedRows, depth: number): void;

  /** out[i, c] = Σ_t a[i, t] · b[t, c] for c < width, sequential over t. */
  weightedRows(out: StridedRows, a: Tensor, b: StridedRows, width: number): void;

  /**
   * out = weight ⊙ x / sqrt(mean(x²) + epsilon), by row; the mean of squares is four-lane. out may be x.
   * Rounded as weight · (x · factor) with factor = 1 / sqrt(sum / size + epsilon).
   */
  rmsNorm(out: Tensor, x: Tensor, weight: Float32Array, epsilon: number): void;

  /**
   * Rotates pairs (2i, 2i+1) of each row of `rows` in place: `width` elements a row, by the angles of
   * cosines[i], sines[i] of the row's position: tables are [positions, width / 2] and positions[row] picks a row of them.
   */
  rope(rows: StridedRows, width: number, positions: Int32Array, tables: RopeTables): void;

  /** Each row of x, scaled by `scale` first, becomes its softmax over its first lengths[row] elements; the rest become 0. Four-lane sum. */
  softmax(x: Tensor, lengths: Int32Array, scale: number): void;

  /** s = 1 / (1 + e^-x), elementwise. out may be x. */
  sigmoid(out: Tensor, x: Tensor): void;

  /** out += x, elementwise. */
  add(out: Tensor, x: Tensor): void;

  /**
   * out[r] += Σ_j factors[r, j] · x[rows[r, j]], j in order (multiply, round, add, round). rows and factors are
   * [rows of out, j]; x may have any number of rows.
   */
  addGatheredRows(out: Tensor, x: Tensor, rows: Int32Array, factors: Float32Array): void;

  /** The k largest of each row, largest first, ties to the lowest index. indices and values are [rows, k]. NaN is refused. */
  topK(x: Tensor, k: number, indices: Int32Array, values: Float32Array): void;

  /** Throws a WorldError "numerics" naming `what` when any element is NaN or infinite. */
  checkFinite(x: Tensor, what: string): void;

  /**
   * Quantises each row in tiles of 128 (the last may be shorter) to E4M3 with a 32-bit scale: mechanics §1.4:
   * amax = max(|x|, 1e-4), scale = amax / 448, q = e4m3(x / scale). codes [rows, size] bytes, scales [rows, ceil(size / 128)].
   * With "ue8m0" the scale is rounded up to a power of two. A NaN does not count in amax and becomes a code of NaN;
   * a tile with an infinity has an infinite scale and reads back as NaN throughout.
   */
  quantizeE4M3(codes: Uint8Array, scales: Float32Array, x: Tensor, format?: ScaleFormat): void;

  /** out = q · scale, the inverse of quantizeE4M3. */
  dequantizeE4M3(out: Tensor, codes: Uint8Array, scales: Float32Array): void;

  /** BF16, round to nearest even. */
  quantizeBF16(codes: Uint16Array, x: Tensor): void;
  dequantizeBF16(out: Tensor, codes: Uint16Array): void;
}

/** Rows inside a larger matrix: row r starts at element r · stride of `data` (address in bytes likewise). */
export interface StridedRows {
  readonly rows: number;
  readonly stride: number;
  readonly address: number;
  readonly data: Float32Array;
}

/** Rows [rows, size] as quantizeE4M3 writes them. The arrays may live anywhere. */
export interface E4M3Rows {
  readonly rows: number;
  readonly size: number;
  readonly codes: Uint8Array;
  /** [rows, ceil(size / 128)] */
  readonly scales: Float32Array;
}

export interface RopeTables {
  /** [positions, width / 2] */
  readonly cosines: Tensor;
  readonly sines: Tensor;
}
