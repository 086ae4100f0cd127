// The Hugging Face names and shapes of every tensor that a model needs (mechanics §1.2). It does not know files.
// Multi-token-prediction layers are not among them.

import { isMoeLayer, type ModelConfig } from "./config.ts";

export interface NamedShape {
  readonly name: string;
  /** [out, in] for matrices: y = x · Wᵀ. */
  readonly shape: readonly number[];
}

export const EMBEDDING_NAME = "model.embed_tokens.weight";
export const FINAL_NORM_NAME = "model.norm.weight";

/** The table behind the logits: the embedding itself where both are tied. */
export function headName(config: ModelConfig): string {
  return config.tiedEmbeddings ? EMBEDDING_NAME : "lm_head.weight";
}

export function layerPrefix(layer: number): string {
  return `model.layers.${layer}.`;
}

export function expertPrefix(layer: number, expert: number): string {
  return `${layerPrefix(layer)}mlp.experts.${expert}.`;
}

/** Every tensor of the model, in a fixed order. */
export function requiredTensors(config: ModelConfig): NamedShape[] {
  const { hiddenSize, vocabularySize } = config;
  const tensors: NamedShape[] = [
    { name: EMBEDDING_NAME, shape: [vocabularySize, hiddenSize] },
    { name: FINAL_NORM_NAME, shape: [hiddenSize] },
  ];
  if (!config.tiedEmbeddings) tensors.push({ name: headName(config), shape: [vocabularySize, hiddenSize] });
  for (let layer = 0; layer < config.layerCount; layer++) {
    tensors.push(...attentionTensors(config, layer), ...feedForwardTensors(config, layer));
  }
  return tensors;
}

function attentionTensors(config: ModelConfig, layer: number): NamedShape[] {
  const { hiddenSize, headCount, latentSize, nopeSize, ropeSize, valueSize, queryRank } = config;
  const prefix = layerPrefix(layer);
  const attention = `${prefix}self_attn.`;
  const querySize = headCount * (nopeSize + ropeSize);
  const queries: NamedShape[] =
    queryRank === null
      ? [{ name: `${attention}q_proj.weight`, shape: [querySize, hiddenSize] }]
      : [
          { name: `${attention}q_a_proj.weight`, shape: [queryRank, hiddenSize] },
          { name: `${attention}q_a_layernorm.weight`, shape: [queryRank] },
          { name: `${attention}q_b_proj.weight`, shape: [querySize, queryRank] },
        ];
  return [
    { name: `${prefix}input_layernorm.weight`, shape: [hiddenSize] },
    { name: `${prefix}post_attention_layernorm.weight`, shape: [hiddenSize] },
    ...queries,
    { name: `${attention}kv_a_proj_with_mqa.weight`, shape: [latentSize + ropeSize, hiddenSize] },
    { name: `${attention}kv_a_layernorm.weight`, shape: [latentSize] },
    { name: `${attention}kv_b_proj.weight`, shape: [headCount * (nopeSize + valueSize), latentSize] },
    { name: `${attention}o_proj.weight`, shape: [hiddenSize, headCount * valueSize] },
  ];
}

function feedForwardTensors(config: ModelConfig, layer: number): NamedShape[] {
  const prefix = `${layerPrefix(layer)}mlp.`;
  const { hiddenSize, expertCount, expertInnerSize, sharedExpertCount } = config;
  if (!isMoeLayer(config, layer)) return mlpTensors(prefix, hiddenSize, config.denseInnerSize);
  const tensors: NamedShape[] = [{ name: `${prefix}gate.weight`, shape: [expertCount, hiddenSize] }];
  if (config.selection === "noaux") {
    tensors.push({ name: `${prefix}gate.e_score_correction_bias`, shape: [expertCount] });
  }
  for (let expert = 0; expert < expertCount; expert++) {
    tensors.push(...mlpTensors(expertPrefix(layer, expert), hiddenSize, expertInnerSize));
  }
  if (sharedExpertCount > 0) {
    tensors.push(...mlpTensors(`${prefix}shared_experts.`, hiddenSize, sharedExpertCount * expertInnerSize));
  }
  return tensors;
}

function mlpTensors(prefix: string, hiddenSize: number, innerSize: number): NamedShape[] {
  return [
    { name: `${prefix}gate_proj.weight`, shape: [innerSize, hiddenSize] },
    { name: `${prefix}up_proj.weight`, shape: [innerSize, hiddenSize] },
    { name: `${prefix}down_proj.weight`, shape: [hiddenSize, innerSize] },
  ];
}
