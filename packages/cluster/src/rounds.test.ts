// What every schedule and pattern promises decides how many rounds two hosts need. Either way every process does what it does on one
// host.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, expect, test } from "vitest";
import { countRounds } from "../bench/rounds.ts";
import { shortModel } from "../bench/step-scenarios.ts";

const folder = mkdtempSync(path.join(tmpdir(), "test-of-windtunnel-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const DECODE = {
  phase: "decode",
  decode: { schedule: "five-stage", dispatch: "low-latency" },
  precision: { dispatch: "fp8", combine: "bf16" },
};

/** For each MoE layer and micro-batch of a step. */
async function roundsOf(fields: Readonly<Record<string, unknown>>): Promise<number> {
  const scenario = {
    timing: { model: shortModel(folder, 4), kvLength: 1024 },
    cluster: { nodes: 2 },
    run: DECODE,
    workload: { requestsPerGpu: 128, promptTokens: 1024, steps: 1 },
    ...fields,
  };
  const alone = await countRounds(1, folder, scenario);
  const together = await countRounds(2, folder, scenario);
  expect(together.digests).toBe(alone.digests);
  return together.rounds / together.exchanges;
}

test("five stages with low-latency need at most 5 at EP16", async () => {
  const rounds = await roundsOf({});
  expect(rounds).toBeGreaterThan(2);
  expect(rounds).toBeLessThanOrEqual(5);
});

test.each(
  ["sequential", "two-batch-sglang", "five-stage"].flatMap((schedule) =>
    ["direct", "normal"].map((dispatch) => [schedule, dispatch] as const),
  ),
)("%s with %s needs at most 10 at EP16", async (schedule, dispatch) => {
  const rounds = await roundsOf({ run: { ...DECODE, decode: { schedule, dispatch } } });
  expect(rounds).toBeLessThanOrEqual(10);
});

test.each([
  ["direct", 10],
  ["normal", 20],
])("two batches of a prefill with %s need at most %i at EP16", async (dispatch, most) => {
  const run = { ...DECODE, phase: "prefill", prefill: { schedule: "dual-batch", dispatch } };
  const workload = { requestsPerGpu: 2, promptTokens: 1024, steps: 1 };
  const rounds = await roundsOf({ run, workload });
  expect(rounds).toBeLessThanOrEqual(most);
});
