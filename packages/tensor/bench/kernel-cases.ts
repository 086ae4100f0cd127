// What the benchmark of the kernels runs: products at the shapes of an expert of the preset v3-scale (hidden 256, inner
// 128), alone, fused, grouped and from FP8, and absorbed attention at its heads. Inputs are seeded. A case knows no clock.

import { RandomStream } from "@windtunnel/base";
import {
  type Arena,
  type E4M3Rows,
  type GatedPair,
  type Kernels,
  packedElementCount,
  type PackedMatrix,
  packMatrix,
  plainKernels,
  type StridedRows,
  type Tensor,
} from "@windtunnel/tensor";

export interface KernelCase {
  /** Rows of one table have the same group. */
  readonly group: string;
  readonly name: string;
  /** Multiplications and additions of the products; what else a fused kernel computes is not counted. */
  readonly flops: number;
  /** Takes what the case needs from the arena. */
  readonly prepare: (arena: Arena) => PreparedCase;
}

export interface PreparedCase {
  readonly out: Tensor;
  readonly run: (kernels: Kernels, out: Tensor) => void;
}

const SEED = 7;
const HIDDEN = 256;
const INNER = 128;
const EXPERTS = 32;
const HEADS = 8;
const LATENT = 64;
const ROPE = 16;

export function kernelCases(): KernelCase[] {
  return [
    ...[HIDDEN, INNER].flatMap((inputSize) => [4, 16, 64, 256].map((rows) => product(rows, inputSize, 256))),
    ...[4, 16, 64, 256].map((rows) => gated(rows, "f32")),
    ...[4, 16, 64, 256].map((rows) => gated(rows, "fp8")),
    ...[1, 2, 4, 16].map(grouped),
    ...[128, 1024].map(attention),
  ];
}

function product(rows: number, inputSize: number, outputSize: number): KernelCase {
  return {
    group: "Matrix products at expert shapes",
    name: `${rows} x ${inputSize} x ${outputSize}`,
    flops: 2 * rows * inputSize * outputSize,
    prepare(arena) {
      const draw = new Draw(arena);
      const [weights, x] = [draw.weights(outputSize, inputSize), draw.tensor([rows, inputSize])];
      return {
        out: arena.tensor([rows, outputSize]),
        run: (kernels, out) => kernels.matmul(out, x, weights),
      };
    },
  };
}

/** Gate and up of one expert with SwiGLU. */
function gated(rows: number, precision: "f32" | "fp8"): KernelCase {
  return {
    group: `Gate, up and SwiGLU fused${precision === "fp8" ? ", rows in FP8" : ""}`,
    name: `${rows} x ${HIDDEN} x 2·${INNER}`,
    flops: 2 * rows * HIDDEN * 2 * INNER,
    prepare(arena) {
      const draw = new Draw(arena);
      const offsets = arena.integers(2);
      offsets.set([0, rows]);
      const weights = [draw.pair(INNER, HIDDEN)];
      const drawn = draw.tensor([rows, HIDDEN]);
      const x = precision === "fp8" ? encoded(arena, drawn) : drawn;
      return {
        out: arena.tensor([rows, INNER]),
        run: (kernels, out) => kernels.groupedSwiglu(out, x, offsets, weights),
      };
    },
  };
}

/** A rank's experts, each with a few rows: weights come from beyond the second level of the cache. */
function grouped(rowsOfExpert: number): KernelCase {
  const rows = EXPERTS * rowsOfExpert;
  return {
    group: `Gate, up and SwiGLU of ${EXPERTS} experts in one call`,
    name: `${EXPERTS} x ${rowsOfExpert} x ${HIDDEN} x 2·${INNER}`,
    flops: 2 * rows * HIDDEN * 2 * INNER,
    prepare(arena) {
      const draw = new Draw(arena);
      const offsets = arena.integers(EXPERTS + 1);
      for (let expert = 0; expert <= EXPERTS; expert++) offsets[expert] = expert * rowsOfExpert;
      const weights = Array.from({ length: EXPERTS }, () => draw.pair(INNER, HIDDEN));
      const x = draw.tensor([rows, HIDDEN]);
      return {
        out: arena.tensor([rows, INNER]),
        run: (kernels, out) => kernels.groupedSwiglu(out, x, offsets, weights),
      };
    },
  };
}

/** All heads of one row over the latents where they are cached: scores, softmax, mix. */
function attention(positions: number): KernelCase {
  return {
    group: "Absorbed attention over the latent cache",
    name: `${HEADS} heads x ${positions} positions x ${LATENT}+${ROPE}`,
    flops: 2 * HEADS * positions * (2 * LATENT + ROPE),
    prepare(arena) {
      const draw = new Draw(arena);
      const cache = draw.tensor([positions, LATENT + ROPE]);
      const [latents, keys] = [strided(cache, 0, LATENT + ROPE), strided(cache, LATENT, LATENT + ROPE)];
      const queries = strided(draw.tensor([HEADS, LATENT]), 0, LATENT);
      const rotatedQueries = strided(draw.tensor([HEADS, ROPE]), 0, ROPE);
      const [scores, rotated] = [arena.tensor([HEADS, positions]), arena.tensor([HEADS, positions])];
      const lengths = arena.integers(HEADS).fill(positions);
      return {
        out: arena.tensor([HEADS, LATENT]),
        run(kernels, out) {
          kernels.dotRows(scores, queries, latents, LATENT);
          kernels.dotRows(rotated, rotatedQueries, keys, ROPE);
          kernels.add(scores, rotated);
          kernels.softmax(scores, lengths, 0.1);
          kernels.weightedRows(strided(out, 0, LATENT), scores, latents, LATENT);
        },
      };
    },
  };
}

function strided(tensor: Tensor, offset: number, stride: number): StridedRows {
  const address = tensor.address + offset * Float32Array.BYTES_PER_ELEMENT;
  return { rows: tensor.data.length / stride, stride, address, data: tensor.data.subarray(offset) };
}

function encoded(arena: Arena, x: Tensor): E4M3Rows {
  const [rows, size] = x.shape as [number, number];
  const codes = arena.bytes(rows * size);
  const scales = arena.tensor([rows, Math.ceil(size / 128)]).data;
  plainKernels.quantizeE4M3(codes, scales, x);
  return { rows, size, codes, scales };
}

class Draw {
  readonly #arena: Arena;
  readonly #random = new RandomStream(SEED, "kernel bench");

  constructor(arena: Arena) {
    this.#arena = arena;
  }

  tensor(shape: readonly number[]): Tensor {
    const tensor = this.#arena.tensor(shape);
    for (let i = 0; i < tensor.data.length; i++) tensor.data[i] = this.#random.normal();
    return tensor;
  }

  weights(outputSize: number, inputSize: number): PackedMatrix {
    const rowMajor = this.tensor([outputSize, inputSize]);
    const packed = this.#arena.tensor([packedElementCount(outputSize, inputSize)]);
    return packMatrix(packed, rowMajor.data, outputSize, inputSize);
  }

  pair(outputSize: number, inputSize: number): GatedPair {
    return { gate: this.weights(outputSize, inputSize), up: this.weights(outputSize, inputSize) };
  }
}
