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

type Pick = (ascending: readonly number[]) => number;

/** What is on its way in the middle of a step only ever adds. */
const least: Pick = ([first]) => first!;
/** In a run that holds more, V8 now and then drops a megabyte at once and makes it again. */
const median: Pick = (bytes) => bytes[Math.floor(bytes.length / 2)]!;

/** Bytes a step: what was in use in the later half of the steps from `warmSteps` on, less that of the earlier half. */
function growth(used: readonly UsedBytes[], warmSteps: number, pick: Pick): number {
  const middle = (warmSteps + used.at(-1)!.steps) / 2;
  const usedIn = (isIn: (steps: number) => boolean): number => {
    const bytes = used.filter(({ steps }) => isIn(steps)).map((point) => point.bytes);
    expect(bytes.length).toBeGreaterThan(4);
    return pick(bytes.toSorted((a, b) => a - b));
  };
  const earlier = usedIn((steps) => steps >= warmSteps && steps < middle);
  const later = usedIn((steps) => steps >= middle);
  return (later - earlier) / (middle - warmSteps);
}

/** Holds growth below a limit. One run in twenty is far off, either way: then the middle one of three counts. */
async function expectGrowthBelow(limit: number, measure: () => Promise<number>): Promise<void> {
  const first = await measure();
  const growths = first < limit ? [first] : [first, await measure(), await measure()];
  expect(median(growths.toSorted((a, b) => a - b))).toBeLessThan(limit);
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
  await expectGrowthBelow(2000, async () => {
    const used = await usedBytes({ ...common, workload: { drawn } });
    return growth(used, 100, least);
  });
});

test("without math, a step leaves its outcome and its tokens and nothing else", async () => {
  const drawn = { requestsPerGpu: 256, promptTokens: 2, steps: 160 };
  const timing = { model: "deepseek-v3", kvLength: 64 };
  // 512 tokens of 8 bytes, in lists that grow by half when they are full. The pool of draws is full by then: 128 tokens
  // have 4 · 256 draws, and 58 layers with 2 micro-batches on 2 ranks take 232 in each step. The bound is 86 bytes for
  // each of these exchanges, of which 18 are tokens.
  await expectGrowthBelow(20_000, async () => {
    const used = await usedBytes({ ...common, math: "skip", timing, workload: { drawn } });
    return growth(used, 40, median);
  });
});
