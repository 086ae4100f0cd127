// Writes the values of one slot: reads tensors from a source and packs them into the forms that the layers use.
// It does not know the model's structure. Invariant: it writes every element of its slot, padding included, and no
// other, so that threads may fill different slots at once.

import { type PackedMatrix, packMatrix, type Tensor, type TensorMemory } from "@windtunnel/tensor";
import type { ModelConfig } from "./config.ts";
import { attachSlot, type Slot } from "./weight-slots.ts";
import type { WeightSource } from "./weight-source.ts";
import type { LatentUpWeights } from "./weights.ts";

export function fillSlot(memory: TensorMemory, slot: Slot, config: ModelConfig, source: WeightSource): void {
  const { kind, name, outputSize, inputSize } = slot;
  const views = attachSlot(memory, slot, config);
  switch (kind) {
    case "vector":
      views.vector.set(source.read(name, [inputSize]));
      return;
    case "table":
      views.table.data.set(source.read(name, [outputSize, inputSize]));
      return;
    case "packed":
      fillPacked(memory, views.packed, name, source);
      return;
    case "mlp":
      fillPacked(memory, views.mlp.gate, `${name}gate_proj.weight`, source);
      fillPacked(memory, views.mlp.up, `${name}up_proj.weight`, source);
      fillPacked(memory, views.mlp.down, `${name}down_proj.weight`, source);
      return;
    case "latentUp":
      fillLatentUp(views.latentUp, source.read(name, [outputSize, inputSize]), config);
      return;
  }
}

function fillPacked(memory: TensorMemory, packed: PackedMatrix, name: string, source: WeightSource): void {
  const { inputSize, outputSize } = packed;
  if (source.readPacked !== undefined) {
    source.readPacked(name, packed, memory);
    return;
  }
  packMatrix(tensorOf(packed), source.read(name, [outputSize, inputSize]), outputSize, inputSize);
}

/** `rows` is kv_b_proj [heads · (nope + value), latent]: for each head the rows of its keys, then of its values. */
function fillLatentUp(target: LatentUpWeights, rows: Float32Array, config: ModelConfig): void {
  const { headCount, nopeSize, valueSize, latentSize } = config;
  packMatrix(tensorOf(target.expanded), rows, headCount * (nopeSize + valueSize), latentSize);
  for (let head = 0; head < headCount; head++) {
    const start = head * (nopeSize + valueSize) * latentSize;
    const keys = rows.subarray(start, start + nopeSize * latentSize);
    const values = rows.subarray(start + nopeSize * latentSize, start + (nopeSize + valueSize) * latentSize);
    packMatrix(
      tensorOf(target.absorbedKeys[head]!),
      transposed(keys, nopeSize, latentSize),
      latentSize,
      nopeSize,
    );
    packMatrix(tensorOf(target.absorbedValues[head]!), values, valueSize, latentSize);
  }
}

function transposed(matrix: Float32Array, rowCount: number, columnCount: number): Float32Array {
  const result = new Float32Array(matrix.length);
  for (let row = 0; row < rowCount; row++) {
    for (let column = 0; column < columnCount; column++) {
      result[column * rowCount + row] = matrix[row * columnCount + column]!;
    }
  }
  return result;
}

function tensorOf(packed: PackedMatrix): Tensor {
  return { shape: [packed.data.length], address: packed.address, data: packed.data };
}
