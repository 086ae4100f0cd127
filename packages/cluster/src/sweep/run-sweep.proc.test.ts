// Sweeps over real worker threads.

import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { planSweep, type SweepPlan } from "./plan-sweep.ts";
import { countStored, runSweep, type SweepProgress, type SweepResult } from "./run-sweep.ts";
import { runScenario } from "../run-scenario.ts";
import { measuresOf } from "./measures.ts";

const SCENARIO = {
  model: { preset: "v3-tiny" },
  math: "skip",
  cluster: { nodes: 2, gpusPerNode: 2 },
  run: { phase: "decode" },
  workload: { requestsPerGpu: 2, promptTokens: 8, steps: 2 },
};

function newFolder(): string {
  const folder = mkdtempSync(path.join(tmpdir(), "windtunnel-sweep-test-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return folder;
}

function plan(folder: string, over: readonly string[], scenario: object = SCENARIO): SweepPlan {
  const file = path.join(folder, "scenario.yaml");
  writeFileSync(file, JSON.stringify(scenario));
  return planSweep({ file, settings: [], over });
}

/** Runs it, and counts the points that were run and not found. */
async function run(
  sweep: SweepPlan,
  folder: string,
  options: {
    readonly workerCount?: number;
    readonly signal?: AbortSignal;
    readonly onProgress?: (progress: SweepProgress) => void;
  } = {},
): Promise<{ result: SweepResult; runCount: number; storedCount: number }> {
  let last: SweepProgress | undefined;
  const result = await runSweep(sweep, {
    folder,
    workerCount: 1,
    ...options,
    onProgress: (progress) => {
      last = progress;
      options.onProgress?.(progress);
    },
  });
  return { result, runCount: last!.doneCount, storedCount: last!.storedCount };
}

test("points have the measures of a run, two spellings of one file are one run, and no trace of it stays", async () => {
  const folder = newFolder();
  writeFileSync(path.join(folder, "prompts.jsonl"), '{"tokens":[1,2,3]}\n{"tokens":[4]}\n');
  const scenario = {
    ...SCENARIO,
    run: { phase: "generate" },
    workload: { prompts: "none", maxNewTokens: 2 },
  };
  const over = ["workload.prompts=prompts.jsonl,./prompts.jsonl", "run.decode.dispatch=direct,low-latency"];
  const sweep = plan(folder, over, scenario);
  const { result, runCount } = await run(sweep, folder, { workerCount: 2 });
  expect([runCount, readdirSync(path.join(folder, "points")).length]).toEqual([4, 2]);
  expect(readdirSync(folder)).toEqual(["points", "prompts.jsonl", "scenario.yaml"]);
  for (const [index, { measures, failure }] of result.rows.entries()) {
    const summary = await runScenario(sweep.points[index]!.scenario, {
      outputFolder: newFolder(),
      exports: false,
    });
    expect([measures, failure]).toEqual([measuresOf(summary), null]);
  }
});

test("an ended sweep keeps what was finished, and the next one runs the rest", async () => {
  const folder = newFolder();
  const sweep = plan(folder, ["seed=1,2,3,4,5,6"]);
  const controller = new AbortController();
  const reason = new Error("ended");
  const onProgress = ({ doneCount }: SweepProgress): void => {
    if (doneCount === 2) controller.abort(reason);
  };
  await expect(run(sweep, folder, { signal: controller.signal, onProgress })).rejects.toBe(reason);
  // One worker: the third point was at work at most, and is lost.
  expect(countStored(sweep, folder)).toBe(2);
  const rest = await run(sweep, folder);
  expect([rest.storedCount, rest.runCount]).toEqual([2, 4]);
  const again = await run(sweep, folder);
  expect([again.storedCount, again.runCount]).toEqual([6, 0]);
  expect(again.result).toEqual(rest.result);
  // More values: only the new point is missing. Another scenario: none of these is its own.
  expect(countStored(plan(folder, ["seed=1,2,3,4,5,6,7"]), folder)).toBe(6);
  const steps = { ...SCENARIO, workload: { ...SCENARIO.workload, steps: 3 } };
  expect(countStored(plan(folder, ["seed=1,2"], steps), folder)).toBe(0);
});

test("a point that fails is a row with its reason; the others are run, and it is not stored", async () => {
  const folder = newFolder();
  // Launches of 2.5 µs x 1e12 pass the end of virtual time, 2^53 ps.
  const sweep = plan(folder, ["overrides.launch.time=1,1e12,2"]);
  const { result } = await run(sweep, folder, { workerCount: 3 });
  expect(result.rows.map(({ measures }) => measures !== null)).toEqual([true, false, true]);
  expect(result.rows[1]!.failure).toMatchObject({ code: "time-exhausted" });
  expect(countStored(sweep, folder)).toBe(2);
});
