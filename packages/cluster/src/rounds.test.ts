// Rounds between two hosts for each MoE layer and micro-batch: what every schedule and pattern promises decides them. Counted
// on one thread, with the processes of both hosts; how they meet changes no round.

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

async function roundsOf(fields: Readonly<Record<string, unknown>>): Promise<number> {
  const run = prepareRun(
    resolveScenario(
      {
        model: { preset: "v3-small" },
        math: "skip",
        timing: { model: shortModel(folder, 4), kvLength: 1024 },
        cluster: { nodes: 2 },
        run: DECODE,
        workload: { requestsPerGpu: 128, promptTokens: 1024, steps: 1 },
        placement: "threads:2",
        allowOversubscription: true,
        ...fields,
      },
      { folder },
    ),
  );
  const hosts = createPair().map((exchange) => {
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
  const [one, other] = await Promise.all(hosts.map(({ outcome }) => outcome));
  expect(one!.rounds).toBe(other!.rounds);
  return one!.rounds / hosts[0]!.made.exchanges();
}

test("five stages with low-latency need at most 15 at EP16", async () => {
  const rounds = await roundsOf({});
  expect(rounds).toBeGreaterThan(2);
  expect(rounds).toBeLessThanOrEqual(15);
});

test.each(
  ["sequential", "two-batch-sglang", "five-stage"].flatMap((schedule) =>
    ["direct", "normal"].map((dispatch) => [schedule, dispatch] as const),
  ),
)("%s with %s needs at most 40 at EP16", async (schedule, dispatch) => {
  const rounds = await roundsOf({ run: { ...DECODE, decode: { schedule, dispatch } } });
  expect(rounds).toBeLessThanOrEqual(40);
});

test("two batches of a prefill with direct need at most 40 at EP16", async () => {
  const run = { ...DECODE, phase: "prefill", prefill: { schedule: "dual-batch", dispatch: "direct" } };
  const workload = { requestsPerGpu: 2, promptTokens: 1024, steps: 1 };
  const rounds = await roundsOf({ run, workload });
  expect(rounds).toBeLessThanOrEqual(40);
});
