// How near the matrix product comes to the machine's limit: one row for each shape and number of rows.
// Inputs are seeded, outputs are compared with the plain kernels bit for bit, speeds are medians after a warm-up.
// Samples of the limit alternate with samples of the product, because the speed of shared machines drifts.

import { invariant, RandomStream } from "@windtunnel/base";
import {
  type Arena,
  createLimitLoops,
  createSimdKernels,
  type Kernels,
  type LimitLoops,
  packedElementCount,
  packMatrix,
  plainKernels,
  type Tensor,
  TensorMemory,
} from "@windtunnel/tensor";

export interface MatmulBenchRow extends MatmulShape {
  /** 2 · rows · inputSize · outputSize. */
  readonly flops: number;
  readonly simdGflops: number;
  readonly plainGflops: number;
  /** Multiplications and additions on registers only, measured in turn with this row. */
  readonly limitGflops: number;
  readonly percentOfLimit: number;
}

interface MatmulShape {
  readonly inputSize: number;
  readonly outputSize: number;
  readonly rows: number;
}

/** An expert of the small model: gate and up fused (2 · 128 outputs), over two widths of its input. */
const INPUT_SIZES = [256, 128];
const OUTPUT_SIZE = 256;
const ROW_COUNTS = [4, 16, 64, 256];
const SEED = 7;
const MEMORY_BYTES = 4 * 1024 ** 2;
/** A sample does at least this much work, several tenths of a millisecond: far above the clock's step. */
const SAMPLE_FLOPS = 1e7;
/** The plain kernels are about a hundred times slower. */
const PLAIN_SAMPLE_FLOPS = 5e6;
/** 384 flops an iteration. */
const LIMIT_ITERATIONS = 26_000;
const WARM_UP = 20;
const SAMPLES = 101;

export function benchMatmul(): MatmulBenchRow[] {
  const memory = TensorMemory.create(MEMORY_BYTES);
  const arena = memory.arena(MEMORY_BYTES / 2);
  const bench = { arena, simd: createSimdKernels(memory), limits: createLimitLoops(memory) };
  const shapes = INPUT_SIZES.flatMap((inputSize) =>
    ROW_COUNTS.map((rows) => ({ inputSize, outputSize: OUTPUT_SIZE, rows })),
  );
  return shapes.map((shape) => arena.scope(() => benchShape(bench, shape)));
}

interface Bench {
  readonly arena: Arena;
  readonly simd: Kernels;
  readonly limits: LimitLoops;
}

function benchShape({ arena, simd, limits }: Bench, shape: MatmulShape): MatmulBenchRow {
  const { inputSize, outputSize, rows } = shape;
  const random = new RandomStream(SEED, "matmul bench");
  const rowMajor = drawn(arena.tensor([outputSize, inputSize]), random);
  const packed = arena.tensor([packedElementCount(outputSize, inputSize)]);
  const weights = packMatrix(packed, rowMajor.data, outputSize, inputSize);
  const x = drawn(arena.tensor([rows, inputSize]), random);
  const expected = arena.tensor([rows, outputSize]);
  const out = arena.tensor([rows, outputSize]);

  const flops = 2 * rows * inputSize * outputSize;
  const products = (kernels: Kernels, into: Tensor, repetitions: number) => {
    for (let i = 0; i < repetitions; i++) kernels.matmul(into, x, weights);
    return repetitions * flops;
  };
  const repetitions = Math.ceil(SAMPLE_FLOPS / flops);
  const [simdGflops, chained, apart] = medianGflops([
    () => products(simd, out, repetitions),
    () => limits.chained(LIMIT_ITERATIONS),
    () => limits.apart(LIMIT_ITERATIONS),
  ]);
  const limitGflops = Math.max(chained, apart);
  const plain = () => products(plainKernels, expected, Math.ceil(PLAIN_SAMPLE_FLOPS / flops));
  plain();
  const plainGflops = speed(plain);
  expectSameBits(out.data, expected.data);
  const percentOfLimit = (100 * simdGflops) / limitGflops;
  return { ...shape, flops, simdGflops, plainGflops, limitGflops, percentOfLimit };
}

function drawn(tensor: Tensor, random: RandomStream): Tensor {
  for (let i = 0; i < tensor.data.length; i++) tensor.data[i] = random.normal();
  return tensor;
}

type Work = () => number;

/** The median speed of each work; their samples take turns. */
function medianGflops<Works extends readonly Work[]>(
  works: readonly [...Works],
): { [K in keyof Works]: number } {
  for (const work of works) for (let i = 0; i < WARM_UP; i++) work();
  const speeds: number[][] = works.map(() => []);
  for (let i = 0; i < SAMPLES; i++) {
    for (const [index, work] of works.entries()) speeds[index]!.push(speed(work));
  }
  const medians = speeds.map((list) => list.sort((a, b) => a - b)[Math.floor(SAMPLES / 2)]!);
  return medians as { [K in keyof Works]: number };
}

/** Gflop/s of one run of `work`, which returns the flops that it did. */
function speed(work: Work): number {
  const start = performance.now();
  const flops = work();
  return flops / (performance.now() - start) / 1e6;
}

function expectSameBits(actual: Float32Array, expected: Float32Array): void {
  const [actualBits, expectedBits] = [actual, expected].map(
    (array) => new Int32Array(array.buffer, array.byteOffset, array.length),
  );
  const at = actualBits!.findIndex((pattern, i) => pattern !== expectedBits![i]);
  invariant(at === -1, `simd and plain differ at element ${at}: ${actual[at]} and ${expected[at]}`);
}
