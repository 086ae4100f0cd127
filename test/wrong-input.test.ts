// Wrong input is refused with one message that names the thing: what and where, what was found, what is allowed.
// wrong-input.proc.test.ts does the same through the command.

import { writeFileSync } from "node:fs";
import path from "node:path";
import { WorldError } from "@windtunnel/base";
import { loadScenario, runScenario } from "@windtunnel/cluster";
import { describe, expect, test } from "vitest";
import {
  type CheckpointChanges,
  SMALLEST_CONFIG,
  type StoredTensor,
  withNumber,
  writeCheckpoint,
} from "./support/checkpoint-writer.ts";
import { temporaryFolder } from "./support/folders.ts";

const PRESET = { model: { preset: "v3-tiny" } };

/** What a run of a scenario says before it gives up. */
async function refusalOf(
  folder: string,
  scenario: unknown,
  settings: readonly string[] = [],
): Promise<WorldError> {
  const file = path.join(folder, "scenario.yaml");
  writeFileSync(file, typeof scenario === "string" ? scenario : JSON.stringify(scenario));
  const refused = await run(file, settings, path.join(folder, "run")).then(
    () => undefined,
    (error: unknown) => error,
  );
  if (!(refused instanceof WorldError)) throw refused ?? new Error("the scenario was run");
  expect(refused.exitCode).toBe(2);
  return refused;
}

async function run(file: string, settings: readonly string[], outputFolder: string): Promise<void> {
  await runScenario(loadScenario(file, settings), { outputFolder });
}

describe("a scenario is refused", () => {
  test.each([
    [
      "an unknown field",
      { ...PRESET, cluster: { nods: 2 } },
      /cluster\.nods: .*nearest known name is "nodes"/,
    ],
    ["an unknown field on top", { modle: { preset: "v3-tiny" } }, /modle.*nearest known name is "model"/s],
    [
      "a wrong type",
      { ...PRESET, cluster: { nodes: "two" } },
      /cluster\.nodes: found "two"; allowed: .*whole/,
    ],
    [
      "more planes than a node has NICs",
      { ...PRESET, cluster: { fabric: { planes: 9 } } },
      /8 NICs, too few for 9 planes/,
    ],
    ["a billion nodes", { ...PRESET, cluster: { nodes: 1e9 } }, /cluster\.nodes: .*from 1 to 4096/],
    [
      "a degree that experts do not divide by, with those that do",
      { ...PRESET, cluster: { nodes: 3 } },
      /16 experts \+ 0 redundant do not divide by a degree of 24; 8 redundant experts would/,
    ],
    [
      "redundant experts that do not divide, with those that do",
      { ...PRESET, parallelism: { redundantExperts: 7 } },
      /16 experts \+ 7 redundant do not divide by a degree of 8; 8 redundant experts would/,
    ],
    [
      "a billion redundant experts",
      { ...PRESET, parallelism: { redundantExperts: 1e9 } },
      /redundantExperts: .*from 0 to 65536/,
    ],
    [
      "an exponent for a draw that has none",
      { ...PRESET, math: "skip", routing: { draw: "gate-like", exponent: 2 } },
      /exponent means nothing to gate-like/,
    ],
    ["a fraction of a node", { ...PRESET, cluster: { nodes: 1.5 } }, /cluster\.nodes: found 1\.5/],
    ["no model", { cluster: { nodes: 2 } }, /model/],
    ["a name of no preset", { model: { preset: "v3-tyni" } }, /"v3-tyni"; there are v3-tiny, /],
    [
      "a preset that is for timing only",
      { model: { preset: "deepseek-v3" } },
      /deepseek-v3 can be timed, not exec/,
    ],
    [
      "no YAML",
      "model: { preset: v3-tiny\ncluster: [",
      /scenario\.yaml, line \d+, column \d+: not valid YAML/,
    ],
    ["an empty file", "", /scenario\.yaml: the file is empty/],
    [
      "a degree that does not divide the GPUs",
      { ...PRESET, parallelism: { expertParallel: 3 } },
      /parallelism\.expertParallel: found 3; allowed: a divisor of the 8 GPUs/,
    ],
    [
      "a degree that does not divide the experts",
      { ...PRESET, cluster: { gpusPerNode: 3 } },
      /16 experts \+ 0 redundant do not divide by a degree of 3; 2 redundant experts would/,
    ],
    [
      "more hosts than GPUs and planes",
      { ...PRESET, placement: "threads:17" },
      /placement: found threads:17; allowed: at most 16 hosts/,
    ],
    [
      "no placement",
      { ...PRESET, placement: "fibres:2" },
      /placement: found "fibres:2"; allowed: inline, threads:N/,
    ],
    ["a GPU of no name", { ...PRESET, timing: { gpu: "h801" } }, /no hardware profile is called h801/],
    [
      "a timed model with other experts",
      { ...PRESET, timing: { model: "deepseek-v3" } },
      /the timed model has 256 routed experts, the executed one 16/,
    ],
    [
      "a model that does not fit the emulated GPUs",
      { ...PRESET, timing: { model: "executed", kvLength: 2 ** 31 } },
      /does not fit the memory of .*: .* GB of weights \+ .* GB of KV cache .* = .* GB of 84\.9 GB/,
    ],
    [
      "more positions than the model has",
      { ...PRESET, workload: { drawn: { promptTokens: 200_000 } } },
      /positions; the executed model has 163840/,
    ],
    [
      "more tokens than low-latency takes",
      { ...PRESET, workload: { drawn: { requestsPerGpu: 257 } } },
      /low-latency takes at most 256 tokens per rank and exchange, not 257/,
    ],
    [
      "the name of a cable that is not there",
      { ...PRESET, overrides: { links: { "plane 0 / node 0 - leaf 9": { bandwidth: 0.5 } } } },
      /overrides\.links names "plane 0 \/ node 0 - leaf 9"/,
    ],
    [
      "the rank of a GPU that is not there",
      { ...PRESET, overrides: { gpus: { 8: { speed: 0.5 } } } },
      /from 0 to 7/,
    ],
  ])("with %s", async (_, scenario, message) => {
    expect((await refusalOf(temporaryFolder(), scenario)).message).toMatch(message);
  });

  test("with all its problems in one message", async () => {
    const scenario = { ...PRESET, cluster: { nods: 2 }, seed: "one" };
    const { message } = await refusalOf(temporaryFolder(), scenario);
    expect(message).toMatch(/2 problems\n.*seed.*\n.*cluster\.nods/);
  });
});

