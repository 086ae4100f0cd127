// Writes the values of one slot: reads tensors from a source and packs them into the forms that the layers use.
// It does not know the model's structure. Invariant: it writes every element of its slot, padding included, and no
// other, so that threads may fill different slots at once.

import {
  PANEL_WIDTH,
  type PackedMatrix,
  packMatrix,
  type Tensor,
  type TensorMemory,
} from "@windtunnel/tensor";
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
      fillPacked(views.packed, [{ name, outputSize }], source);
      return;
    case "mlp": {
      const gateUp = ["gate_proj", "up_proj"].map((part) => ({ name: `${name}${part}.weight`, outputSize }));
      fillPacked(views.mlp.gateUp, gateUp, source);
      fillPacked(views.mlp.down, [{ name: `${name}down_proj.weight`, outputSize: inputSize }], source);
      return;
    }
    case "latentUp":
      fillLatentUp(views.latentUp, source.read(name, [outputSize, inputSize]), config);
      return;
  }
}

interface MatrixPart {
  readonly name: string;
  readonly outputSize: number;
}

/** Packs the parts below each other as one matrix. */
function fillPacked(packed: PackedMatrix, parts: readonly MatrixPart[], source: WeightSource): void {
  const { inputSize, outputSize } = packed;
  if (source.readPacked !== undefined) {
    let firstRow = 0;
    if (outputSize % PANEL_WIDTH !== 0) packed.data.fill(0);
    for (const part of parts) {
      source.readPacked(part.name, [part.outputSize, inputSize], packed.data, firstRow);
      firstRow += part.outputSize;
    }
    return;
  }
  const rows = new Float32Array(outputSize * inputSize);
  let end = 0;
  for (const part of parts) {
    rows.set(source.read(part.name, [part.outputSize, inputSize]), end);
    end += part.outputSize * inputSize;
  }
  packMatrix(tensorOf(packed), rows, outputSize, inputSize);
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
