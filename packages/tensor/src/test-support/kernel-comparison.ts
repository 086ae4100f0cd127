// For tests: inputs of every shape, and results of both kernels compared as bit patterns.

import { RandomStream } from "@windtunnel/base";
import { expect } from "vitest";
import {
  type Arena,
  createSimdKernels,
  type Kernels,
  packedElementCount,
  type PackedMatrix,
  packMatrix,
  plainKernels,
  type StridedRows,
  type Tensor,
  TensorMemory,
} from "../index.ts";

// Both kernels compute every case from the same inputs; results are compared as bit patterns.
export const FIXED_SEED = 20_241_226;
const FRESH_SEED = Number(process.env["WINDTUNNEL_TEST_SEED"] ?? process.pid);
const SEEDS = [FIXED_SEED, FRESH_SEED];

function repeatWith(seed: number): string {
  return `WINDTUNNEL_TEST_SEED=${seed} npx vitest run --project unit packages/tensor`;
}

const memory: TensorMemory = TensorMemory.create(96 * 1024 ** 2);
export const arena: Arena = memory.arena(80 * 1024 ** 2);
export const simd: Kernels = createSimdKernels(memory);
export const both: readonly Kernels[] = [plainKernels, simd];

/** Seeded inputs: shapes that hit every remainder, values of many magnitudes, zeros of both signs. */
export class Draw {
  readonly stream: RandomStream;
  constructor(seed: number, name: string) {
    this.stream = new RandomStream(seed, name);
  }

  size(largest: number): number {
    return 1 + this.stream.below(largest);
  }

  count(largest: number): number {
    return this.stream.below(largest + 1);
  }

  value(): number {
    const kind = this.stream.below(16);
    if (kind === 0) return 0;
    if (kind === 1) return -0;
    const spread = kind === 2 ? 8 : kind === 3 ? 1e-3 : 1;
    return this.stream.normal() * spread;
  }

  tensor(...shape: number[]): Tensor {
    const tensor = arena.tensor(shape);
    for (let i = 0; i < tensor.data.length; i++) tensor.data[i] = this.value();
    return tensor;
  }

  strided(rows: number, width: number): StridedRows {
    const stride = width + this.count(5);
    const { address, data } = this.tensor(rows, stride);
    return { rows, stride, address, data };
  }

  weights(outputSize: number, inputSize: number): { packed: PackedMatrix; rowMajor: Tensor } {
    const rowMajor = this.tensor(outputSize, inputSize);
    const into = arena.tensor([packedElementCount(outputSize, inputSize)]);
    return { packed: packMatrix(into, rowMajor.data, outputSize, inputSize), rowMajor };
  }

  positions(count: number, below: number): Int32Array {
    return Int32Array.from({ length: count }, () => this.stream.below(below));
  }
}

export function copyOf(tensor: Tensor): Tensor {
  const copy = arena.tensor(tensor.shape);
  copy.data.set(tensor.data);
  return copy;
}

function bitsOf(array: Float32Array): Int32Array {
  return new Int32Array(array.buffer, array.byteOffset, array.length);
}

/** Expects the same bits; says the first difference instead of printing two arrays. */
export function expectSameBits(actual: Float32Array, expected: Float32Array, what: string): void {
  const [actualBits, expectedBits] = [bitsOf(actual), bitsOf(expected)];
  const at = actualBits.findIndex((pattern, i) => pattern !== expectedBits[i]);
  expect(at === -1 ? "same bits" : `${what}: element ${at} is ${actual[at]}, plain has ${expected[at]}`).toBe(
    "same bits",
  );
}

/** |actual − expected| at most `relative` of the sum's magnitude. */
export function expectClose(actual: number, expected: number, magnitude: number, relative = 2e-6): void {
  expect(Math.abs(actual - expected)).toBeLessThanOrEqual(relative * magnitude + 1e-30);
}

/** Runs `body` `times` for both seeds; a failure names the seed and how to repeat it. */
export function forSeeds(name: string, times: number, body: (draw: Draw) => void): void {
  for (const seed of SEEDS) {
    for (let round = 0; round < times; round++) {
      try {
        arena.scope(() => body(new Draw(seed, `${name} ${round}`)));
      } catch (error) {
        throw new Error(`seed ${seed}, round ${round}; repeat with: ${repeatWith(seed)}`, { cause: error });
      }
    }
  }
}

/** The results of both kernels for an out tensor filled with rubbish first. */
export function results(
  shape: readonly number[],
  run: (kernels: Kernels, out: Tensor) => void,
): [Tensor, Tensor] {
  const [plain, fast] = both.map((kernels) => {
    const out = arena.tensor(shape);
    out.data.fill(Number.NaN);
    run(kernels, out);
    return out;
  });
  return [plain!, fast!];
}

export function expectSameResults(
  shape: readonly number[],
  run: (kernels: Kernels, out: Tensor) => void,
): Tensor {
  const [plain, fast] = results(shape, run);
  expectSameBits(fast.data, plain.data, shape.join("×"));
  return plain;
}
