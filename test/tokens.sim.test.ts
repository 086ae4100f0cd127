// The tokens of a run are those of one process, whatever the degree, the schedule, the pattern and who shares a batch.

import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { RandomStream } from "@windtunnel/base";
import { openCheckpoint, type ReferenceModel, type WirePrecision } from "@windtunnel/model";
import { describe, expect, test } from "vitest";
import { writeCheckpoint } from "./support/checkpoint-writer.ts";
import { fixture, temporaryFolder } from "./support/folders.ts";
import { drawPrompts, expectedOutputs, referenceOf, writePrompts } from "./support/prompts.ts";
import { type FinishedRun, runInto, type ScenarioFields } from "./support/runs.ts";
import { repeatWith, SEEDS } from "./support/seeds.ts";

const F32: WirePrecision = { dispatch: "f32", combine: "f32" };
const BF16: WirePrecision = { dispatch: "bf16", combine: "bf16" };
const FP8: WirePrecision = { dispatch: "fp8", combine: "bf16" };

const CLUSTERS = {
  1: { nodes: 1, gpusPerNode: 1 },
  2: { nodes: 1, gpusPerNode: 2 },
  4: { nodes: 2, gpusPerNode: 2, fabric: { planes: 2, nodesPerLeaf: 1, spinesPerPlane: 2 } },
  6: { nodes: 2, gpusPerNode: 3, fabric: { planes: 2, nodesPerLeaf: 1, spinesPerPlane: 2 } },
  8: { nodes: 1, gpusPerNode: 8 },
  16: { nodes: 2, gpusPerNode: 8, fabric: { planes: 8, nodesPerLeaf: 1, spinesPerPlane: 2 } },
} as const;
type Gpus = keyof typeof CLUSTERS;

/** GPUs, schedule of decode, dispatch of prefill and of decode. */
type Style = readonly [Gpus, "sequential" | "five-stage", "direct" | "low-latency", "direct" | "low-latency"];

const EVERY_STYLE: readonly Style[] = ([1, 8, 16] as const).flatMap((gpus): Style[] => [
  [gpus, "sequential", "low-latency", "direct"],
  [gpus, "sequential", "direct", "low-latency"],
  [gpus, "five-stage", "direct", "direct"],
  [gpus, "five-stage", "low-latency", "low-latency"],
]);

/** Each degree, schedule and pattern at least once. */
const SOME_STYLES: readonly Style[] = [
  [1, "sequential", "direct", "direct"],
  [8, "five-stage", "direct", "low-latency"],
  [16, "sequential", "low-latency", "direct"],
  [16, "five-stage", "direct", "direct"],
];

const [FIXED_SEED] = SEEDS;

function scenarioFor(
  [gpus, schedule, prefill, decode]: Style,
  precision: WirePrecision,
  rest: ScenarioFields,
): ScenarioFields {
  return {
    cluster: CLUSTERS[gpus],
    run: { prefill: { dispatch: prefill }, decode: { schedule, dispatch: decode }, precision },
    ...rest,
  };
}

async function runOn(
  checkpoint: string,
  prompts: string,
  style: Style,
  precision: WirePrecision,
  more: Readonly<Record<string, unknown>> = {},
): Promise<FinishedRun> {
  const rest = { model: { checkpoint }, workload: { prompts }, ...more };
  return runInto(path.dirname(prompts), "run", scenarioFor(style, precision, rest));
}

/** References are made once: they hold all weights. */
const references = new Map<string, ReferenceModel>();
function fixtureReference(name: "tiny-v2" | "tiny-v3", wire: WirePrecision): ReferenceModel {
  const key = `${name} ${wire.dispatch} ${wire.combine}`;
  const reference = references.get(key) ?? referenceOf(openCheckpoint(fixture(name)), wire);
  references.set(key, reference);
  return reference;
}

/** Fewer requests than ranks, more, and one. */
function drawnBatch(seed: number, name: string): ReturnType<typeof drawPrompts> {
  const random = new RandomStream(seed, name);
  const count = 1 + random.below(18);
  return drawPrompts(random, { count, longest: 9, mostNewTokens: 4, vocabularySize: 512 });
}

