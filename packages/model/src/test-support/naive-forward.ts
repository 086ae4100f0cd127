// The whole model in 64-bit floats, as plainly as the formulas of mechanics §1.3 stand there: every position again
// for every call, expanded attention, no cache, no kernels. Tests compare the reference with it.

import { cos, exp, log, pow, sin } from "@windtunnel/base";
import { isMoeLayer, type ModelConfig } from "../config.ts";

/** The tensor of that name, row-major. */
export type TensorReader = (name: string) => ArrayLike<number>;

type Vector = readonly number[];

/** Logits behind the last of `tokens`. */
export function naiveLogits(config: ModelConfig, read: TensorReader, tokens: readonly number[]): number[] {
  const embedding = read("model.embed_tokens.weight");
  let rows: Vector[] = tokens.map((token) => row(embedding, token, config.hiddenSize));
  for (let layer = 0; layer < config.layerCount; layer++) {
    const prefix = `model.layers.${layer}.`;
    const attended = attention(
      config,
      (name) => read(`${prefix}self_attn.${name}`),
      rows.map((x) => norm(x, read(`${prefix}input_layernorm.weight`), config.epsilon)),
    );
    rows = rows.map((x, t) => plus(x, attended[t]!));
    rows = rows.map((x) => {
      const normed = norm(x, read(`${prefix}post_attention_layernorm.weight`), config.epsilon);
      const mlpReader: TensorReader = (name) => read(`${prefix}mlp.${name}`);
      return plus(x, isMoeLayer(config, layer) ? moe(config, mlpReader, normed) : mlp(mlpReader, "", normed));
    });
  }
  const last = norm(rows.at(-1)!, read("model.norm.weight"), config.epsilon);
  return times(config.tiedEmbeddings ? embedding : read("lm_head.weight"), last);
}

function attention(config: ModelConfig, read: TensorReader, xs: readonly Vector[]): Vector[] {
  const { headCount, nopeSize, ropeSize, valueSize, latentSize } = config;
  const yarn = config.yarn;
  const mscale = yarn === null ? 1 : 0.1 * yarn.mscaleAllDim * log(yarn.factor) + 1;
  const scale = (mscale * mscale) / Math.sqrt(nopeSize + ropeSize);
  const queries = xs.map((x) =>
    config.queryRank === null
      ? times(read("q_proj.weight"), x)
      : times(
          read("q_b_proj.weight"),
          norm(times(read("q_a_proj.weight"), x), read("q_a_layernorm.weight"), 1e-6),
        ),
  );
  const compressed = xs.map((x) => times(read("kv_a_proj_with_mqa.weight"), x));
  const keyValues = compressed.map((c) =>
    times(read("kv_b_proj.weight"), norm(c.slice(0, latentSize), read("kv_a_layernorm.weight"), 1e-6)),
  );
  const sharedKeys = compressed.map((c, t) => rotate(config, c.slice(latentSize), t));
  return xs.map((_, t) => {
    const out: number[] = [];
    for (let h = 0; h < headCount; h++) {
      const q = queries[t]!.slice(h * (nopeSize + ropeSize), (h + 1) * (nopeSize + ropeSize));
      const rotated = rotate(config, q.slice(nopeSize), t);
      const ofHead = keyValues.slice(0, t + 1).map((kv) => kv.slice(h * (nopeSize + valueSize)));
      const scores = ofHead.map(
        (kv, s) => scale * (dot(q.slice(0, nopeSize), kv) + dot(rotated, sharedKeys[s]!)),
      );
      const weights = softmax(scores);
      for (let c = 0; c < valueSize; c++) {
        out.push(ofHead.reduce((sum, kv, s) => sum + weights[s]! * kv[nopeSize + c]!, 0));
      }
    }
    return times(read("o_proj.weight"), out);
  });
}

