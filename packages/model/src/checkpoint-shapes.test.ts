// Checkpoints of other shapes than the fixtures, against the forward in 64-bit floats.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { RandomStream } from "@windtunnel/base";
import { plainKernels } from "@windtunnel/tensor";
import { expect, test } from "vitest";
import { openCheckpoint } from "./checkpoint.ts";
import { parseModelConfig } from "./config.ts";
import { drawnWeights } from "./drawn-weights.ts";
import { loadReference } from "./reference.ts";
import { requiredTensors } from "./tensor-names.ts";
import { naiveLogits } from "./test-support/naive-forward.ts";
import {
  storedBF16,
  type StoredTensor,
  storedF16,
  storedF32,
  temporaryFolder,
  writeSafetensors,
  writeShards,
} from "./test-support/safetensors-writer.ts";

const SMALL = {
  vocab_size: 53,
  hidden_size: 72,
  intermediate_size: 50,
  moe_intermediate_size: 27,
  num_hidden_layers: 3,
  first_k_dense_replace: 1,
  num_attention_heads: 5,
  n_routed_experts: 12,
  n_shared_experts: 1,
  num_experts_per_tok: 3,
  n_group: 4,
  topk_group: 2,
  q_lora_rank: null,
  kv_lora_rank: 20,
  qk_nope_head_dim: 10,
  qk_rope_head_dim: 6,
  v_head_dim: 13,
  max_position_embeddings: 64,
};

interface Shape {
  readonly what: string;
  readonly config: Record<string, unknown>;
  readonly dtype: "F32" | "BF16" | "F16" | "F8_E4M3";
  readonly shards?: number;
  readonly file?: string;
  readonly withMtpLayer?: boolean;
  /** Of FP8 weights: UE8M0 codes, or 32-bit floats. */
  readonly withScaleCodes?: boolean;
}

const SHAPES: readonly Shape[] = [
  {
    what: "deepseek_v3, F32, no query compression, sigmoid groups, odd sizes",
    config: { ...SMALL, model_type: "deepseek_v3" },
    dtype: "F32",
  },
  {
    what: "deepseek_v2, BF16 in shards, group-limited softmax, YaRN, two shared experts",
    config: {
      ...SMALL,
      model_type: "deepseek_v2",
      topk_method: "group_limited_greedy",
      n_group: 3,
      num_experts_per_tok: 5,
      n_shared_experts: 2,
      routed_scaling_factor: 4,
      q_lora_rank: 21,
      rope_scaling: {
        rope_type: "yarn",
        factor: 4,
        original_max_position_embeddings: 16,
        mscale: 0.7,
        mscale_all_dim: 0.7,
      },
    },
    dtype: "BF16",
    shards: 3,
  },
  {
    what: "deepseek_v3, FP8 with block scales, sizes beyond one block, MTP layer, another epsilon, rope_parameters",
    config: {
      ...SMALL,
      model_type: "deepseek_v3",
      hidden_size: 136,
      moe_intermediate_size: 131,
      q_lora_rank: 130,
      num_nextn_predict_layers: 1,
      rms_norm_eps: 1e-3,
      rope_parameters: {
        rope_type: "yarn",
        rope_theta: 5000,
        factor: 8,
        original_max_position_embeddings: 8,
        mscale: 1,
        mscale_all_dim: 1,
      },
      quantization_config: { quant_method: "fp8", fmt: "e4m3", weight_block_size: [128, 128] },
    },
    dtype: "F8_E4M3",
    withMtpLayer: true,
  },
  {
    what: "deepseek_v3, FP8 with UE8M0 scales, sizes beyond one block",
    config: {
      ...SMALL,
      model_type: "deepseek_v3",
      hidden_size: 136,
      moe_intermediate_size: 131,
      quantization_config: { quant_method: "fp8", fmt: "e4m3", scale_fmt: "ue8m0" },
    },
    dtype: "F8_E4M3",
    withScaleCodes: true,
  },
  {
    what: "deepseek_v3, F16, tied embeddings, one group, no shared experts, no normalisation, any file name",
    config: {
      ...SMALL,
      model_type: "deepseek_v3",
      tie_word_embeddings: true,
      n_group: 1,
      topk_group: 1,
      n_shared_experts: null,
      norm_topk_prob: false,
    },
    dtype: "F16",
    file: "weights.safetensors",
  },
];

