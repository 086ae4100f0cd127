// Models with the layers of DeepSeek-V3, but few of them: runs of benchmarks and tests are timed by these, so that they are
// short.

/** Decode in five stages with low-latency exchanges, FP8 out and BF16 back: what benchmarks of steps run. */
export const DECODE_RUN = {
  phase: "decode",
  decode: { schedule: "five-stage", dispatch: "low-latency" },
  precision: { dispatch: "fp8", combine: "bf16" },
} as const;

export interface ShortTimedModel {
  readonly layers: number;
  /** The first layers, which are dense. */
  readonly dense: number;
  /** In eight groups of which four are chosen from, eight experts for a token. */
  readonly experts: number;
  readonly shared?: number;
  readonly vocabulary: number;
}

/** As a `config.json`. */
export function shortTimedModel(model: ShortTimedModel): Record<string, unknown> {
  return {
    architectures: ["DeepseekV3ForCausalLM"],
    model_type: "deepseek_v3",
    vocab_size: model.vocabulary,
    hidden_size: 7168,
    intermediate_size: 18432,
    moe_intermediate_size: 2048,
    num_hidden_layers: model.layers,
    num_attention_heads: 128,
    num_key_value_heads: 128,
    n_routed_experts: model.experts,
    n_shared_experts: model.shared ?? 1,
    num_experts_per_tok: 8,
    first_k_dense_replace: model.dense,
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