function rotate(config: ModelConfig, pairs: Vector, position: number): Vector {
  const { ropeSize, ropeTheta, yarn } = config;
  const out: number[] = [];
  for (let i = 0; i < ropeSize / 2; i++) {
    let frequency = pow(ropeTheta, (-2 * i) / ropeSize);
    if (yarn !== null) {
      const edge = (turns: number) =>
        (ropeSize * log(yarn.originalPositions / (2 * Math.PI * turns))) / (2 * log(ropeTheta));
      const low = Math.max(0, Math.floor(edge(yarn.betaFast)));
      const high = Math.min(ropeSize - 1, Math.ceil(edge(yarn.betaSlow)));
      const ramp = Math.min(1, Math.max(0, (i - low) / (high - low || 0.001)));
      frequency = (frequency / yarn.factor) * ramp + frequency * (1 - ramp);
    }
    const [a, b, angle] = [pairs[2 * i]!, pairs[2 * i + 1]!, position * frequency];
    out.push(a * cos(angle) - b * sin(angle), a * sin(angle) + b * cos(angle));
  }
  return out;
}

function moe(config: ModelConfig, read: TensorReader, x: Vector): Vector {
  const { expertCount, groupCount, selection } = config;
  const logits = times(read("gate.weight"), x);
  const scores = config.gate === "sigmoid" ? logits.map((v) => 1 / (1 + exp(-v))) : softmax(logits);
  const bias = selection === "noaux" ? read("gate.e_score_correction_bias") : new Float32Array(expertCount);
  const choice = scores.map((s, e) => s + bias[e]!);
  const groupSize = expertCount / groupCount;
  const groups = Array.from({ length: groupCount }, (_, g) => {
    const best = choice.slice(g * groupSize, (g + 1) * groupSize).toSorted((a, b) => b - a);
    return selection === "noaux" && groupCount > 1 ? best[0]! + best[1]! : best[0]!;
  });
  const allowed = largest(groups, config.limitedGroupCount);
  const masked = choice.map((c, e) => (allowed.includes(Math.floor(e / groupSize)) ? c : -Infinity));
  const chosen = largest(masked, config.expertsPerToken);
  const sum = config.normalizeWeights ? chosen.reduce((total, e) => total + scores[e]!, 0) : 1;
  let out: Vector = x.map(() => 0);
  for (const e of chosen) {
    const weight = (scores[e]! / sum) * config.routedScale;
    out = plus(
      out,
      mlp(read, `experts.${e}.`, x).map((v) => weight * v),
    );
  }
  return config.sharedExpertCount === 0 ? out : plus(out, mlp(read, "shared_experts.", x));
}

function mlp(read: TensorReader, prefix: string, x: Vector): Vector {
  const gate = times(read(`${prefix}gate_proj.weight`), x);
  const up = times(read(`${prefix}up_proj.weight`), x);
  return times(
    read(`${prefix}down_proj.weight`),
    gate.map((g, i) => (g / (1 + exp(-g))) * up[i]!),
  );
}

function largest(values: Vector, count: number): number[] {
  return values
    .map((_, i) => i)
    .toSorted((a, b) => values[b]! - values[a]! || a - b)
    .slice(0, count);
}

function softmax(values: Vector): number[] {
  const top = Math.max(...values);
  const powers = values.map((v) => exp(v - top));
  const sum = powers.reduce((a, b) => a + b, 0);
  return powers.map((p) => p / sum);
}

function norm(x: Vector, weight: ArrayLike<number>, epsilon: number): number[] {
  const factor = 1 / Math.sqrt(dot(x, x) / x.length + epsilon);
  return x.map((v, i) => v * factor * weight[i]!);
}

/** W · x for W [out, in]. */
function times(matrix: ArrayLike<number>, x: Vector): number[] {
  const out: number[] = [];
  for (let start = 0; start < matrix.length; start += x.length) {
    let sum = 0;
    for (let i = 0; i < x.length; i++) sum += matrix[start + i]! * x[i]!;
    out.push(sum);
  }
  return out;
}

/** Over the length of the first. */
function dot(a: Vector, b: Vector): number {
  return a.reduce((sum, v, i) => sum + v * b[i]!, 0);
}

function plus(a: Vector, b: Vector): Vector {
  return a.map((v, i) => v + b[i]!);
}

function row(matrix: ArrayLike<number>, index: number, size: number): Vector {
  return Array.from({ length: size }, (_, i) => matrix[index * size + i]!);
}
