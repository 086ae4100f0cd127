// How near the kernels come to the machine's limit: multiplications and additions on registers only, in the same run.
// Outputs are compared with the plain kernels bit for bit. The speed of shared machines drifts and jumps, so a sample is
// short and the limit is sampled right beside each. Two figures come of it: the ratio of the fastest samples of both,
// which is what the code does on a core left alone, and the median of the ratios of neighbours, which is what it does
// beside whatever else runs.

import { invariant } from "@windtunnel/base";
import {
  type Arena,
  createLimitLoops,
  createSimdKernels,
  type Kernels,
  type LimitLoops,
  plainKernels,
  TensorMemory,
} from "@windtunnel/tensor";
import { type KernelCase, kernelCases } from "./kernel-cases.ts";

export interface KernelBenchRow {
  /** Rows of one table have the same group. */
  readonly group: string;
  readonly name: string;
  /** Multiplications and additions of the products. */
  readonly flops: number;
  /** Fastest sample. */
  readonly simdGflops: number;
  /** The second run, for comparison. */
  readonly plainGflops: number;
  /** Fastest sample of the faster of the two limit loops. */
  readonly limitGflops: number;
  /** simdGflops of limitGflops. */
  readonly percentOfLimit: number;
  /** Median over all samples: of the limit that was measured beside it. */
  readonly medianPercentOfLimit: number;
}

const MEMORY_BYTES = 64 * 1024 ** 2;
/** A sample does at least this much work, a tenth of a millisecond: far above the clock's step, below a slice of time. */
const SAMPLE_FLOPS = 4e6;
const WARM_UP = 40;
const SAMPLES = 201;

export function benchKernels(): KernelBenchRow[] {
  const memory = TensorMemory.create(MEMORY_BYTES);
  const bench = {
    arena: memory.arena(MEMORY_BYTES / 2),
    simd: createSimdKernels(memory),
    limits: createLimitLoops(memory),
  };
  return kernelCases().map((kernelCase) => bench.arena.scope(() => benchCase(bench, kernelCase)));
}

interface Bench {
  readonly arena: Arena;
  readonly simd: Kernels;
  readonly limits: LimitLoops;
}

function benchCase({ arena, simd, limits }: Bench, kernelCase: KernelCase): KernelBenchRow {
  const { group, name, flops } = kernelCase;
  const { out, run } = kernelCase.prepare(arena);
  const expected = arena.tensor(out.shape);
  const plain = () => {
    run(plainKernels, expected);
    return flops;
  };
  plain();
  const plainGflops = speed(plain);
  const repetitions = Math.ceil(SAMPLE_FLOPS / flops);
  const iterations = Math.ceil(SAMPLE_FLOPS / limits.chained(1));
  const samples = sampled([
    () => {
      for (let i = 0; i < repetitions; i++) run(simd, out);
      return repetitions * flops;
    },
    () => limits.chained(iterations),
    () => limits.apart(iterations),
  ]);
  expectSameBits(out.data, expected.data);
  const limitOf = samples.map(([, chained, apart]) => Math.max(chained!, apart!));
  const ratios = samples.map(([simdSpeed], i) => simdSpeed! / limitOf[i]!);
  const simdGflops = Math.max(...samples.map(([simdSpeed]) => simdSpeed!));
  const limitGflops = Math.max(...limitOf);
  return {
    group,
    name,
    flops,
    simdGflops,
    plainGflops,
    limitGflops,
    percentOfLimit: (100 * simdGflops) / limitGflops,
    medianPercentOfLimit: 100 * ratios.sort((a, b) => a - b)[Math.floor(SAMPLES / 2)]!,
  };
}

type Work = () => number;

/** The speeds of all works, which take turns, for each of the samples. */
function sampled(works: readonly Work[]): number[][] {
  for (const work of works) for (let i = 0; i < WARM_UP; i++) work();
  return Array.from({ length: SAMPLES }, () => works.map(speed));
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
