// What a run keeps in its processes' memory does not grow with its steps, but for what the summary says of each.

import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { temporaryFolder } from "./support/folders.ts";
import type { UsedBytes } from "./support/measured-growth.ts";

const PROGRAM = fileURLToPath(new URL("support/measured-growth.ts", import.meta.url));

async function usedBytes(fields: object): Promise<UsedBytes[]> {
  const given = ["--expose-gc", "--no-flush-bytecode", PROGRAM, JSON.stringify(fields), temporaryFolder()];
  return JSON.parse((await promisify(execFile)(process.execPath, given)).stdout) as UsedBytes[];
}

/**
 * Bytes a step, over the steps from `warmSteps` on: the median slope between any two points (Theil and Sen). V8 now and then drops a
 * megabyte at once and makes it again, and what is on its way in the middle of a step adds: neither moves a median.
 */
function growth(used: readonly UsedBytes[], warmSteps: number): number {
  const warm = used.filter(({ steps }) => steps >= warmSteps);
  expect(warm.length).toBeGreaterThan(9);
  const slopes = warm.flatMap((later, index) =>
    warm.slice(0, index).map((earlier) => (later.bytes - earlier.bytes) / (later.steps - earlier.steps)),
  );
  return slopes.toSorted((a, b) => a - b)[slopes.length >> 1]!;
}

const common = {
  model: { preset: "v3-tiny" },
  cluster: { gpusPerNode: 2 },
  run: { phase: "decode", decode: { schedule: "five-stage" } },
  allowOversubscription: true,
};

test("with real math, a step leaves its outcome and its tokens and nothing else", async () => {
  const drawn = { requestsPerGpu: 2, promptTokens: 2, steps: 400 };
  // 4 tokens of 8 bytes and an outcome of some 100. measured: 300 to 800, of which statistics of code are a part; the heap
  // grows by 155 a step between steps 4,500 and 8,500 of 10,000.
  const used = await usedBytes({ ...common, workload: { drawn } });
  expect(growth(used, 100)).toBeLessThan(2000);
});

test("without math, a step leaves its outcome and its tokens and nothing else", async () => {
  const drawn = { requestsPerGpu: 256, promptTokens: 2, steps: 160 };
  const timing = { model: "deepseek-v3", kvLength: 64 };
  // 512 tokens of 8 bytes, in lists that grow by half when they are full. The pool of draws is full by then: 128 tokens
  // have 4 · 256 draws, and 58 layers with 2 micro-batches on 2 ranks take 232 in each step. The bound is 86 bytes for
  // each of these exchanges, of which 18 are tokens.
  const used = await usedBytes({ ...common, math: "skip", timing, workload: { drawn } });
  expect(growth(used, 40)).toBeLessThan(20_000);
});