describe.each([
  ["F32", F32, "tiny-v3", EVERY_STYLE],
  ["F32", F32, "tiny-v2", EVERY_STYLE.filter(([gpus]) => gpus === 8)],
  ["FP8 to the experts and BF16 back", FP8, "tiny-v3", SOME_STYLES],
  ["FP8 to the experts and BF16 back", FP8, "tiny-v2", SOME_STYLES.filter(([gpus]) => gpus === 8)],
  ["BF16 both ways", BF16, "tiny-v3", SOME_STYLES.slice(2)],
] as const)("with %s", (_, wire, model, styles) => {
  test.each(styles)(
    `${model} at degree %i, %s, %s in prefill and %s in decode, gives the tokens of one process`,
    async (...style) => {
      const folder = temporaryFolder();
      const batch = drawnBatch(FIXED_SEED!, `${model} ${style.join(" ")}`);
      const { summary } = await runOn(fixture(model), writePrompts(folder, batch), style, wire);
      expect(summary.outputs).toEqual(expectedOutputs(fixtureReference(model, wire), batch));
    },
  );
});

test("a wire that rounds is another model than one that does not", () => {
  const prompt = [12, 45, 7, 301];
  const [f32, bf16, fp8] = [F32, BF16, FP8].map(
    (wire) => fixtureReference("tiny-v3", wire).generate(prompt, 1).firstLogits,
  );
  expect(fp8).not.toEqual(f32);
  expect(bf16).not.toEqual(f32);
  expect(fp8).not.toEqual(bf16);
});

test("a run gives the tokens that DeepSeek's own code gave", async () => {
  const folder = temporaryFolder();
  const expected = JSON.parse(readFileSync(path.join(fixture("tiny-v3"), "expected.json"), "utf8")) as {
    cases: { prompt: number[]; greedy: number[] }[];
  };
  const prompts = expected.cases.map(({ prompt }) => ({ tokens: prompt, maxNewTokens: 6 }));
  const style: Style = [8, "five-stage", "direct", "low-latency"];
  const { summary } = await runOn(fixture("tiny-v3"), writePrompts(folder, prompts), style, F32);
  expect(summary.outputs.map(({ tokens }) => tokens)).toEqual(
    expected.cases.map(({ greedy }) => greedy.slice(0, 6)),
  );
});

test.each(SEEDS)(
  "two expert-parallel units of eight GPUs give the tokens of one process (seed %i)",
  async (seed) => {
    const folder = temporaryFolder();
    const batch = drawnBatch(seed, "units");
    const style: Style = [16, "five-stage", "direct", "low-latency"];
    const { summary } = await runOn(fixture("tiny-v3"), writePrompts(folder, batch), style, FP8, {
      parallelism: { expertParallel: 8 },
    });
    const outputs = expectedOutputs(fixtureReference("tiny-v3", FP8), batch);
    expect(summary.outputs, repeatWith(seed, "tokens.sim.test.ts")).toEqual(outputs);
    // Units share no exchange, and each is a node.
    expect(summary.traffic.rdmaBytes).toBe(0);
  },
);

test.each(SEEDS)("a token does not depend on who shares its batch (seed %i)", async (seed) => {
  const folder = temporaryFolder();
  const batch = drawnBatch(seed, "alone");
  const style: Style = [8, "five-stage", "low-latency", "direct"];
  const together = await runOn(fixture("tiny-v3"), writePrompts(folder, batch), style, FP8);
  const last = batch.length - 1;
  const alone = await runOn(fixture("tiny-v3"), writePrompts(folder, batch.slice(last)), style, FP8);
  expect(alone.summary.outputs[0]!.tokens, repeatWith(seed, "tokens.sim.test.ts")).toEqual(
    together.summary.outputs[last]!.tokens,
  );
});

