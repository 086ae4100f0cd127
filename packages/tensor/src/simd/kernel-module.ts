// The compiled kernels: kernels/kernels.wasm, read and compiled once per thread, instantiated over a tensor memory.
// The functions take byte addresses and counts and trust them; simd-kernels.ts checks shapes before each call.

import { readFileSync } from "node:fs";
import { WorldError } from "@windtunnel/base";
import type { TensorMemory } from "../memory.ts";

type Address = number;
type Count = number;
/** From row to row. */
type StrideBytes = number;

/** The exports of kernels/index.ts; addresses and strides in bytes, counts and sizes in elements. */
export interface KernelFunctions {
  /** Fills the reserved bytes that the other functions read; every thread writes the same. */
  writeConstants(): void;
  matmul(out: Address, x: Address, weights: Address, rows: Count, k: Count, n: Count): void;
  groupedMatmul(
    out: Address,
    x: Address,
    offsets: Address,
    weights: Address,
    experts: Count,
    k: Count,
    n: Count,
  ): void;
  groupedSwiglu(
    out: Address,
    x: Address,
    offsets: Address,
    weights: Address,
    experts: Count,
    k: Count,
    n: Count,
  ): void;
  /** `block` has room for blockRows decoded rows. */
  groupedSwigluE4M3(
    out: Address,
    codes: Address,
    scales: Address,
    offsets: Address,
    weights: Address,
    experts: Count,
    k: Count,
    n: Count,
    block: Address,
    blockRows: Count,
  ): void;
  dotRows(
    out: Address,
    a: Address,
    aStride: StrideBytes,
    aRows: Count,
    b: Address,
    bStride: StrideBytes,
    bRows: Count,
    depth: Count,
  ): void;
  weightedRows(
    out: Address,
    outStride: StrideBytes,
    a: Address,
    rows: Count,
    count: Count,
    b: Address,
    bStride: StrideBytes,
    width: Count,
  ): void;
  rmsNorm(out: Address, x: Address, weight: Address, rows: Count, size: Count, epsilon: number): void;
  rope(
    rows: Address,
    stride: StrideBytes,
    rowCount: Count,
    width: Count,
    positions: Address,
    cosines: Address,
    sines: Address,
  ): void;
  softmax(x: Address, lengths: Address, rows: Count, size: Count, scale: number): void;
  sigmoid(out: Address, x: Address, count: Count): void;
  add(out: Address, x: Address, count: Count): void;
  addGatheredRows(
    out: Address,
    x: Address,
    rows: Address,
    factors: Address,
    outRows: Count,
    perRow: Count,
    size: Count,
  ): void;
  /** Where the first NaN stands, counted over all rows; -1 without one. */
  topK(x: Address, rows: Count, size: Count, k: Count, indices: Address, values: Address): number;
  allFinite(x: Address, count: Count): 0 | 1;
  /** `isPowerOfTwo`: 1 if scales are rounded up to powers of two. */
  quantizeE4M3(
    codes: Address,
    scales: Address,
    x: Address,
    rows: Count,
    size: Count,
    isPowerOfTwo: number,
  ): void;
  dequantizeE4M3(out: Address, codes: Address, scales: Address, rows: Count, size: Count): void;
  quantizeBF16(codes: Address, x: Address, count: Count): void;
  dequantizeBF16(out: Address, codes: Address, count: Count): void;
  /** See src/packed-drawing.ts. */
  drawPacked(out: Address, n: Count, k: Count, offset: number, step: number, factor: number): void;
  limitLoop(iterations: Count, factor: number, summand: number): number;
  limitLoopApart(iterations: Count, constant: number): number;
}

const KERNELS = new URL("../../kernels/kernels.wasm", import.meta.url);
let compiled: WebAssembly.Module | undefined;

function compileOnce(): WebAssembly.Module {
  compiled ??= new WebAssembly.Module(readKernels());
  return compiled;
}

function readKernels(): Uint8Array {
  try {
    return readFileSync(KERNELS);
  } catch (error) {
    if (!isMissingFile(error)) throw error;
    throw new WorldError("input", "the WebAssembly kernels are not built; run `npx turbo run kernels`", {
      file: KERNELS.pathname,
    });
  }
}

function isMissingFile(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}

/** The kernels over this memory. Throws a WorldError "input" when they have not been built. */
export function instantiateKernels(memory: TensorMemory): KernelFunctions {
  const instance = new WebAssembly.Instance(compileOnce(), { env: { memory: memory.memory } });
  const functions = instance.exports as unknown as KernelFunctions;
  functions.writeConstants();
  return functions;
}
