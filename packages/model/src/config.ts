// What a model of the DeepSeek family is: its sizes, its gate, its positions, read from a Hugging Face config.json.
// It does not know weights, ranks or time. Invariant: a ModelConfig is consistent (experts divide into groups, the
// gate finds enough experts in its groups, rotated dimensions come in pairs), so that nobody below checks it again.

import { inputError } from "@windtunnel/base";
import type { ScaleFormat } from "@windtunnel/tensor";
import { FieldReader, isJsonObject } from "./config-fields.ts";

export type ModelFamily = "deepseek_v3" | "deepseek_v2";
/** How logits become scores. */
export type GateScoring = "sigmoid" | "softmax";
/**
 * How experts are chosen by score: `noaux` adds the correction bias and limits groups by the sum of their two best;
 * `group-limited` limits groups by their best; `greedy` knows no groups.
 */
export type GateSelection = "noaux" | "greedy" | "group-limited";

/** YaRN: rotary frequencies stretched to longer contexts (mechanics §1.3). */
export interface YarnConfig {
  readonly factor: number;
  readonly originalPositions: number;
  readonly betaFast: number;
  readonly betaSlow: number;
  readonly mscale: number;
  /** 0 where the configuration has none: the softmax scale then stays as it is. */
  readonly mscaleAllDim: number;
}

export interface ModelConfig {
  readonly family: ModelFamily;
  readonly vocabularySize: number;
  readonly hiddenSize: number;
  /** Inner size of the dense layers' MLP. */
  readonly denseInnerSize: number;
  readonly expertInnerSize: number;
  readonly layerCount: number;
  /** The first layers are dense; the others are MoE. */
  readonly denseLayerCount: number;
  readonly headCount: number;
  /** Routed experts in an MoE layer. */
  readonly expertCount: number;
  /** Shared experts, run for every token as one MLP of sharedExpertCount · expertInnerSize. */
  readonly sharedExpertCount: number;
  readonly expertsPerToken: number;
  readonly groupCount: number;
  /** Groups that a token may choose from. */
  readonly limitedGroupCount: number;
  readonly gate: GateScoring;
  readonly selection: GateSelection;
  /** Whether the chosen experts' scores are divided by their sum. */
  readonly normalizeWeights: boolean;
  readonly routedScale: number;
  /** Size of the compressed query; null: queries come straight from the hidden state. */
  readonly queryRank: number | null;
  /** Size of the compressed key and value, the greater part of a cache row. */
  readonly latentSize: number;
  readonly nopeSize: number;
  readonly ropeSize: number;
  readonly valueSize: number;
  readonly ropeTheta: number;
  readonly yarn: YarnConfig | null;
  readonly maxPositions: number;
  readonly epsilon: number;
  readonly tiedEmbeddings: boolean;
  /** Of the scales of FP8 rows and FP8 weights: `scale_fmt` of the quantisation; "f32" where there is none. */
  readonly scaleFormat: ScaleFormat;
  /** Multi-token-prediction layers behind the main ones; their weights are not loaded. */
  readonly mtpLayerCount: number;
}

/** Whether layer `layer` has a gate and routed experts. */
export function isMoeLayer(config: ModelConfig, layer: number): boolean {
  return layer >= config.denseLayerCount;
}

/** Floats in a cache row: the latent and the rotated key. */
export function cacheRowSize(config: ModelConfig): number {
  return config.latentSize + config.ropeSize;
}

/** Defaults of Hugging Face's configuration classes, for fields that a file leaves out. */
const DEFAULTS = {
  deepseek_v3: {
    vocabularySize: 129_280,
    hiddenSize: 7168,
    denseInnerSize: 18_432,
    expertInnerSize: 2048,
    layerCount: 61,
    denseLayerCount: 3,
    headCount: 128,
    expertCount: 256,
    sharedExpertCount: 1,
    expertsPerToken: 8,
    groupCount: 8,
    limitedGroupCount: 4,
    gate: "sigmoid",
    method: "noaux_tc",
    normalizeWeights: true,
    routedScale: 2.5,
    maxPositions: 4096,
  },
  deepseek_v2: {
    vocabularySize: 32_000,
    hiddenSize: 4096,
    denseInnerSize: 11_008,
    expertInnerSize: 1407, // as the class has it
    layerCount: 32,
    denseLayerCount: 0,
    headCount: 32,
    expertCount: 64,
    sharedExpertCount: 2,
    expertsPerToken: undefined, // null in the class: a usable file names it
    groupCount: 1,
    limitedGroupCount: 1,
    gate: "softmax",
    method: "greedy",
    normalizeWeights: false,
    routedScale: 1,
    maxPositions: 2048,
  },
} as const;

