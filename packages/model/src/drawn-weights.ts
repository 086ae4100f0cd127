// Weights drawn from a seed by a counter: value i of a tensor depends on (seed, tensor name, i) and on nothing else,
// so whoever draws a tensor, in whatever order or layout, gets the same bits.
//
// Each tensor walks a Weyl sequence of its own (an odd step and an offset, both from its key) through a 32-bit mixer;
// two tensors share no run of values. Values are uniform with standard deviation 1/sqrt(fan in), which keeps the
// output of every projection near the size of its input: each layer adds about one unit to the residual stream, and
// the norms take care of the rest over any number of layers. Gate logits then have deviation 1; a correction bias of
// deviation 0.02 moves the choice of the best experts as much as 0.17 in their logits: uneven, but no expert starves.

import { invariant, mix32, streamKey } from "@windtunnel/base";
import {
  createPackedDrawing,
  type DrawnValues,
  type DrawPacked,
  type TensorMemory,
} from "@windtunnel/tensor";
import { EMBEDDING_NAME } from "./tensor-names.ts";
import type { WeightSource } from "./weight-source.ts";

const CORRECTION_BIAS_DEVIATION = 0.02;

/** The weights that `seed` gives; shapes come from whoever reads. */
export function drawnWeights(seed: number): WeightSource {
  invariant(Number.isSafeInteger(seed), `a seed is an integer, not ${seed}`);
  let drawing: { readonly memory: TensorMemory; readonly draw: DrawPacked } | undefined;
  return {
    description: `weights drawn from seed ${seed}`,
    read(name, shape) {
      const size = shape.reduce((product, length) => product * length, 1);
      const values = new Float32Array(size);
      return isNorm(name) ? values.fill(1) : drawRowMajor(values, valuesOf(seed, name, shape));
    },
    readPacked(name, packed, memory) {
      if (drawing?.memory !== memory) drawing = { memory, draw: createPackedDrawing(memory) };
      drawing.draw(packed, valuesOf(seed, name, [packed.outputSize, packed.inputSize]));
    },
  };
}

/** The plain version of what `createPackedDrawing` does. */
function drawRowMajor(into: Float32Array, { offset, step, factor }: DrawnValues): Float32Array {
  let state = offset;
  for (let i = 0; i < into.length; i++) {
    into[i] = (mix32(state) | 0) * factor;
    state = (state + step) | 0;
  }
  return into;
}

/** The step is odd, so that the walk visits every 32-bit number once. */
function valuesOf(seed: number, name: string, shape: readonly number[]): DrawnValues {
  const key = streamKey(seed, name);
  // A uniform value in [-a, a) has deviation a / sqrt(3).
  const factor = (deviationOf(name, shape) * Math.sqrt(3)) / 2 ** 31;
  return { step: mix32(key ^ 0x9e3779b9) | 1, offset: key | 0, factor };
}

function deviationOf(name: string, shape: readonly number[]): number {
  if (name.endsWith("e_score_correction_bias")) return CORRECTION_BIAS_DEVIATION;
  if (name === EMBEDDING_NAME) return 1;
  const fanIn = shape.at(-1);
  invariant(shape.length === 2 && fanIn !== undefined, `${name} is no matrix: ${shape.join("×")}`);
  return 1 / Math.sqrt(fanIn);
}

function isNorm(name: string): boolean {
  return name.endsWith("norm.weight");
}
