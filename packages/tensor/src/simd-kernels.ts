// The fast kernels: WebAssembly SIMD over the shared memory, equal to the plain kernels bit for bit on every shape.
// Each call checks its shapes once, then hands addresses to compiled code (the AssemblyScript in kernels/).
// Tensors must live in the memory that the kernels were created with; other arrays may live anywhere.

import { invariant } from "@windtunnel/base";
import { throwAtNonFinite } from "./finite.ts";
import type { E4M3Rows, Kernels, RopeTables, StridedRows } from "./kernels.ts";
import type { TensorMemory } from "./memory.ts";
import type { ScaleFormat } from "./number-formats.ts";
import type { GatedPair, PackedMatrix } from "./packed-matrix.ts";
import * as shapes from "./shapes.ts";
import { instantiateKernels, type KernelFunctions } from "./simd/kernel-module.ts";
import { Staging } from "./simd/staging.ts";
import { rowCount, rowSize, type Tensor } from "./tensor.ts";
import { nanInChoice } from "./top-k.ts";

const FLOAT_BYTES = 4;
/** Rows in E4M3 are decoded block by block; a block of this size stays in the first or second level of the cache. */
const DECODED_BLOCK_BYTES = 32_768;

/** Kernels over this memory, for one thread. Throws a WorldError "input" when the kernels have not been built. */
export function createSimdKernels(memory: TensorMemory): Kernels {
  return new SimdKernels(memory);
}

/** Something with elements at an address of the shared memory. */
interface Placed {
  readonly address: number;
  readonly data: Float32Array;
}

class SimdKernels implements Kernels {
  readonly name = "simd";
  readonly #functions: KernelFunctions;
  readonly #staging: Staging;
  readonly #memoryBytes: number;

  constructor(memory: TensorMemory) {
    this.#functions = instantiateKernels(memory);
    this.#staging = new Staging(memory);
    this.#memoryBytes = memory.memory.buffer.byteLength;
  }

  matmul(out: Tensor, x: Tensor, weights: PackedMatrix): void {
    shapes.checkMatmul(out, x, weights);
    const { inputSize, outputSize } = weights;
    this.#functions.matmul(this.#at(out), this.#at(x), this.#at(weights), rowCount(x), inputSize, outputSize);
  }

  groupedMatmul(out: Tensor, x: Tensor, rowOffsets: Int32Array, weights: readonly PackedMatrix[]): void {
    shapes.checkGrouped(out, x, rowOffsets, weights);
    const [outAddress, xAddress] = [this.#at(out), this.#at(x)];
    const offsets = this.#staging.input(0, rowOffsets);
    const addresses = this.#staging.integers(1, weights.length);
    for (let expert = 0; expert < weights.length; expert++) addresses[expert] = this.#at(weights[expert]!);
    const table = addresses.byteOffset;
    this.#functions.groupedMatmul(
      outAddress,
      xAddress,
      offsets,
      table,
      weights.length,
      rowSize(x),
      rowSize(out),
    );
  }

