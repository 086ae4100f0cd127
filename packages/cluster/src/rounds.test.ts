// Rounds between two hosts for each MoE layer and micro-batch: what every schedule and pattern promises decides them. Counted
// on one thread, with the processes of both hosts; how they meet changes no round. Either way every process does what it does
// on one host.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { noRecorder } from "@windtunnel/trace";
import { runHost, type WindowExchange, type WindowMessage } from "@windtunnel/virtual-time";
import { afterAll, expect, test } from "vitest";
import { shortModel } from "../bench/step-scenarios.ts";
import { createProcesses } from "./create-processes.ts";
import { prepareRun } from "./prepare-run.ts";
import { classIndices } from "./process-numbers.ts";
import { resolveScenario } from "./scenario/index.ts";
import { classGraph } from "./wiring.ts";

const folder = mkdtempSync(path.join(tmpdir(), "test-of-windtunnel-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const DECODE = {
  phase: "decode",
  decode: { schedule: "five-stage", dispatch: "low-latency" },
  precision: { dispatch: "fp8", combine: "bf16" },
};

/** One host, which nobody answers. */
const ALONE: WindowExchange = { self: 0, hostCount: 1, swap: () => [] };

/** Two hosts of one thread: a round is over when both have given their messages. */
function createPair(): WindowExchange[] {
  let first: { messages: readonly WindowMessage[]; answer: (message: WindowMessage) => void } | undefined;
  return [0, 1].map((self) => ({
    self,
    hostCount: 2,
    swap: (messages: readonly WindowMessage[]) =>
      new Promise<(WindowMessage | undefined)[]>((resolve) => {
        const give = (message: WindowMessage): void =>
          resolve(self === 0 ? [undefined, message] : [message, undefined]);
        if (first === undefined) {
          first = { messages, answer: give };
          return;
        }
        const other = first;
        first = undefined;
        give(other.messages[self]!);
        other.answer(messages[1 - self]!);
      }),
  }));
}

/** Runs a step on so many hosts of this thread; gives rounds for each MoE layer and micro-batch, and what every process did. */
async function runOn(
  hostCount: 1 | 2,
  fields: Readonly<Record<string, unknown>>,
): Promise<{ rounds: number; digests: string }> {
  const run = prepareRun(
    resolveScenario(
      {
        model: { preset: "v3-small" },
        math: "skip",
        timing: { model: shortModel(folder, 4), kvLength: 1024 },
        cluster: { nodes: 2 },
        run: DECODE,
        workload: { requestsPerGpu: 128, promptTokens: 1024, steps: 1 },
        placement: `threads:${hostCount}`,
        allowOversubscription: true,
        ...fields,
      },
      { folder },
    ),
  );
  const exchanges = hostCount === 1 ? [ALONE] : createPair();
  const hosts = exchanges.map((exchange) => {
    const made = createProcesses(run, {
      host: exchange.self,
      executed: () => {
        throw new Error("nothing is executed");
      },
      record: false,
      recorderFor: () => noRecorder,
      onStep: () => undefined,
    });
    const outcome = runHost({
      processes: made.processes,
      classes: classGraph(run),
      classOf: classIndices(run.numbers),
      hostOf: (process) => run.hosts.hostOf(process),
      exchange,
      cargo: made.parcels,
    });
    return { made, outcome };
  });
  const outcomes = await Promise.all(hosts.map(({ outcome }) => outcome));
  const [{ rounds } = { rounds: 0 }] = outcomes;
  for (const outcome of outcomes) expect(outcome.rounds).toBe(rounds);
  const digests = outcomes
    .flatMap((outcome) => [...outcome.digests])
    .toSorted(([one], [other]) => one - other);
  return { rounds: rounds / hosts[0]!.made.exchanges(), digests: digests.join(" ") };
}

async function roundsOf(fields: Readonly<Record<string, unknown>>): Promise<number> {
  const [alone, together] = [await runOn(1, fields), await runOn(2, fields)];
  expect(together.digests).toBe(alone.digests);
  return together.rounds;
}

test("five stages with low-latency need at most 7 at EP16", async () => {
  const rounds = await roundsOf({});
  expect(rounds).toBeGreaterThan(2);
  expect(rounds).toBeLessThanOrEqual(7);
});

test.each(
  ["sequential", "two-batch-sglang", "five-stage"].flatMap((schedule) =>
    ["direct", "normal"].map((dispatch) => [schedule, dispatch] as const),
  ),
)("%s with %s needs at most 15 at EP16", async (schedule, dispatch) => {
  const rounds = await roundsOf({ run: { ...DECODE, decode: { schedule, dispatch } } });
  expect(rounds).toBeLessThanOrEqual(15);
});

test.each([
  ["direct", 15],
  ["normal", 40],
])("two batches of a prefill with %s need at most %i at EP16", async (dispatch, most) => {
  const run = { ...DECODE, phase: "prefill", prefill: { schedule: "dual-batch", dispatch } };
  const workload = { requestsPerGpu: 2, promptTokens: 1024, steps: 1 };
  const rounds = await roundsOf({ run, workload });
  expect(rounds).toBeLessThanOrEqual(most);
});
