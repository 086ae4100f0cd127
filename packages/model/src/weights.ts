// The weights of a model as the layers use them, packed in shared memory. A process holds them once: one thread
// makes the layout, any number of threads fill it, and each attaches by its plain description.
// It does not know where weights come from or who holds which expert. Invariant: addresses follow from the layout
// alone, so that every thread that has the layout sees the same matrices.

import { invariant } from "@windtunnel/base";
import type { GatedPair, PackedMatrix, Tensor, TensorMemory } from "@windtunnel/tensor";
import { isMoeLayer, type ModelConfig } from "./config.ts";
import { EMBEDDING_NAME, expertPrefix, FINAL_NORM_NAME, headName, layerPrefix } from "./tensor-names.ts";
import { fillSlot } from "./weight-filling.ts";
import { attachSlot, type Slot, slotBytes, type SlotKind, type SlotViews } from "./weight-slots.ts";
import type { WeightSource } from "./weight-source.ts";

/** SwiGLU: gate and up are [inner, hidden], down is [hidden, inner]. */
export interface MlpWeights extends GatedPair {
  readonly down: PackedMatrix;
}

/** The up-projection of latents to keys and values, in the forms of both kinds of attention. */
export interface LatentUpWeights {
  /** [heads · (nope + value), latent] */
  readonly expanded: PackedMatrix;
  /** For each head [latent, nope]: a query's nope part becomes a query for latents (UKᵀ). */
  readonly absorbedKeys: readonly PackedMatrix[];
  /** For each head [value, latent] (UV). */
  readonly absorbedValues: readonly PackedMatrix[];
}

export interface AttentionWeights {
  readonly inputNorm: Float32Array;
  /** [queryRank, hidden] and its norm; null where queries are not compressed. */
  readonly queryDown: PackedMatrix | null;
  readonly queryNorm: Float32Array | null;
  /** [heads · (nope + rope), queryRank or hidden] */
  readonly query: PackedMatrix;
  /** [latent + rope, hidden] */
  readonly latentDown: PackedMatrix;
  readonly latentNorm: Float32Array;
  readonly latentUp: LatentUpWeights;
  /** [hidden, heads · value] */
  readonly output: PackedMatrix;
}

export interface GateWeights {
  /** [experts, hidden] */
  readonly projection: PackedMatrix;
  /** The correction bias [experts]; null where the selection has none. */
  readonly correctionBias: Float32Array | null;
}

export interface MoeWeights {
  readonly kind: "moe";
  readonly gate: GateWeights;
  readonly shared: MlpWeights | null;
  /** By expert; null for those that this process does not hold. */
  readonly experts: readonly (MlpWeights | null)[];
}

export interface DenseWeights {
  readonly kind: "dense";
  readonly mlp: MlpWeights;
}

export interface LayerWeights {
  readonly attention: AttentionWeights;
  readonly feedForwardNorm: Float32Array;
  readonly feedForward: DenseWeights | MoeWeights;
}

export interface ModelWeights {
  readonly layout: WeightsLayout;
  /** [vocabulary, hidden], row-major for lookups. */
  readonly embedding: Tensor;
  readonly finalNorm: Float32Array;
  /** [vocabulary, hidden] */
  readonly head: PackedMatrix;
  readonly layers: readonly LayerWeights[];
}

/** Plain data: crosses to other threads as it is. */
export interface WeightsLayout {
  readonly config: ModelConfig;
  readonly address: number;
  readonly byteLength: number;
  /** The experts held, by layer; empty for dense layers. */
  readonly heldExperts: readonly (readonly number[])[];
}

/** Which routed experts a process holds. */
export type ExpertFilter = (layer: number, expert: number) => boolean;

/** Where everything lies from `address` on. The same arguments give the same layout. */
export function weightsLayout(config: ModelConfig, experts: ExpertFilter, address: number): WeightsLayout {
  const heldExperts: number[][] = [];
  for (let layer = 0; layer < config.layerCount; layer++) {
    const held: number[] = [];
    for (let expert = 0; isMoeLayer(config, layer) && expert < config.expertCount; expert++) {
      if (experts(layer, expert)) held.push(expert);
    }
    heldExperts.push(held);
  }
  const draft: WeightsLayout = { config, address, byteLength: 0, heldExperts };
  const last = slotsOf(draft).at(-1)!;
  return { ...draft, byteLength: last.address + slotBytes(last, config) - address };
}

/** Bytes that the weights take with `expertCountHeld` routed experts in every MoE layer. */
export function weightBytes(config: ModelConfig, expertCountHeld: number): number {
  return weightsLayout(config, (_layer, expert) => expert < expertCountHeld, 0).byteLength;
}

/** The weights at a layout that this or another thread has filled, or will. */
export function attachWeights(memory: TensorMemory, layout: WeightsLayout): ModelWeights {
  return assembleWeights(layout, (slot) => attachSlot(memory, slot, layout.config));
}

/**
 * Fills every partCount-th tensor of the layout, beginning with the part-th; all parts together fill everything,
 * in any order and by any threads.
 */
export function fillWeights(
  memory: TensorMemory,
  layout: WeightsLayout,
  source: WeightSource,
  parts: { readonly part: number; readonly partCount: number } = { part: 0, partCount: 1 },
): void {
  const { part, partCount } = parts;
  invariant(part >= 0 && part < partCount, `part ${part} of ${partCount}`);
  const slots = slotsOf(layout);
  for (let i = part; i < slots.length; i += partCount) fillSlot(memory, slots[i]!, layout.config, source);
}

