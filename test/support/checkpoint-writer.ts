// Writes a random checkpoint in F32 for any config.json, tensor by tensor as a Hugging Face folder holds them.

import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { drawnWeights, type NamedShape, parseModelConfig, requiredTensors } from "@windtunnel/model";

export interface StoredTensor extends NamedShape {
  readonly dtype: string;
  readonly bytes: Uint8Array;
}

/** Lets a test spoil what is written. */
export interface CheckpointChanges {
  readonly tensors?: (tensors: StoredTensor[]) => StoredTensor[];
  /** The whole file, its header included. */
  readonly file?: (bytes: Buffer) => Buffer;
}

/** Eight experts, a dense layer and an MoE layer, and not much else. */
export const SMALLEST_CONFIG: Readonly<Record<string, unknown>> = {
  model_type: "deepseek_v3",
  vocab_size: 32,
  hidden_size: 16,
  intermediate_size: 16,
  moe_intermediate_size: 8,
  num_hidden_layers: 2,
  first_k_dense_replace: 1,
  num_attention_heads: 2,
  n_routed_experts: 8,
  n_shared_experts: 1,
  num_experts_per_tok: 2,
  n_group: 1,
  topk_group: 1,
  q_lora_rank: null,
  kv_lora_rank: 8,
  qk_nope_head_dim: 4,
  qk_rope_head_dim: 4,
  v_head_dim: 4,
  max_position_embeddings: 64,
};

/** A copy of an F32 tensor with one element replaced. */
export function withNumber(tensor: StoredTensor, index: number, value: number): StoredTensor {
  const bytes = tensor.bytes.slice();
  new DataView(bytes.buffer).setFloat32(4 * index, value, true);
  return { ...tensor, bytes };
}

/** Makes `folder`; returns it. */
export function writeCheckpoint(
  folder: string,
  config: Readonly<Record<string, unknown>>,
  seed: number,
  changes: CheckpointChanges = {},
): string {
  mkdirSync(folder, { recursive: true });
  writeFileSync(path.join(folder, "config.json"), JSON.stringify(config));
  const drawn = drawTensors(config, seed);
  const tensors = changes.tensors?.(drawn) ?? drawn;
  const bytes = safetensors(tensors);
  writeFileSync(path.join(folder, "model.safetensors"), changes.file?.(bytes) ?? bytes);
  return folder;
}

function drawTensors(config: Readonly<Record<string, unknown>>, seed: number): StoredTensor[] {
  const source = drawnWeights(seed);
  return requiredTensors(parseModelConfig(config, "config.json")).map(({ name, shape }) => {
    const values = source.read(name, shape);
    // Norms that differ from 1 in every channel.
    if (name.endsWith("norm.weight")) values.forEach((_, i) => (values[i] = 0.5 + (i % 7) / 6));
    return { name, shape, dtype: "F32", bytes: new Uint8Array(values.slice().buffer) };
  });
}

function safetensors(tensors: readonly StoredTensor[]): Buffer {
  const header: Record<string, unknown> = {};
  let end = 0;
  for (const { name, shape, dtype, bytes } of tensors) {
    header[name] = { dtype, shape, data_offsets: [end, end + bytes.length] };
    end += bytes.length;
  }
  const text = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  return Buffer.concat([length, text, ...tensors.map(({ bytes }) => bytes)]);
}
