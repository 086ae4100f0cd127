// A slot is one place in the weights' memory: what kind of tensor lies there, its sizes and its address. It knows how
// many bytes a kind takes and how it is seen, and nothing of where values come from.
// Invariant: every matrix of a slot begins at a multiple of 64 bytes.

import { packedElementCount, type PackedMatrix, type Tensor, type TensorMemory } from "@windtunnel/tensor";
import type { ModelConfig } from "./config.ts";
import type { LatentUpWeights, MlpWeights } from "./weights.ts";

/** What a slot of each kind is seen as. */
export interface SlotViews {
  /** [inputSize] */
  readonly vector: Float32Array;
  /** [outputSize, inputSize], row-major. */
  readonly table: Tensor;
  readonly packed: PackedMatrix;
  /** Gate, up and down projection: outputSize is the inner size, inputSize the hidden one. */
  readonly mlp: MlpWeights;
  /** kv_b_proj in three forms. */
  readonly latentUp: LatentUpWeights;
}

export type SlotKind = keyof SlotViews;

export interface Slot {
  readonly kind: SlotKind;
  /** The tensor's name; for an MLP the prefix of its three. */
  readonly name: string;
  readonly outputSize: number;
  readonly inputSize: number;
  readonly address: number;
}

const ALIGNMENT = 64;

const BYTES_BY_KIND: Record<SlotKind, (slot: Slot, config: ModelConfig) => number> = {
  vector: (slot) => rowMajorBytes(slot),
  table: (slot) => rowMajorBytes(slot),
  packed: (slot) => packedBytes(slot.outputSize, slot.inputSize),
  mlp: ({ outputSize, inputSize }) =>
    2 * packedBytes(outputSize, inputSize) + packedBytes(inputSize, outputSize),
  latentUp: ({ outputSize, inputSize }, { headCount, nopeSize, valueSize }) =>
    packedBytes(outputSize, inputSize) +
    headCount * (packedBytes(inputSize, nopeSize) + packedBytes(valueSize, inputSize)),
};

/** Bytes that the slot takes, rounded up so that the next one is aligned. */
export function slotBytes(slot: Slot, config: ModelConfig): number {
  return BYTES_BY_KIND[slot.kind](slot, config);
}

/** The slot as the layers see it. A view is made when its property is asked for, which is that of the kind. */
export function attachSlot(memory: TensorMemory, slot: Slot, config: ModelConfig): SlotViews {
  return {
    get vector() {
      return memory.at(slot.address, [slot.inputSize]).data;
    },
    get table() {
      return memory.at(slot.address, [slot.outputSize, slot.inputSize]);
    },
    get packed() {
      return packedAt(memory, slot.address, slot.outputSize, slot.inputSize);
    },
    get mlp() {
      const { address, outputSize: innerSize, inputSize: hiddenSize } = slot;
      const gateBytes = packedBytes(innerSize, hiddenSize);
      return {
        gate: packedAt(memory, address, innerSize, hiddenSize),
        up: packedAt(memory, address + gateBytes, innerSize, hiddenSize),
        down: packedAt(memory, address + 2 * gateBytes, hiddenSize, innerSize),
      };
    },
    get latentUp() {
      return attachLatentUp(memory, slot, config);
    },
  };
}

function attachLatentUp(memory: TensorMemory, slot: Slot, config: ModelConfig): LatentUpWeights {
  const { inputSize: latentSize } = slot;
  const { headCount, nopeSize, valueSize } = config;
  const keysAddress = slot.address + packedBytes(slot.outputSize, latentSize);
  const keyBytes = packedBytes(latentSize, nopeSize);
  const valuesAddress = keysAddress + headCount * keyBytes;
  const valueBytes = packedBytes(valueSize, latentSize);
  const heads = Array.from({ length: headCount }, (_, head) => head);
  return {
    expanded: packedAt(memory, slot.address, slot.outputSize, latentSize),
    absorbedKeys: heads.map((head) => packedAt(memory, keysAddress + head * keyBytes, latentSize, nopeSize)),
    absorbedValues: heads.map((head) =>
      packedAt(memory, valuesAddress + head * valueBytes, valueSize, latentSize),
    ),
  };
}

function packedAt(
  memory: TensorMemory,
  address: number,
  outputSize: number,
  inputSize: number,
): PackedMatrix {
  const { data } = memory.at(address, [packedElementCount(outputSize, inputSize)]);
  return { inputSize, outputSize, address, data };
}

function rowMajorBytes(slot: Slot): number {
  return aligned(slot.outputSize * slot.inputSize * Float32Array.BYTES_PER_ELEMENT);
}

function packedBytes(outputSize: number, inputSize: number): number {
  return aligned(packedElementCount(outputSize, inputSize) * Float32Array.BYTES_PER_ELEMENT);
}

function aligned(bytes: number): number {
  return Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
}