/** Sizes that no vector width divides; 12 experts. */
const ODD_SIZES = {
  model_type: "deepseek_v3",
  vocab_size: 53,
  hidden_size: 72,
  intermediate_size: 50,
  moe_intermediate_size: 27,
  num_hidden_layers: 3,
  first_k_dense_replace: 1,
  num_attention_heads: 5,
  n_routed_experts: 12,
  n_shared_experts: 2,
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

const SHAPES: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  "odd sizes, no query compression, two shared experts": ODD_SIZES,
  "no dense layer, no shared expert, weights not normalised": {
    ...ODD_SIZES,
    first_k_dense_replace: 0,
    num_hidden_layers: 2,
    n_shared_experts: null,
    norm_topk_prob: false,
    n_group: 1,
    topk_group: 1,
  },
  "all experts chosen, hidden size beyond one scale": {
    ...ODD_SIZES,
    hidden_size: 136,
    num_experts_per_tok: 12,
    n_group: 1,
    topk_group: 1,
    q_lora_rank: 21,
  },
  "the second family, softmax gate limited to groups": {
    ...ODD_SIZES,
    model_type: "deepseek_v2",
    topk_method: "group_limited_greedy",
    n_group: 3,
    num_experts_per_tok: 5,
    routed_scaling_factor: 4,
  },
};

describe.each(Object.entries(SHAPES))("a checkpoint with %s", (what, config) => {
  test.each([
    [1, F32],
    [2, FP8],
    [4, F32],
    [6, FP8],
  ] as const)("at degree %i gives the tokens of one process", async (gpus, wire) => {
    const folder = temporaryFolder();
    const checkpoint = writeCheckpoint(path.join(folder, "checkpoint"), config, gpus);
    const random = new RandomStream(gpus, what);
    const batch = drawPrompts(random, { count: 5, longest: 7, mostNewTokens: 4, vocabularySize: 53 });
    const style: Style = [gpus, gpus === 2 ? "sequential" : "five-stage", "direct", "low-latency"];
    const { summary } = await runOn(checkpoint, writePrompts(folder, batch), style, wire);
    expect(summary.outputs).toEqual(expectedOutputs(referenceOf(openCheckpoint(checkpoint), wire), batch));
  });
});

describe("timed as a larger model", () => {
  const batch = drawPrompts(new RandomStream(3, "timed"), {
    count: 5,
    longest: 6,
    mostNewTokens: 4,
    vocabularySize: 512,
  });
  const newTokens = Math.max(...batch.map(({ maxNewTokens }) => maxNewTokens));

  async function runTimedAs(
    changes: Readonly<Record<string, unknown>> | undefined,
    schedule: "sequential" | "five-stage",
  ): Promise<FinishedRun> {
    const folder = temporaryFolder();
    const timed = path.join(folder, "timed.json");
    const config = JSON.parse(readFileSync(path.join(fixture("tiny-v3"), "config.json"), "utf8")) as object;
    writeFileSync(timed, JSON.stringify({ ...config, ...changes }));
    const style: Style = [4, schedule, "direct", "low-latency"];
    return runOn(fixture("tiny-v3"), writePrompts(folder, batch), style, FP8, {
      timing: { model: changes === undefined ? "executed" : timed },
    });
  }

  const LARGER = { num_hidden_layers: 7, first_k_dense_replace: 2, hidden_size: 1024 };

  test("tokens stay the same, and time and bytes grow", async () => {
    const executed = await runTimedAs(undefined, "sequential");
    const larger = await runTimedAs(LARGER, "sequential");
    expect(larger.summary.digests.tokens).toBe(executed.summary.digests.tokens);
    expect(larger.summary.outputs).toEqual(expectedOutputs(fixtureReference("tiny-v3", FP8), batch));
    expect(larger.summary.virtual.totalUs).toBeGreaterThan(executed.summary.virtual.totalUs);
    expect(larger.summary.traffic.rdmaBytes).toBeGreaterThan(executed.summary.traffic.rdmaBytes);
  });

  test.each([
    ["sequential", 1],
    ["five-stage", 2],
  ] as const)("exchanges are those of the timed model's layers, %s", async (schedule, microBatches) => {
    const { summary } = await runTimedAs(LARGER, schedule);
    // One prefill step, then decode steps of one or two micro-batches; a dispatch and a combine for each of the
    // 7 - 2 timed MoE layers.
    const exchanges = 2 * (7 - 2) * (1 + (newTokens - 1) * microBatches);
    // 4 ranks: 12 ordered pairs. A message that a plane hands over to an NVLink domain is still one.
    expect(summary.traffic.messages).toBe(exchanges * 12);
  });
});
