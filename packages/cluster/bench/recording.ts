// What recording costs: the same run with a recorder that forgets and with one that writes to disk, in turns, so that the
// ratio holds where the machine's speed drifts. Processor time of this process, which is what recording takes.

import { tmpdir } from "node:os";
import path from "node:path";
import { invariant } from "@windtunnel/base";
import { HostRecording, noRecorder, type Recorder } from "@windtunnel/trace";
import { createLoneExchange } from "@windtunnel/transport";
import { runHost, type WindowMessage } from "@windtunnel/virtual-time";
import { createProcesses } from "../src/create-processes.ts";
import { prepareRun, type PreparedRun } from "../src/prepare-run.ts";
import { classIndices } from "../src/process-numbers.ts";
import { resolveScenario } from "../src/scenario/index.ts";
import { createExecutedModel, createTensorSpace, fillShare } from "../src/tensor-space.ts";
import { classGraph } from "../src/wiring.ts";
import type { BenchRow } from "./bench-row.ts";
import { inFolder } from "./step-scenarios.ts";
import { DECODE_RUN } from "./timed-model.ts";

const PAIRS = 7;

/** A decode step at EP16, without math and with it. */
export async function benchRecording(pairs: number = PAIRS): Promise<BenchRow[]> {
  const common = {
    timing: { model: "deepseek-v3", kvLength: 1024 },
    cluster: { nodes: 2 },
    run: DECODE_RUN,
    allowOversubscription: true,
  };
  const skip = {
    ...common,
    model: { preset: "v3-scale" },
    math: "skip",
    workload: { drawn: { requestsPerGpu: 128, promptTokens: 16, steps: 2 } },
  };
  const real = {
    ...common,
    model: { preset: "v3-scale" },
    workload: { drawn: { requestsPerGpu: 32, promptTokens: 16, steps: 1 } },
  };
  return [
    await measure("Recording at EP16: math: skip", skip, pairs),
    await measure("Recording at EP16: real math", real, pairs),
  ];
}

interface Run {
  readonly events: number;
  readonly digests: string;
  readonly seconds: number;
  readonly bytes: number;
}

async function measure(name: string, fields: Record<string, unknown>, pairs: number): Promise<BenchRow> {
  const run = prepareRun(resolveScenario(fields, { folder: tmpdir() }));
  const without: Run[] = [];
  const with_: Run[] = [];
  for (let pair = -1; pair < pairs; pair++) {
    const plain = await runOnce(run, undefined);
    const recorded = await inFolder((folder) => runOnce(run, path.join(folder, "recording")));
    invariant(plain.digests === recorded.digests, "a run that is recorded handles other events");
    if (pair < 0) continue;
    without.push(plain);
    with_.push(recorded);
  }
  const least = (runs: readonly Run[]): number => Math.min(...runs.map(({ seconds }) => seconds));
  const { events, bytes } = with_[0]!;
  return {
    name,
    work: { events, "recorded bytes": bytes },
    seconds: least(with_),
    rates: {
      "seconds without": least(without),
      "cost %": 100 * (least(with_) / least(without) - 1),
    },
    notes: ["processor time; the least of runs without and with, in turns"],
  };
}

/** Memory and weights are new for each run; their making is not counted. */
async function runOnce(run: PreparedRun, file: string | undefined): Promise<Run> {
  const ranks = Array.from({ length: run.numbers.rankCount }, (_, rank) => rank);
  const space = createTensorSpace(run, ranks, 1);
  const recording = file === undefined ? undefined : new HostRecording(file);
  const recorderFor = (process: number): Recorder => recording?.recorderFor(process) ?? noRecorder;
  const { processes, parcels } = createProcesses(run, {
    host: 0,
    executed: () => createExecutedModel(run, space!),
    record: recording !== undefined,
    recorderFor,
    onStep: () => undefined,
  });
  if (space !== undefined) fillShare(run, space, 0, 1);
  const before = process.cpuUsage();
  const { events, digests } = await runHost({
    processes,
    classes: classGraph(run),
    classOf: classIndices(run.numbers),
    hostOf: () => 0,
    exchange: createLoneExchange<WindowMessage>(),
    cargo: parcels,
    pause: () => false,
    breathe: () => Promise.resolve(),
  });
  recording?.close();
  const { user, system } = process.cpuUsage(before);
  return {
    events,
    digests: [...digests].join(),
    seconds: (user + system) / 1e6,
    bytes: recording?.bytesWritten ?? 0,
  };
}
