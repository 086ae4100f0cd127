// Redundant experts: where replicas are changes times and bytes, and no token. Degrees that experts alone do not divide
// by become possible.

import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { RandomStream } from "@windtunnel/base";
import { openCheckpoint, type WirePrecision } from "@windtunnel/model";
import { describe, expect, test } from "vitest";
import { fixture, temporaryFolder } from "./support/folders.ts";
import { drawPrompts, expectedOutputs, referenceOf, writePrompts } from "./support/prompts.ts";
import { type FinishedRun, runInto } from "./support/runs.ts";
import { writeTimedModel } from "./support/timed-models.ts";

const WIRE: WirePrecision = { dispatch: "fp8", combine: "bf16" };
const checkpoint = fixture("tiny-v3");
const reference = referenceOf(openCheckpoint(checkpoint), WIRE);
const PROMPTS = drawPrompts(new RandomStream(11, "redundant experts"), {
  count: 11,
  longest: 7,
  mostNewTokens: 3,
  vocabularySize: 512,
});

/** 16 experts, 4 for each token, in 4 groups. */
const CLUSTERS = {
  1: { nodes: 1, gpusPerNode: 1 },
  4: { nodes: 2, gpusPerNode: 2, fabric: { planes: 2, nodesPerLeaf: 1, spinesPerPlane: 2 } },
  6: { nodes: 3, gpusPerNode: 2, fabric: { planes: 2, nodesPerLeaf: 1, spinesPerPlane: 2 } },
  8: { nodes: 2, gpusPerNode: 4, fabric: { planes: 4, nodesPerLeaf: 1, spinesPerPlane: 2 } },
} as const;

describe("tokens are those of one process", () => {
  test.each([
    [1, 0, "sequential", "direct", "low-latency"],
    [1, 8, "sequential", "direct", "low-latency"],
    [4, 0, "five-stage", "direct", "low-latency"],
    [4, 8, "sequential", "low-latency", "direct"],
    [4, 8, "five-stage", "direct", "low-latency"],
    [8, 0, "five-stage", "direct", "direct"],
    [8, 8, "five-stage", "low-latency", "direct"],
    [8, 48, "sequential", "direct", "low-latency"],
    [6, 8, "five-stage", "direct", "low-latency"],
  ] as const)(
    "at degree %i with %i redundant experts, %s, %s in prefill and %s in decode",
    async (gpus, redundantExperts, schedule, prefill, decode) => {
      const folder = temporaryFolder();
      const { summary } = await runInto(folder, "run", {
        model: { checkpoint },
        cluster: CLUSTERS[gpus],
        parallelism: { redundantExperts },
        run: { prefill: { dispatch: prefill }, decode: { schedule, dispatch: decode }, precision: WIRE },
        workload: { prompts: writePrompts(folder, PROMPTS) },
      });
      expect(summary.outputs).toEqual(expectedOutputs(reference, PROMPTS));
    },
  );

  test("in two units of four GPUs, timed as a larger model whose further layers take the executed ones' replicas", async () => {
    const folder = temporaryFolder();
    const timed = path.join(folder, "timed.json");
    const config = JSON.parse(readFileSync(path.join(checkpoint, "config.json"), "utf8")) as object;
    writeFileSync(timed, JSON.stringify({ ...config, num_hidden_layers: 7, hidden_size: 1024 }));
    const run = async (redundantExperts: number): Promise<FinishedRun> =>
      runInto(folder, `run-${redundantExperts}`, {
        model: { checkpoint },
        timing: { model: timed },
        cluster: CLUSTERS[8],
        parallelism: { expertParallel: 4, redundantExperts },
        run: { decode: { schedule: "five-stage" }, precision: WIRE },
        workload: { prompts: writePrompts(folder, PROMPTS) },
      });
    const [plain, redundant] = [await run(0), await run(8)];
    expect(redundant.summary.outputs).toEqual(expectedOutputs(reference, PROMPTS));
    expect(redundant.summary.digests.tokens).toBe(plain.summary.digests.tokens);
    expect(redundant.summary.digests.events).not.toBe(plain.summary.digests.events);
  });
});

test("normal, which adds up by the ranks of replicas, gives the same tokens under every schedule", async () => {
  const folder = temporaryFolder();
  const prompts = writePrompts(folder, PROMPTS);
  const tokensUnder = async (schedule: string): Promise<string> => {
    const { summary } = await runInto(folder, schedule, {
      model: { checkpoint },
      cluster: { nodes: 2, gpusPerNode: 1, fabric: { planes: 1, nodesPerLeaf: 1, spinesPerPlane: 2 } },
      parallelism: { redundantExperts: 8 },
      run: { prefill: { dispatch: "normal" }, decode: { schedule, dispatch: "normal" }, precision: WIRE },
      workload: { prompts },
    });
    return summary.digests.tokens;
  };
  // Six and five requests on a rank: the second micro-batch begins at row 3, and its tokens count on from there.
  expect(await tokensUnder("five-stage")).toBe(await tokensUnder("sequential"));
});

describe("without math", () => {
  /** The shapes of DeepSeek-V3, with its three dense layers and one MoE layer. */
  const writeShortModel = (folder: string): string => writeTimedModel(folder, 4, 256, { dense: 3 });

  test("replicas of popular experts make a layer faster", async () => {
    const folder = temporaryFolder();
    const layerOf = async (redundantExperts: number): Promise<number> => {
      const { summary } = await runInto(folder, "run", {
        model: { preset: "deepseek-v3" },
        math: "skip",
        timing: { model: writeShortModel(folder) },
        routing: { draw: "zipf", exponent: 1 },
        cluster: { nodes: 4 },
        parallelism: { redundantExperts },
        run: { phase: "decode", precision: WIRE },
        workload: { drawn: { requestsPerGpu: 128, promptTokens: 16, steps: 1 } },
      });
      return summary.virtual.steps[0]!.layerUs;
    };
    expect(await layerOf(32)).toBeLessThan(0.85 * (await layerOf(0)));
  });

  test.each([
    [72, 32, 4],
    [144, 32, 2],
  ])("degree %i with %i redundant experts runs DeepSeek-V3", async (degree, redundantExperts, perRank) => {
    const folder = temporaryFolder();
    const { summary } = await runInto(folder, "run", {
      model: { preset: "deepseek-v3" },
      math: "skip",
      timing: { model: writeShortModel(folder), kvLength: 4096 },
      routing: { draw: "gate-like" },
      // One switch for all: what is tested is who sends how much.
      cluster: { nodes: degree / 8, fabric: { planes: 1, nodesPerLeaf: 40, spinesPerPlane: 1 } },
      parallelism: { redundantExperts },
      run: { phase: "decode", precision: WIRE },
      workload: { drawn: { requestsPerGpu: 2, promptTokens: 1, steps: 1 } },
    });
    const ordered = degree * (degree - 1);
    expect(summary.traffic.messages).toBe(2 * ordered);
    // Every message carries a count for each physical expert of its target; 2 · 8 rows of a rank out and back.
    const most = degree * 2 * 8 * (7408 + 14_336) + 2 * ordered * 4 * perRank;
    const { nvlinkBytes, rdmaBytes } = summary.traffic;
    expect(rdmaBytes).toBeLessThan(most);
    expect(rdmaBytes).toBeGreaterThan(0.85 * most);
    expect(nvlinkBytes).toBeGreaterThan(0);
  });
});