  groupedSwiglu(
    out: Tensor,
    x: Tensor | E4M3Rows,
    rowOffsets: Int32Array,
    weights: readonly GatedPair[],
  ): void {
    shapes.checkSwiglu(out, x, rowOffsets, weights);
    const offsets = this.#staging.input(0, rowOffsets);
    const addresses = this.#staging.integers(1, 2 * weights.length);
    for (let expert = 0; expert < weights.length; expert++) {
      const { gate, up } = weights[expert]!;
      addresses[2 * expert] = this.#at(gate);
      addresses[2 * expert + 1] = this.#at(up);
    }
    const [table, experts, n] = [addresses.byteOffset, weights.length, rowSize(out)];
    if ("codes" in x) {
      const blockRows = Math.max(2, Math.floor(DECODED_BLOCK_BYTES / (x.size * FLOAT_BYTES)));
      this.#functions.groupedSwigluE4M3(
        this.#at(out),
        this.#staging.input(2, x.codes),
        this.#staging.input(3, x.scales),
        offsets,
        table,
        experts,
        x.size,
        n,
        this.#staging.scratch(4, blockRows * x.size * FLOAT_BYTES),
        blockRows,
      );
      return;
    }
    this.#functions.groupedSwiglu(this.#at(out), this.#at(x), offsets, table, experts, rowSize(x), n);
  }

  dotRows(out: Tensor, a: StridedRows, b: StridedRows, depth: number): void {
    shapes.checkDotRows(out, a, b, depth);
    this.#functions.dotRows(
      this.#at(out),
      this.#at(a),
      a.stride * FLOAT_BYTES,
      a.rows,
      this.#at(b),
      b.stride * FLOAT_BYTES,
      b.rows,
      depth,
    );
  }

  weightedRows(out: StridedRows, a: Tensor, b: StridedRows, width: number): void {
    shapes.checkWeightedRows(out, a, b, width);
    this.#functions.weightedRows(
      this.#at(out),
      out.stride * FLOAT_BYTES,
      this.#at(a),
      out.rows,
      b.rows,
      this.#at(b),
      b.stride * FLOAT_BYTES,
      width,
    );
  }

  rmsNorm(out: Tensor, x: Tensor, weight: Float32Array, epsilon: number): void {
    shapes.checkRmsNorm(out, x, weight);
    const weightAddress = this.#staging.input(0, weight);
    this.#functions.rmsNorm(this.#at(out), this.#at(x), weightAddress, rowCount(x), rowSize(x), epsilon);
  }

  rope(rows: StridedRows, width: number, positions: Int32Array, tables: RopeTables): void {
    shapes.checkRope(rows, width, positions, tables);
    this.#functions.rope(
      this.#at(rows),
      rows.stride * FLOAT_BYTES,
      rows.rows,
      width,
      this.#staging.input(0, positions),
      this.#at(tables.cosines),
      this.#at(tables.sines),
    );
  }

  softmax(x: Tensor, lengths: Int32Array, scale: number): void {
    shapes.checkSoftmax(x, lengths);
    this.#functions.softmax(this.#at(x), this.#staging.input(0, lengths), lengths.length, rowSize(x), scale);
  }

  sigmoid(out: Tensor, x: Tensor): void {
    shapes.checkSame(out, x, "sigmoid output");
    this.#functions.sigmoid(this.#at(out), this.#at(x), x.data.length);
  }

  add(out: Tensor, x: Tensor): void {
    shapes.checkSame(out, x, "add");
    this.#functions.add(this.#at(out), this.#at(x), x.data.length);
  }

  addGatheredRows(out: Tensor, x: Tensor, rows: Int32Array, factors: Float32Array): void {
    const perRow = shapes.checkGatheredRows(out, x, rows, factors);
    const rowsAddress = this.#staging.input(0, rows);
    const factorsAddress = this.#staging.input(1, factors);
    const [outAddress, xAddress] = [this.#at(out), this.#at(x)];
    const outRows = rowCount(out);
    this.#functions.addGatheredRows(
      outAddress,
      xAddress,
      rowsAddress,
      factorsAddress,
      outRows,
      perRow,
      rowSize(x),
    );
  }

  topK(x: Tensor, k: number, indices: Int32Array, values: Float32Array): void {
    shapes.checkTopK(x, k, indices, values);
    if (k === 0) return;
    const size = rowSize(x);
    const indicesAddress = this.#staging.output(0, indices);
    const valuesAddress = this.#staging.output(1, values);
    const nan = this.#functions.topK(this.#at(x), rowCount(x), size, k, indicesAddress, valuesAddress);
    if (nan >= 0) throw nanInChoice(Math.floor(nan / size), nan % size);
    this.#staging.finish(indicesAddress, indices);
    this.#staging.finish(valuesAddress, values);
  }

  checkFinite(x: Tensor, what: string): void {
    if (this.#functions.allFinite(this.#at(x), x.data.length) === 0) throwAtNonFinite(x, what);
  }

  quantizeE4M3(codes: Uint8Array, scales: Float32Array, x: Tensor, format: ScaleFormat = "f32"): void {
    shapes.checkE4M3(codes, scales, x);
    const codesAddress = this.#staging.output(0, codes);
    const scalesAddress = this.#staging.output(1, scales);
    const isPowerOfTwo = format === "ue8m0" ? 1 : 0;
    this.#functions.quantizeE4M3(
      codesAddress,
      scalesAddress,
      this.#at(x),
      rowCount(x),
      rowSize(x),
      isPowerOfTwo,
    );
    this.#staging.finish(codesAddress, codes);
    this.#staging.finish(scalesAddress, scales);
  }

  dequantizeE4M3(out: Tensor, codes: Uint8Array, scales: Float32Array): void {
    shapes.checkE4M3(codes, scales, out);
    const codesAddress = this.#staging.input(0, codes);
    const scalesAddress = this.#staging.input(1, scales);
    this.#functions.dequantizeE4M3(this.#at(out), codesAddress, scalesAddress, rowCount(out), rowSize(out));
  }

  quantizeBF16(codes: Uint16Array, x: Tensor): void {
    shapes.checkBF16(codes, x);
    const codesAddress = this.#staging.output(0, codes);
    this.#functions.quantizeBF16(codesAddress, this.#at(x), codes.length);
    this.#staging.finish(codesAddress, codes);
  }

  dequantizeBF16(out: Tensor, codes: Uint16Array): void {
    shapes.checkBF16(codes, out);
    this.#functions.dequantizeBF16(this.#at(out), this.#staging.input(0, codes), codes.length);
  }

  /** Compiled code trusts the address, so it must be where the data is, in a memory of this size. */
  #at(placed: Placed): number {
    const { address, data } = placed;
    if (data.byteOffset !== address || data.buffer.byteLength !== this.#memoryBytes) {
      const place = `byte ${data.byteOffset} of another memory`;
      invariant(false, `a tensor at address ${address} has its elements elsewhere: ${place}`);
    }
    return address;
  }
}
