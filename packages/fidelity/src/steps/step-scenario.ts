// The scenarios that published steps are run as: DeepSeek-V3 on Hopper nodes, FP8 out and BF16 back, routing drawn, nothing
// executed. It knows no published time.

/** One step of prefill or decode. */
export interface StepConditions {
  readonly kind: "prefill" | "decode";
  readonly gpu: "h800" | "h100" | "h200";
  readonly nodes: number;
  readonly redundantExperts: number;
  readonly gate: "balanced" | "gate-like";
  readonly schedule: "sequential" | "dual-batch" | "five-stage" | "two-batch-sglang";
  readonly requestsPerGpu: number;
  /** Prefill: the length of each prompt; decode: cached positions of each request. */
  readonly positions: number;
  /** Decode: positions of a request in a step. */
  readonly positionsPerRequest?: number;
  /** Decode: whether the host launches kernel by kernel; by default a captured graph is replayed. */
  readonly launch?: "kernels";
  /** False: low-latency kernels leave NVLink alone, as DeepEP's did until pull request 173 (May 2025). */
  readonly nvlink?: false;
  readonly network?: "roce";
  /** False: the engine's activation and cast are two kernels. */
  readonly fusedActivation?: false;
}

/** A scenario as users write it, but for the timed model's number of layers. */
export function stepScenario(conditions: StepConditions, timedModel: string): object {
  const { kind, gpu, nodes, redundantExperts, gate, schedule, requestsPerGpu, positions } = conditions;
  const { positionsPerRequest = 1, launch = "graph", nvlink = true, network = "infiniband" } = conditions;
  const { fusedActivation = true } = conditions;
  const isPrefill = kind === "prefill";
  return {
    name: "step",
    model: { preset: "deepseek-v3" },
    math: "skip",
    routing: { draw: gate },
    timing: { model: timedModel, gpu, fusedActivation, ...(isPrefill ? {} : { kvLength: positions }) },
    cluster: { nodes, fabric: { network } },
    parallelism: { redundantExperts },
    run: {
      phase: kind,
      prefill: { schedule: isPrefill ? schedule : "sequential", dispatch: "normal" },
      decode: { schedule: isPrefill ? "sequential" : schedule, dispatch: "low-latency", launch },
      precision: { dispatch: "fp8", combine: "bf16" },
      nvlinkForDispatch: nvlink,
    },
    workload: { requestsPerGpu, promptTokens: positions, steps: 1, positionsPerRequest },
  };
}

/** New positions of a GPU in a step. */
export function positionsOfStep(conditions: StepConditions): number {
  const { kind, requestsPerGpu, positions, positionsPerRequest = 1 } = conditions;
  return requestsPerGpu * (kind === "prefill" ? positions : positionsPerRequest);
}

/** As JSON of a Hugging Face config: DeepSeek-V3 with so many layers, of which the first three are dense. */
export function v3WithLayers(layers: number): object {
  return {
    model_type: "deepseek_v3",
    vocab_size: 129_280,
    hidden_size: 7168,
    intermediate_size: 18_432,
    moe_intermediate_size: 2048,
    num_hidden_layers: layers,
    num_nextn_predict_layers: 1,
    num_attention_heads: 128,
    num_key_value_heads: 128,
    n_routed_experts: 256,
    n_shared_experts: 1,
    num_experts_per_tok: 8,
    moe_layer_freq: 1,
    first_k_dense_replace: DENSE_LAYERS,
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
    max_position_embeddings: 163_840,
    rope_theta: 10_000,
    rope_scaling: {
      type: "yarn",
      factor: 40,
      beta_fast: 32,
      beta_slow: 1,
      mscale: 1,
      mscale_all_dim: 1,
      original_max_position_embeddings: 4096,
    },
  };
}

export const DENSE_LAYERS = 3;
export const LAYERS = 61;
