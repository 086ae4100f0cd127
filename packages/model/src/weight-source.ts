// Where weights come from: a checkpoint or a seed. Whoever asks, and in whatever order, gets the same values.

import type { PackedMatrix, TensorMemory } from "@windtunnel/tensor";

export interface WeightSource {
  /** For messages: a folder, or a preset and its seed. */
  readonly description: string;

  /** The tensor, row-major as checkpoints hold it: [out, in] for matrices. Every value is finite. */
  read(name: string, shape: readonly number[]): Float32Array;

  /**
   * Where it is faster than `read`: writes the matrix [out, in] to `packed`, which lies in `memory`, padding included.
   * The values are those of `read`.
   */
  readPacked?(name: string, packed: PackedMatrix, memory: TensorMemory): void;
}
