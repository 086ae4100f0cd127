// A schedule changes time and never a token: the same prompts under every schedule and pattern, with prompts that are cut
// in two, ranks without requests, redundant experts, and graphs of padded sizes.

import { writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { temporaryFolder } from "./support/folders.ts";
import { runInto } from "./support/runs.ts";
import { writeTimedModel } from "./support/timed-models.ts";

const LENGTHS = [17, 3, 9, 1, 12];

interface Tried {
  readonly prefill: string;
  readonly decode: string;
  readonly pattern: string;
  readonly launch?: "graph";
}

async function run({ prefill, decode, pattern, launch }: Tried, more: Record<string, unknown> = {}) {
  const folder = temporaryFolder();
  const prompts = LENGTHS.map((length, prompt) =>
    JSON.stringify({ tokens: Array.from({ length }, (_, index) => (37 * prompt + 11 * index) % 200) }),
  );
  writeFileSync(path.join(folder, "prompts.jsonl"), prompts.join("\n"));
  const { summary } = await runInto(folder, "run", {
    model: { preset: "v3-tiny" },
    cluster: { nodes: 2, gpusPerNode: 2 },
    run: {
      prefill: { schedule: prefill, dispatch: pattern },
      decode: {
        schedule: decode,
        dispatch: pattern,
        ...(launch === undefined ? {} : { launch, graphSizes: [3, 4] }),
      },
      precision: { dispatch: "fp8", combine: "bf16" },
    },
    workload: { prompts: "./prompts.jsonl", maxNewTokens: 3 },
    ...more,
  });
  return summary;
}

describe.each(["direct", "normal", "low-latency"])("tokens with %s", (pattern) => {
  const tried: readonly Tried[] = [
    { pattern, prefill: "dual-batch", decode: "five-stage" },
    { pattern, prefill: "two-batch-sglang", decode: "two-batch-sglang" },
    ...(pattern === "normal"
      ? []
      : [{ pattern, prefill: "sequential", decode: "five-stage", launch: "graph" } as const]),
  ];
  test("are those of sequential", async () => {
    const plain = await run({ pattern, prefill: "sequential", decode: "sequential" });
    expect(plain.outputs.flatMap(({ tokens }) => tokens)).toHaveLength(15);
    const events = new Set([plain.digests.events]);
    for (const each of tried) {
      const { digests } = await run(each);
      expect(digests.tokens, JSON.stringify(each)).toBe(plain.digests.tokens);
      events.add(digests.events);
    }
    expect(events.size).toBe(1 + tried.length);
  });

  test("are those of sequential with redundant experts", async () => {
    const more = { parallelism: { expertParallel: 4, redundantExperts: 4 } };
    const plain = await run({ pattern, prefill: "sequential", decode: "sequential" }, more);
    const dual: Tried = { pattern, prefill: "dual-batch", decode: "two-batch-sglang" };
    const { digests } = await run(dual, more);
    expect(digests.tokens).toBe(plain.digests.tokens);
  });
});

test("a graph costs one launch a step, and rows of a captured size", async () => {
  const decode = { schedule: "sequential", dispatch: "low-latency" };
  const decodeUs = async (more: Record<string, unknown>, requestsPerGpu: number): Promise<number> => {
    const folder = temporaryFolder();
    const { summary } = await runInto(folder, "run", {
      model: { preset: "v3-small" },
      math: "skip",
      timing: { model: writeTimedModel(folder, 3) },
      cluster: { gpusPerNode: 2 },
      run: { phase: "decode", decode: { ...decode, ...more } },
      workload: { drawn: { requestsPerGpu, promptTokens: 64, steps: 1 } },
      allowOversubscription: true,
    });
    return summary.virtual.steps[0]!.us;
  };
  const kernels = await decodeUs({}, 4);
  const graph = await decodeUs({ launch: "graph", graphSizes: [4] }, 4);
  expect(graph).toBeLessThan(kernels);
  // Above the largest captured size, kernels are launched one by one.
  expect(await decodeUs({ launch: "graph", graphSizes: [2] }, 4)).toBe(kernels);
  // Attention over 64 cached positions and weights are the same; more rows cost more.
  const padded = await decodeUs({ launch: "graph", graphSizes: [64] }, 4);
  expect(padded).toBeGreaterThan(graph);
});