describe("a file that a scenario names is refused", () => {
  test.each([
    ["prompts without a line", "workload", { prompts: "file" }, "\n", /file: no prompts in this file/],
    ["prompts that are no JSON", "workload", { prompts: "file" }, "{", /file, line 1: not JSON/],
    [
      "a prompt without tokens",
      "workload",
      { prompts: "file" },
      '{"tokens":[]}',
      /line 1: tokens: found \[\]/,
    ],
    [
      "a token outside the vocabulary",
      "workload",
      { prompts: "file" },
      '{"tokens":[1]}\n{"tokens":[5,512]}',
      /file, line 2: tokens\[1\]: found 512; allowed: ids from 0 to 511/,
    ],
    [
      "a token below zero",
      "workload",
      { prompts: "file" },
      '{"tokens":[-1]}',
      /line 1: tokens\[0\]: found -1/,
    ],
    [
      "a timed model that is neither JSON nor YAML",
      "timing",
      { model: "./file" },
      "{",
      /file, line 1: neither JSON nor YAML/,
    ],
    ["a timed model that is no model", "timing", { model: "./file" }, "[]", /file/],
    [
      "a hardware profile that is neither JSON nor YAML",
      "timing",
      { gpu: "./file" },
      "sms: [",
      /file, line 1: neither JSON nor YAML/,
    ],
    [
      "a hardware profile without its fields",
      "timing",
      { gpu: "./file" },
      "name: mine",
      /file is not a hardware profile:\n {2}sms: /,
    ],
  ])("%s", async (_, field, value, content, message) => {
    const folder = temporaryFolder();
    writeFileSync(path.join(folder, "file"), content);
    expect((await refusalOf(folder, { ...PRESET, [field]: value })).message).toMatch(message);
  });

  test.each([
    ["prompts", { ...PRESET, workload: { prompts: "nowhere.jsonl" } }, /workload\.prompts: .*nowhere\.jsonl/],
    [
      "a checkpoint",
      { model: { checkpoint: "nowhere" } },
      /model\.checkpoint: .*nowhere, which is not there/,
    ],
    ["a timed model", { ...PRESET, timing: { model: "./nowhere.json" } }, /timing\.model: .*nowhere\.json/],
    ["a hardware profile", { ...PRESET, timing: { gpu: "./nowhere.yaml" } }, /timing\.gpu: .*nowhere\.yaml/],
  ])("%s that is not there", async (_, scenario, message) => {
    expect((await refusalOf(temporaryFolder(), scenario)).message).toMatch(message);
  });
});

const SPOILT = "model.layers.1.mlp.experts.6.up_proj.weight";