const SELECTIONS = { noaux_tc: "noaux", greedy: "greedy", group_limited_greedy: "group-limited" } as const;

/**
 * Reads the parsed content of a Hugging Face config.json; `file` is only for messages.
 * Throws input errors that name the field, what was found and what is allowed.
 */
export function parseModelConfig(json: unknown, file: string): ModelConfig {
  if (!isJsonObject(json)) {
    throw inputError(`${file}: a JSON object is expected`, {
      file,
      path: "",
      found: json,
      allowed: "an object",
    });
  }
  const fields = new FieldReader(json, file);
  const family = fields.oneOf("model_type", undefined, ["deepseek_v3", "deepseek_v2"]);
  refuseUnsupported(fields);
  const scaleFormat = scaleFormatOf(fields);
  const defaults = DEFAULTS[family];
  const config: ModelConfig = {
    family,
    vocabularySize: fields.integer("vocab_size", defaults.vocabularySize, 1),
    hiddenSize: fields.integer("hidden_size", defaults.hiddenSize, 1),
    denseInnerSize: fields.integer("intermediate_size", defaults.denseInnerSize, 1),
    expertInnerSize: fields.integer("moe_intermediate_size", defaults.expertInnerSize, 1),
    layerCount: fields.integer("num_hidden_layers", defaults.layerCount, 1),
    denseLayerCount: fields.integer("first_k_dense_replace", defaults.denseLayerCount, 0),
    headCount: fields.integer("num_attention_heads", defaults.headCount, 1),
    expertCount: fields.integer("n_routed_experts", defaults.expertCount, 1),
    // null means none, as in Hugging Face's first code; a missing field means the default.
    sharedExpertCount: fields.isNull("n_shared_experts")
      ? 0
      : fields.integer("n_shared_experts", defaults.sharedExpertCount, 0),
    expertsPerToken: fields.integer("num_experts_per_tok", defaults.expertsPerToken, 1),
    ...groups(fields, family),
    gate: fields.oneOf("scoring_func", defaults.gate, ["sigmoid", "softmax"]),
    normalizeWeights: fields.boolean("norm_topk_prob", defaults.normalizeWeights),
    routedScale: fields.positive("routed_scaling_factor", defaults.routedScale),
    queryRank:
      fields.isNull("q_lora_rank") || fields.raw("q_lora_rank") === 0
        ? null
        : fields.integer("q_lora_rank", 1536, 1),
    latentSize: fields.integer("kv_lora_rank", 512, 1),
    nopeSize: fields.integer("qk_nope_head_dim", 128, 1),
    ropeSize: fields.integer("qk_rope_head_dim", 64, 2),
    valueSize: fields.integer("v_head_dim", 128, 1),
    maxPositions: fields.integer("max_position_embeddings", defaults.maxPositions, 1),
    ...rotary(fields, defaults.maxPositions),
    epsilon: fields.positive("rms_norm_eps", 1e-6),
    tiedEmbeddings: fields.boolean("tie_word_embeddings", false),
    scaleFormat,
    mtpLayerCount: fields.integer("num_nextn_predict_layers", 0, 0),
  };
  checkConsistency(config, fields);
  return config;
}

function refuseUnsupported(fields: FieldReader): void {
  fields.oneOf("hidden_act", "silu", ["silu"]);
  if (fields.boolean("attention_bias", false)) throw fields.refuse("attention_bias", "false");
  if (!fields.boolean("rope_interleave", true)) throw fields.refuse("rope_interleave", "true");
  if (fields.integer("moe_layer_freq", 1, 1) !== 1) throw fields.refuse("moe_layer_freq", "1");
}