/** Takes memory for the weights and fills it from `source`, all in this thread. */
export function loadWeights(
  memory: TensorMemory,
  config: ModelConfig,
  source: WeightSource,
  options: { readonly experts?: ExpertFilter } = {},
): ModelWeights {
  const experts = options.experts ?? (() => true);
  const layout = weightsLayout(
    config,
    experts,
    memory.allocate(weightsLayout(config, experts, 0).byteLength),
  );
  fillWeights(memory, layout, source);
  return attachWeights(memory, layout);
}

function slotsOf(layout: WeightsLayout): Slot[] {
  const slots: Slot[] = [];
  assembleWeights(layout, (slot) => {
    slots.push(slot);
    return NO_VIEWS;
  });
  return slots;
}

const NO_DATA = new Float32Array(0);
const NO_MATRIX: PackedMatrix = { inputSize: 0, outputSize: 0, address: 0, data: NO_DATA };
const NO_VIEWS: SlotViews = {
  vector: NO_DATA,
  table: { shape: [0], address: 0, data: NO_DATA },
  packed: NO_MATRIX,
  mlp: { gate: NO_MATRIX, up: NO_MATRIX, down: NO_MATRIX },
  latentUp: { expanded: NO_MATRIX, absorbedKeys: [], absorbedValues: [] },
};

/** Walks the model in a fixed order and gives each tensor its slot; `viewsOf` makes what the tree holds. */
function assembleWeights(layout: WeightsLayout, viewsOf: (slot: Slot) => SlotViews): ModelWeights {
  const { config } = layout;
  const { hiddenSize, vocabularySize } = config;
  let address = layout.address;
  const place: Place = (kind, name, outputSize, inputSize) => {
    const slot: Slot = { kind, name, outputSize, inputSize, address };
    address += slotBytes(slot, config);
    return viewsOf(slot)[kind];
  };
  const embedding = place("table", EMBEDDING_NAME, vocabularySize, hiddenSize);
  const finalNorm = place("vector", FINAL_NORM_NAME, 1, hiddenSize);
  const head = place("packed", headName(config), vocabularySize, hiddenSize);
  const layers = layout.heldExperts.map((held, layer): LayerWeights => {
    const prefix = layerPrefix(layer);
    return {
      attention: assembleAttention(config, prefix, place),
      feedForwardNorm: place("vector", `${prefix}post_attention_layernorm.weight`, 1, hiddenSize),
      feedForward: isMoeLayer(config, layer)
        ? assembleMoe(config, layer, held, place)
        : { kind: "dense", mlp: place("mlp", `${prefix}mlp.`, config.denseInnerSize, hiddenSize) },
    };
  });
  return { layout, embedding, finalNorm, head, layers };
}

type Place = <Kind extends SlotKind>(
  kind: Kind,
  name: string,
  outputSize: number,
  inputSize: number,
) => SlotViews[Kind];

function assembleAttention(config: ModelConfig, prefix: string, place: Place): AttentionWeights {
  const { hiddenSize, headCount, latentSize, nopeSize, ropeSize, valueSize, queryRank } = config;
  const attention = `${prefix}self_attn.`;
  const querySize = headCount * (nopeSize + ropeSize);
  return {
    inputNorm: place("vector", `${prefix}input_layernorm.weight`, 1, hiddenSize),
    queryDown:
      queryRank === null ? null : place("packed", `${attention}q_a_proj.weight`, queryRank, hiddenSize),
    queryNorm: queryRank === null ? null : place("vector", `${attention}q_a_layernorm.weight`, 1, queryRank),
    query:
      queryRank === null
        ? place("packed", `${attention}q_proj.weight`, querySize, hiddenSize)
        : place("packed", `${attention}q_b_proj.weight`, querySize, queryRank),
    latentDown: place("packed", `${attention}kv_a_proj_with_mqa.weight`, latentSize + ropeSize, hiddenSize),
    latentNorm: place("vector", `${attention}kv_a_layernorm.weight`, 1, latentSize),
    latentUp: place(
      "latentUp",
      `${attention}kv_b_proj.weight`,
      headCount * (nopeSize + valueSize),
      latentSize,
    ),
    output: place("packed", `${attention}o_proj.weight`, hiddenSize, headCount * valueSize),
  };
}

function assembleMoe(config: ModelConfig, layer: number, held: readonly number[], place: Place): MoeWeights {
  const { hiddenSize, expertCount, expertInnerSize, sharedExpertCount } = config;
  const prefix = `${layerPrefix(layer)}mlp.`;
  const gate: GateWeights = {
    projection: place("packed", `${prefix}gate.weight`, expertCount, hiddenSize),
    correctionBias:
      config.selection === "noaux"
        ? place("vector", `${prefix}gate.e_score_correction_bias`, 1, expertCount)
        : null,
  };
  const sharedInnerSize = sharedExpertCount * expertInnerSize;
  const shared =
    sharedExpertCount === 0 ? null : place("mlp", `${prefix}shared_experts.`, sharedInnerSize, hiddenSize);
  const experts = Array.from<MlpWeights | null>({ length: expertCount }).fill(null);
  for (const expert of held)
    experts[expert] = place("mlp", expertPrefix(layer, expert), expertInnerSize, hiddenSize);
  return { kind: "moe", gate, shared, experts };
}
