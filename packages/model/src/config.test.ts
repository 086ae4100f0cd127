import { WorldError } from "@windtunnel/base";
import { describe, expect, test } from "vitest";
import { parseModelConfig } from "./config.ts";
import { describeModel, expertParameterCount, totalParameterCount } from "./parameter-counts.ts";
import { findPreset, listPresets } from "./presets.ts";

const FILE = "some/config.json";
const V3_FILE = {
  model_type: "deepseek_v3",
  num_nextn_predict_layers: 1,
  max_position_embeddings: 163_840,
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

function refusal(json: unknown): WorldError {
  try {
    parseModelConfig(json, FILE);
  } catch (error) {
    if (error instanceof WorldError) return error;
    throw error;
  }
  throw new Error("nothing was refused");
}

describe("config.json", () => {
  test("of DeepSeek-V3 with Hugging Face's defaults is the preset deepseek-v3", () => {
    expect(parseModelConfig(V3_FILE, FILE)).toEqual(findPreset("deepseek-v3").config);
  });

  test("is read with rope_scaling.rope_type and with rope_parameters", () => {
    const { type, ...scaling } = V3_FILE.rope_scaling;
    const newer = { ...V3_FILE, rope_scaling: { ...scaling, rope_type: type } };
    const newest = {
      ...V3_FILE,
      rope_scaling: null,
      rope_parameters: { ...scaling, rope_type: type, rope_theta: 10_000 },
    };
    expect(parseModelConfig(newer, FILE)).toEqual(parseModelConfig(V3_FILE, FILE));
    expect(parseModelConfig(newest, FILE)).toEqual(parseModelConfig(V3_FILE, FILE));
    expect(parseModelConfig({ ...V3_FILE, rope_scaling: null }, FILE).yarn).toBeNull();
    expect(parseModelConfig({ ...V3_FILE, rope_scaling: { rope_type: "default" } }, FILE).yarn).toBeNull();
  });

  test("takes YaRN's original context from max_position_embeddings where it is missing", () => {
    const config = parseModelConfig({ ...V3_FILE, rope_scaling: { type: "yarn", factor: 2 } }, FILE);
    expect(config.yarn).toEqual({
      factor: 2,
      originalPositions: 163_840,
      betaFast: 32,
      betaSlow: 1,
      mscale: 1,
      mscaleAllDim: 0,
    });
  });

  test("of deepseek_v2 chooses greedily by softmax, without groups, unless it says otherwise", () => {
    const json = { model_type: "deepseek_v2", num_experts_per_tok: 6, n_group: 4, topk_group: 2 };
    const greedy = parseModelConfig(json, FILE);
    expect(greedy).toMatchObject({
      gate: "softmax",
      selection: "greedy",
      groupCount: 1,
      normalizeWeights: false,
    });
    const limited = parseModelConfig({ ...json, topk_method: "group_limited_greedy" }, FILE);
    expect(limited).toMatchObject({ selection: "group-limited", groupCount: 4, limitedGroupCount: 2 });
  });

  test("says whether the scales of its FP8 numbers are powers of two", () => {
    const formatOf = (quantization: object | undefined): string =>
      parseModelConfig({ ...V3_FILE, quantization_config: quantization }, FILE).scaleFormat;
    expect(formatOf({ quant_method: "fp8", fmt: "e4m3", scale_fmt: "ue8m0" })).toBe("ue8m0");
    expect(formatOf({ quant_method: "fp8", fmt: "e4m3" })).toBe("f32");
    expect(formatOf(undefined)).toBe("f32");
  });

  const refused: readonly (readonly [path: string, changes: Record<string, unknown>])[] = [
    ["model_type", { model_type: "qwen3_moe" }],
    ["model_type", { model_type: undefined }],
    ["hidden_act", { hidden_act: "gelu" }],
    ["attention_bias", { attention_bias: true }],
    ["rope_interleave", { rope_interleave: false }],
    ["moe_layer_freq", { moe_layer_freq: 2 }],
    ["hidden_size", { hidden_size: "7168" }],
    ["hidden_size", { hidden_size: 0 }],
    ["vocab_size", { vocab_size: 1.5 }],
    ["rms_norm_eps", { rms_norm_eps: -1 }],
    ["norm_topk_prob", { norm_topk_prob: "yes" }],
    ["scoring_func", { scoring_func: "tanh" }],
    ["topk_method", { topk_method: "random" }],
    ["n_group", { n_group: 7 }],
    ["n_group", { n_group: 256 }],
    ["topk_group", { topk_group: 9 }],
    ["num_experts_per_tok", { num_experts_per_tok: 200 }],
    ["num_experts_per_tok", { model_type: "deepseek_v2" }],
    ["first_k_dense_replace", { first_k_dense_replace: 61 }],
    ["qk_rope_head_dim", { qk_rope_head_dim: 5 }],
    ["rope_scaling", { rope_scaling: 4 }],
    ["rope_scaling.type", { rope_scaling: { type: "linear", factor: 2 } }],
    ["rope_scaling.factor", { rope_scaling: { type: "yarn" } }],
    ["rope_scaling.factor", { rope_scaling: { type: "yarn", factor: 0.5 } }],
    ["rope_scaling.attention_factor", { rope_scaling: { type: "yarn", factor: 2, attention_factor: 1 } }],
    ["quantization_config.quant_method", { quantization_config: { quant_method: "gptq" } }],
    ["quantization_config.scale_fmt", { quantization_config: { scale_fmt: "e5m2" } }],
    ["quantization_config.weight_block_size", { quantization_config: { weight_block_size: [64, 64] } }],
  ];
  test.each(refused)("is refused for %s: %o", (path, changes) => {
    const error = refusal({ ...V3_FILE, ...changes });
    expect(error.exitCode).toBe(2);
    expect(error.details).toMatchObject({ file: FILE, path });
    expect(error.details["allowed"]).toBeTypeOf("string");
    expect(error.message).toContain(`${FILE}: ${path} is `);
  });

  test("is refused where it is no object", () => {
    expect(refusal([1]).details.file).toBe(FILE);
  });
});

describe("parameter counts", () => {
  test("of DeepSeek-V3 are those of the published checkpoint", () => {
    const { config } = findPreset("deepseek-v3");
    expect(expertParameterCount(config)).toBe(44_040_192); // 3 · 7168 · 2048
    const description = describeModel(config);
    expect(description.attentionParametersPerLayer).toBe(187_105_280);
    expect(description.denseParametersPerLayer).toBe(396_361_728); // 3 · 7168 · 18432
    expect(description.moeParametersPerLayer).toBe(11_320_164_608); // 257 experts, gate 256 · 7168, bias 256
    expect(totalParameterCount(config)).toBe(671_026_419_200);
    expect(description.activatedParameters / 1e9).toBeCloseTo(36.63, 2); // with the head, without the table
    expect(description.cacheFloatsPerToken).toBe(61 * 576);
  });

  test("of the other families are near their names", () => {
    expect(totalParameterCount(findPreset("deepseek-v2").config) / 1e9).toBeCloseTo(235.7, 1); // "236B"
    expect(totalParameterCount(findPreset("deepseek-v2-lite").config) / 1e9).toBeCloseTo(15.7, 1); // "16B"
  });
});

describe("presets", () => {
  test("list their sizes as 32-bit floats", () => {
    for (const { config, parameters, bytes } of listPresets()) {
      expect(parameters).toBe(totalParameterCount(config));
      expect(bytes).toBe(4 * parameters);
    }
  });

  test("have v3-scale in the size that the scenario promises", () => {
    expect(findPreset("v3-scale").config).toMatchObject({
      hiddenSize: 256,
      layerCount: 8,
      denseLayerCount: 1,
      expertCount: 256,
      expertInnerSize: 128,
      expertsPerToken: 8,
      groupCount: 8,
      limitedGroupCount: 4,
      sharedExpertCount: 1,
      headCount: 8,
      latentSize: 64,
      vocabularySize: 4096,
    });
  });

  test("refuse an unknown name and list the known ones", () => {
    expect(() => findPreset("v4")).toThrow(/v3-tiny, v3-small, v3-scale/);
  });
});