function scaleFormatOf(fields: FieldReader): ScaleFormat {
  const quantization = fields.nested("quantization_config");
  if (quantization === undefined) return "f32";
  quantization.oneOf("quant_method", "fp8", ["fp8"]);
  quantization.oneOf("fmt", "e4m3", ["e4m3"]);
  const block = quantization.raw("weight_block_size") ?? [128, 128];
  if (JSON.stringify(block) !== "[128,128]") throw quantization.refuse("weight_block_size", "[128, 128]");
  return quantization.raw("scale_fmt") === undefined
    ? "f32"
    : quantization.oneOf("scale_fmt", undefined, ["ue8m0"]);
}

function groups(
  fields: FieldReader,
  family: ModelFamily,
): Pick<ModelConfig, "selection" | "groupCount" | "limitedGroupCount"> {
  const defaults = DEFAULTS[family];
  const method = fields.oneOf("topk_method", defaults.method, ["noaux_tc", "greedy", "group_limited_greedy"]);
  const selection = SELECTIONS[method];
  if (selection === "greedy") return { selection, groupCount: 1, limitedGroupCount: 1 };
  return {
    selection,
    groupCount: fields.integer("n_group", fields.isNull("n_group") ? 1 : defaults.groupCount, 1),
    limitedGroupCount: fields.integer(
      "topk_group",
      fields.isNull("topk_group") ? 1 : defaults.limitedGroupCount,
      1,
    ),
  };
}

/** `rope_scaling` of older files and `rope_parameters` of newer ones; either may hold rope_theta. */
function rotary(fields: FieldReader, defaultPositions: number): Pick<ModelConfig, "ropeTheta" | "yarn"> {
  const scaling = fields.nested("rope_parameters") ?? fields.nested("rope_scaling");
  const thetaFields = scaling?.raw("rope_theta") === undefined ? fields : scaling;
  const ropeTheta = thetaFields.positive("rope_theta", 10_000);
  if (scaling === undefined) return { ropeTheta, yarn: null };
  const typeField = scaling.raw("rope_type") === undefined ? "type" : "rope_type";
  if (scaling.oneOf(typeField, "default", ["yarn", "default"]) === "default")
    return { ropeTheta, yarn: null };
  if (scaling.raw("attention_factor") !== undefined) {
    throw scaling.refuse("attention_factor", "nothing: it follows from mscale and mscale_all_dim");
  }
  if (!scaling.boolean("truncate", true)) throw scaling.refuse("truncate", "true");
  const factor = scaling.positive("factor", undefined);
  if (factor < 1) throw scaling.refuse("factor", "a number of at least 1");
  const yarn = {
    factor,
    originalPositions: scaling.integer(
      "original_max_position_embeddings",
      fields.integer("max_position_embeddings", defaultPositions, 1),
      1,
    ),
    betaFast: scaling.positive("beta_fast", 32),
    betaSlow: scaling.positive("beta_slow", 1),
    mscale: scaling.atLeastZero("mscale", 1),
    mscaleAllDim: scaling.atLeastZero("mscale_all_dim", 0),
  };
  return { ropeTheta, yarn };
}

function checkConsistency(config: ModelConfig, fields: FieldReader): void {
  if (config.denseLayerCount >= config.layerCount) {
    throw fields.refuse(
      "first_k_dense_replace",
      `below num_hidden_layers (${config.layerCount}): one layer must be MoE`,
    );
  }
  if (config.expertCount % config.groupCount !== 0) {
    throw fields.refuse("n_group", `a divisor of n_routed_experts (${config.expertCount})`);
  }
  if (config.limitedGroupCount > config.groupCount) {
    throw fields.refuse("topk_group", `at most n_group (${config.groupCount})`);
  }
  const groupSize = config.expertCount / config.groupCount;
  if (config.selection === "noaux" && config.groupCount > 1 && groupSize < 2) {
    throw fields.refuse(
      "n_group",
      `at most ${Math.floor(config.expertCount / 2)}: a group is scored by its two best experts`,
    );
  }
  const reachable = groupSize * config.limitedGroupCount;
  if (config.expertsPerToken > reachable) {
    throw fields.refuse(
      "num_experts_per_tok",
      `at most ${reachable}, the experts that a token may choose from`,
    );
  }
  if (config.ropeSize % 2 !== 0) throw fields.refuse("qk_rope_head_dim", "an even number");
}