function spoil(change: (tensor: StoredTensor) => StoredTensor): CheckpointChanges {
  return { tensors: (tensors) => tensors.map((one) => (one.name === SPOILT ? change(one) : one)) };
}

/** A file whose header says that it is so long. */
function withHeaderLength(file: Buffer, length: bigint): Buffer {
  const changed = Buffer.from(file);
  changed.writeBigUInt64LE(length);
  return changed;
}

describe("a checkpoint is refused", () => {
  test.each<[string, CheckpointChanges, RegExp]>([
    [
      "without one of its tensors",
      { tensors: (all) => all.filter(({ name }) => name !== SPOILT) },
      /1 tensors? .*missing/,
    ],
    [
      "with a truncated file",
      { file: (bytes) => bytes.subarray(0, bytes.length - 100) },
      /model\.safetensors/,
    ],
    ["with a file cut inside its header", { file: (bytes) => bytes.subarray(0, 100) }, /model\.safetensors/],
    ["with an empty file", { file: () => Buffer.alloc(0) }, /model\.safetensors/],
    [
      "with a header longer than the file",
      { file: (bytes) => withHeaderLength(bytes, 2n ** 40n) },
      /model\.safetensors/,
    ],
    [
      "with a header of 2^64 - 1 bytes",
      { file: (bytes) => withHeaderLength(bytes, 2n ** 64n - 1n) },
      /safetensors/,
    ],
    ["with a header that is no JSON", { file: (bytes) => bytes.fill(1, 8, 40) }, /model\.safetensors/],
    ["with a dtype that is no number's", spoil((tensor) => ({ ...tensor, dtype: "I32" })), /dtype is I32/],
    [
      "with another shape",
      spoil((tensor) => ({ ...tensor, shape: tensor.shape.toReversed() })),
      /shape is \[16, 8\]/,
    ],
    ["with NaN in a weight", spoil((tensor) => withNumber(tensor, 11, Number.NaN)), /element 11 is NaN/],
    [
      "with an infinite weight",
      spoil((tensor) => withNumber(tensor, 11, -Infinity)),
      /element 11 is -Infinity/,
    ],
  ])("%s", async (what, changes, message) => {
    const folder = temporaryFolder();
    writeCheckpoint(path.join(folder, "checkpoint"), SMALLEST_CONFIG, 1, changes);
    const refused = await refusalOf(folder, { model: { checkpoint: "checkpoint" } });
    expect(refused.message).toMatch(message);
    expect(refused.message).toContain(path.join(folder, "checkpoint"));
    if (/dtype|shape|NaN|infinite|tensors$/.test(what)) expect(refused.message).toContain(SPOILT);
  });

  test.each([
    ["of another family", { ...SMALLEST_CONFIG, model_type: "llama" }, /model_type.*llama/],
    [
      "with a size that is no number",
      { ...SMALLEST_CONFIG, n_routed_experts: "eight" },
      /n_routed_experts.*eight/,
    ],
  ])("%s", async (_, config, message) => {
    const folder = temporaryFolder();
    writeCheckpoint(path.join(folder, "checkpoint"), SMALLEST_CONFIG, 1);
    writeFileSync(path.join(folder, "checkpoint", "config.json"), JSON.stringify(config));
    expect((await refusalOf(folder, { model: { checkpoint: "checkpoint" } })).message).toMatch(message);
  });
});

test.each([
  ["a file", "taken"],
  ["inside a file", "taken/run"],
])("an output folder that is %s is refused", async (_, name) => {
  const folder = temporaryFolder();
  writeFileSync(path.join(folder, "taken"), "");
  const file = path.join(folder, "scenario.yaml");
  writeFileSync(file, JSON.stringify(PRESET));
  const outputFolder = path.join(folder, name);
  await expect(run(file, [], outputFolder)).rejects.toMatchObject({
    code: "input",
    message: expect.stringContaining(outputFolder) as unknown,
  });
});

test("a GPU without enough SMs for a pattern's kernels is refused", async () => {
  const folder = temporaryFolder();
  const profile = {
    name: "small",
    sms: 8,
    memoryBytes: 8e10,
    memoryBytesPerSecond: 1e12,
    flops: { bf16: 1e14, fp8: 2e14 },
    nvlinkBytesPerSecond: 1e11,
    nics: { count: 8, bytesPerSecond: 4e10 },
    launchUs: 2,
  };
  writeFileSync(path.join(folder, "small.json"), JSON.stringify(profile));
  const refusal = await refusalOf(folder, { ...PRESET, timing: { gpu: "./small.json" } });
  expect(refusal.message).toContain("direct takes 20 SMs for communication; small has 8");
});