for (const [seed, shape] of SHAPES.entries()) {
  test(`a checkpoint gives the logits of the formulas: ${shape.what}`, () => {
    const folder = temporaryFolder();
    const config = parseModelConfig(shape.config, "config.json");
    const { stored, values } = drawTensors(shape, seed);
    writeFileSync(join(folder, "config.json"), JSON.stringify(shape.config));
    if (shape.shards === undefined) writeSafetensors(join(folder, shape.file ?? "model.safetensors"), stored);
    else writeShards(folder, stored, shape.shards);

    const prompt = [3, 50, 17, 17, 8, 0, 52, 29, 31];
    const checkpoint = openCheckpoint(folder);
    expect(checkpoint.config).toEqual(config);
    const model = loadReference({ ...checkpoint, kernelsFor: () => plainKernels, positionCount: 24 });
    const sequence = [...prompt];
    const tokens: number[] = [];
    model.generate(prompt, 5, {
      onLogits(step, logits) {
        const expected = naiveLogits(config, (name) => values.get(name)!, sequence);
        const difference = Math.max(...expected.map((value, i) => Math.abs(value - logits[i]!)));
        expect(difference, `step ${step}`).toBeLessThan(1e-4);
        const token = expected.indexOf(Math.max(...expected));
        tokens.push(token);
        sequence.push(token);
      },
    });
    expect(model.generate(prompt, 5).tokens).toEqual(tokens);
  });
}

/** Stored tensors, and the values that they stand for. */
function drawTensors(shape: Shape, seed: number) {
  const config = parseModelConfig(shape.config, "config.json");
  const source = drawnWeights(seed);
  const stored = new Map<string, StoredTensor>();
  const values = new Map<string, Float32Array>();
  for (const { name, shape: size } of requiredTensors(config)) {
    if (shape.dtype === "F8_E4M3" && name.endsWith("proj.weight")) {
      const quantised = drawE4M3(name, size as [number, number], shape.withScaleCodes ?? false);
      stored.set(name, quantised.codes).set(`${name}_scale_inv`, quantised.scales);
      values.set(name, quantised.values);
      continue;
    }
    const drawn = source.read(name, size);
    // Norms that differ from 1 and biases that matter.
    if (name.endsWith("norm.weight")) drawn.forEach((_, i) => (drawn[i] = 0.5 + (i % 7) / 6));
    values.set(name, drawn);
    stored.set(name, storedAs(shape.dtype, name, size, drawn));
  }
  if (shape.withMtpLayer === true) {
    stored.set(
      `model.layers.${config.layerCount}.eh_proj.weight`,
      storedF32([1, 1], new Float32Array([Number.NaN])),
    );
  }
  return { stored, values };
}

function storedAs(
  dtype: Shape["dtype"],
  name: string,
  size: readonly number[],
  values: Float32Array,
): StoredTensor {
  if (dtype === "F32" || name.endsWith("correction_bias")) return storedF32(size, values);
  return dtype === "F16" ? storedF16(size, values) : storedBF16(size, values);
}

/** Random codes with random block scales; their values by the definitions of E4M3 and UE8M0. */
function drawE4M3(name: string, [rows, columns]: [number, number], withScaleCodes: boolean) {
  const random = new RandomStream(1, name);
  const blocks = [Math.ceil(rows / 128), Math.ceil(columns / 128)] as const;
  const blockCount = blocks[0] * blocks[1];
  // 2^-11 and 2^-10, about 1 / (130 · √136) as below.
  const scaleCodes = Uint8Array.from({ length: blockCount }, () => 127 - 10 - random.below(2));
  const scales = Float32Array.from({ length: blockCount }, (_, block) =>
    withScaleCodes ? 2 ** (scaleCodes[block]! - 127) : (0.5 + random.uniform()) / (130 * Math.sqrt(columns)),
  );
  const codes = new Uint8Array(rows * columns);
  const values = new Float32Array(rows * columns);
  for (let i = 0; i < codes.length; i++) {
    const code = random.below(127) | (random.below(2) << 7); // 0x7F, which is left out, is NaN
    const exponent = (code & 0x7f) >> 3;
    const magnitude = exponent === 0 ? (code & 7) / 512 : (8 + (code & 7)) * 2 ** (exponent - 10);
    const block = Math.floor(Math.floor(i / columns) / 128) * blocks[1] + Math.floor((i % columns) / 128);
    codes[i] = code;
    values[i] = (code > 127 ? -magnitude : magnitude) * scales[block]!;
  }
  return {
    codes: { dtype: "F8_E4M3", shape: [rows, columns], bytes: codes },
    scales: withScaleCodes
      ? { dtype: "F8_E8M0", shape: [...blocks], bytes: scaleCodes }
      : storedF32(blocks, scales),
    values,
  };
}
