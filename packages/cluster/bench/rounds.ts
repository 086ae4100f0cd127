// Rounds between two hosts for each MoE layer and micro-batch: what every schedule and pattern promises decides them. Both hosts
// are on this thread; how they meet changes no round.

import { noRecorder } from "@windtunnel/trace";
import { runHost, type WindowExchange, type WindowMessage } from "@windtunnel/virtual-time";
import { createProcesses } from "../src/create-processes.ts";
import { prepareRun } from "../src/prepare-run.ts";
import { classIndices } from "../src/process-numbers.ts";
import { resolveScenario } from "../src/scenario/index.ts";
import { classGraph } from "../src/wiring.ts";
import type { BenchRow } from "./bench-row.ts";
import { inFolder, shortModel } from "./step-scenarios.ts";

export interface CountedRounds {
  readonly rounds: number;
  /** MoE layers times micro-batches of a rank. */
  readonly exchanges: number;
  /** What every process did. */
  readonly digests: string;
}

const PRECISION = { dispatch: "fp8", combine: "bf16" };
const DECODE_LAYERS = 16;
const PREFILL_LAYERS = 4;
const PROMPT = 4096;
/** `low-latency` takes at most 256 tokens of a rank in an exchange. */
const LOW_LATENCY_PROMPT = 128;
/** Rounds for each MoE layer and micro-batch that are aimed at. */
const MOST = 40;
const MOST_OF_FIVE_STAGES = 15;

interface RoundsCase {
  readonly nodes: number;
  readonly phase: "decode" | "prefill";
  readonly schedule: string;
  readonly dispatch: string;
}

/** Every schedule with every pattern, but those that take minutes. */
export async function benchRounds(): Promise<BenchRow[]> {
  return await rowsOf(CASES.filter((each) => !takesMinutes(each)));
}

/** Those. */
export async function benchLongRounds(): Promise<BenchRow[]> {
  return await rowsOf(CASES.filter(takesMinutes));
}

const CASES = [2, 18].flatMap((nodes) =>
  [
    { phase: "decode", schedules: ["five-stage", "two-batch-sglang", "sequential"] } as const,
    { phase: "prefill", schedules: ["dual-batch", "two-batch-sglang", "sequential"] } as const,
  ].flatMap(({ phase, schedules }) =>
    schedules.flatMap((schedule) =>
      ["low-latency", "direct", "normal"].map((dispatch): RoundsCase => ({
        nodes,
        phase,
        schedule,
        dispatch,
      })),
    ),
  ),
);

function takesMinutes({ nodes, phase, dispatch }: RoundsCase): boolean {
  return nodes > 2 && phase === "prefill" && dispatch === "normal";
}

async function rowsOf(cases: readonly RoundsCase[]): Promise<BenchRow[]> {
  const rows: BenchRow[] = [];
  for (const each of cases) rows.push(await row(each));
  return rows;
}

async function row({ nodes, phase, schedule, dispatch }: RoundsCase): Promise<BenchRow> {
  const isDecode = phase === "decode";
  const degree = 8 * nodes;
  const start = performance.now();
  const { rounds, exchanges } = await inFolder((folder) =>
    countRounds(2, folder, {
      timing: { model: shortModel(folder, isDecode ? DECODE_LAYERS : PREFILL_LAYERS), kvLength: 4096 },
      cluster: { nodes },
      parallelism: { expertParallel: degree, redundantExperts: Math.ceil(256 / degree) * degree - 256 },
      routing: { draw: "gate-like" },
      run: { phase, [phase]: { schedule, dispatch }, precision: PRECISION },
      workload: {
        requestsPerGpu: isDecode ? 128 : 2,
        promptTokens: dispatch === "low-latency" ? LOW_LATENCY_PROMPT : PROMPT,
        steps: 1,
      },
    }),
  );
  return {
    name: `Rounds: EP${degree}, ${phase}, ${schedule}, ${dispatch}`,
    work: { rounds },
    seconds: (performance.now() - start) / 1000,
    rates: {
      "a layer and micro-batch": rounds / exchanges,
      limit: schedule === "five-stage" ? MOST_OF_FIVE_STAGES : MOST,
    },
  };
}

/** Runs a scenario without math on so many hosts of this thread. */
export async function countRounds(
  hostCount: 1 | 2,
  folder: string,
  fields: Readonly<Record<string, unknown>>,
): Promise<CountedRounds> {
  const run = prepareRun(
    resolveScenario(
      {
        model: { preset: "v3-small" },
        math: "skip",
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
  const digests = outcomes
    .flatMap((outcome) => [...outcome.digests])
    .toSorted(([one], [other]) => one - other);
  return {
    rounds: Math.max(...outcomes.map(({ rounds }) => rounds)),
    exchanges: hosts[0]!.made.exchanges(),
    digests: digests.join(" "),
  };
}

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
