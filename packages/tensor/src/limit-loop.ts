// The machine's own limit for kernels without fused operations: multiplications and additions on registers only.
// Benchmarks divide by it. It knows no tensor and reads no clock.

import type { TensorMemory } from "./memory.ts";
import { instantiateKernels } from "./simd/kernel-module.ts";

/** Runs the loop and returns the floating-point operations that it did. */
export type LimitLoop = (iterations: number) => number;

/** 12 chains of 4 lanes; a chained iteration does a multiplication and an addition on each, four times. */
const CHAINED_FLOPS = 12 * 4 * 2 * 4;
/** 14 chains of 4 lanes; an iteration apart does one operation on each, seven times. */
const APART_FLOPS = 14 * 4 * 7;

export interface LimitLoops {
  /** x · c + d in twelve chains. */
  readonly chained: LimitLoop;
  /** Seven chains of multiplications beside seven of additions. */
  readonly apart: LimitLoop;
}

/** Two loops, because processors share their ports differently between the two operations: take the faster. */
export function createLimitLoops(memory: TensorMemory): LimitLoops {
  const functions = instantiateKernels(memory);
  return {
    // x · 0.5 + 1 runs to 2; x · 1 stays and x + 1 grows: all stay clear of subnormals and infinities.
    chained: (iterations) => consumed(functions.limitLoop(iterations, 0.5, 1), iterations * CHAINED_FLOPS),
    apart: (iterations) => consumed(functions.limitLoopApart(iterations, 1), iterations * APART_FLOPS),
  };
}

/** The flops, if the result is a number: a loop whose result nobody reads might be left out. */
function consumed(result: number, flops: number): number {
  return Number.isNaN(result) ? 0 : flops;
}
