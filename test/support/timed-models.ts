// Configurations of timed models with DeepSeek-V3's layers, but few of them, so that runs of tests are short.

import { writeFileSync } from "node:fs";
import path from "node:path";

/** As a `config.json`; `experts` in eight groups of which four are chosen from, eight experts for a token. */
export function smallTimedModel(
  layers: number,
  experts: number = 64,
  { dense = 0, shared = 1 }: { readonly dense?: number; readonly shared?: number } = {},
): Record<string, unknown> {
  return {
    architectures: ["DeepseekV3ForCausalLM"],
    model_type: "deepseek_v3",
    vocab_size: 1024,
    hidden_size: 7168,
    intermediate_size: 18432,
    moe_intermediate_size: 2048,
    num_hidden_layers: layers,
    num_attention_heads: 128,
    num_key_value_heads: 128,
    n_routed_experts: experts,
    n_shared_experts: shared,
    num_experts_per_tok: 8,
    first_k_dense_replace: dense,
    n_group: 8,
    topk_group: 4,
    topk_method: "noaux_tc",
    scoring_func: "sigmoid",
    norm_topk_prob: true,
    routed_scaling_factor: 2.5,
    q_lora_rank: 1536,
    kv_lora_rank: 512,
    qk_nope_head_dim: 128,
    qk_rope_head_dim: 64,
    v_head_dim: 128,
    hidden_act: "silu",
    rms_norm_eps: 1e-6,
    max_position_embeddings: 163840,
    rope_theta: 10000,
  };
}

/** Writes it into a folder and gives what a scenario's `timing.model` says there. */
export function writeTimedModel(
  folder: string,
  layers: number,
  experts: number = 64,
  more: { readonly dense?: number; readonly shared?: number } = {},
): string {
  writeFileSync(path.join(folder, "timed.json"), JSON.stringify(smallTimedModel(layers, experts, more)));
  return "./timed.json";
}
