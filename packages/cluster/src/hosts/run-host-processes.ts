// One host of a run, wherever it lives: makes its logical processes, fills its share of the weights, runs to the end,
// and gives what it found as plain data.

import path from "node:path";
import type { RequestOutcome, StepOutcome } from "@windtunnel/serving";
import { HostRecording, noRecorder } from "@windtunnel/trace";
import type { ValueExchange } from "@windtunnel/transport";
import {
  type HostOutcome,
  type HostState,
  runHost,
  type WaitReport,
  type WindowMessage,
} from "@windtunnel/virtual-time";
import { createProcesses } from "../create-processes.ts";
import { createEventLog } from "../event-log.ts";
import type { PreparedRun } from "../prepare-run.ts";
import { classIndices } from "../process-numbers.ts";
import { startStopwatch, timeOfDay } from "./stopwatch.ts";
import { createThreadClock } from "./thread-clock.ts";
import { createExecutedModel, fillShare, type TensorSpace } from "../tensor-space.ts";
import { classGraph } from "../wiring.ts";

/** Signals and progress are looked after at least this often. */
const BREATH_MILLISECONDS = 100;

export interface HostWork {
  readonly run: PreparedRun;
  readonly host: number;
  readonly exchange: ValueExchange<WindowMessage>;
  /** The memory of this operating-system process; undefined where nothing is executed. */
  readonly space: TensorSpace | undefined;
  /** This host's share of filling the weights. */
  readonly share: { readonly part: number; readonly partCount: number };
  readonly outputFolder: string;
  readonly eventLog: boolean;
  /** Whether a recording is written. */
  readonly record: boolean;
  readonly onProgress: (progress: HostProgress) => void;
  /** Lets the thread's event loop run for a moment; a host on a worker thread needs none. */
  readonly breathe?: () => Promise<void>;
}

export interface HostProgress extends HostState {
  readonly stepsDone: number;
}

export interface HostResult extends HostState {
  readonly host: number;
  readonly digests: readonly (readonly [number, string])[];
  readonly waiting: readonly WaitReport[];
  readonly work: HostOutcome["work"];
  /** Dispatches of its first rank: one for each MoE layer and micro-batch. 0 where it carries none. */
  readonly exchanges: number;
  /** From the host that carries the scheduler: seconds of a step after the first, mean. */
  readonly laterStepSeconds: number | undefined;
  readonly fabrics: readonly {
    readonly process: number;
    readonly bytes: number;
    readonly messages: number;
    readonly linkEvents: number;
  }[];
  /** From the host that carries the scheduler. */
  readonly served:
    | { readonly requests: readonly RequestOutcome[]; readonly steps: readonly StepOutcome[] }
    | undefined;
  readonly frames: number;
  readonly frameBytes: number;
  readonly startSeconds: number;
  /** When its first event had been handled, in milliseconds since 1970. */
  readonly firstEventAt: number;
  readonly seconds: number;
}

export function recordingFile(outputFolder: string, host: number): string {
  return path.join(outputFolder, `recording-${host}.part`);
}

export function eventLogFile(outputFolder: string, host: number): string {
  return path.join(outputFolder, `events-${host}.jsonl`);
}

export async function runHostProcesses(work: HostWork): Promise<HostResult> {
  const { run, host, exchange, space } = work;
  const sinceBegin = startStopwatch();
  const recording = work.record ? new HostRecording(recordingFile(work.outputFolder, host)) : undefined;
  const log = work.eventLog ? createEventLog(eventLogFile(work.outputFolder, host)) : undefined;
  try {
    let stepsDone = 0;
    const stepEnds = { first: 0, last: 0 };
    const made = createProcesses(run, {
      host,
      executed: () => createExecutedModel(run, space!),
      record: work.record,
      recorderFor: (process) => recording?.recorderFor(process) ?? noRecorder,
      onStep: (steps) => {
        stepsDone = steps;
        stepEnds.last = performance.now();
        if (steps === 1) stepEnds.first = stepEnds.last;
      },
    });
    const { processes, fabrics, scheduler, parcels } = made;
    if (space !== undefined) fillShare(run, space, work.share.part, work.share.partCount);
    // All weights are there before anything computes.
    await exchange.swap(
      Array.from({ length: exchange.hostCount }, () => ({
        round: -1,
        bounds: new Float64Array(0),
        events: undefined,
        work: new Float64Array(1),
      })),
    );
    const startSeconds = sinceBegin();
    const sinceStart = startStopwatch();
    let lastBreath = performance.now();
    let firstEventAt: number | undefined;
    const outcome = await runHost({
      processes,
      classes: classGraph(run),
      classOf: classIndices(run.numbers),
      hostOf: (process) => run.hosts.hostOf(process),
      exchange,
      cargo: parcels,
      ...(log === undefined ? {} : { observer: log.observer }),
      ...(exchange.hostCount === 1 ? {} : { processorTime: createThreadClock() }),
      pause: () => {
        firstEventAt ??= timeOfDay();
        return performance.now() - lastBreath > BREATH_MILLISECONDS;
      },
      breathe: async (state) => {
        work.onProgress({ ...state, stepsDone });
        await work.breathe?.();
        lastBreath = performance.now();
      },
    });
    const { now, events, rounds, waiting, work: worked } = outcome;
    return {
      host,
      now,
      events,
      rounds,
      waiting,
      work: worked,
      exchanges: made.exchanges(),
      laterStepSeconds: stepsDone < 2 ? undefined : (stepEnds.last - stepEnds.first) / 1000 / (stepsDone - 1),
      digests: [...outcome.digests],
      fabrics: [...fabrics].map(([process, fabric]) => ({ process, ...fabric.traffic })),
      served: scheduler === undefined ? undefined : { requests: scheduler.outcomes, steps: scheduler.steps },
      ...exchange.traffic,
      startSeconds,
      firstEventAt: firstEventAt ?? timeOfDay(),
      seconds: sinceStart(),
    };
  } finally {
    recording?.close();
    log?.close();
  }
}
