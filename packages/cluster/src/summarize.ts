// The summary of a run, from what its hosts found and what its recording tells. Pure.

import { createHash } from "node:crypto";
import { defined, toMicroseconds } from "@windtunnel/base";
import type { StepOutcome } from "@windtunnel/serving";
import type { RunOverlap } from "@windtunnel/trace";
import { carriedBy, type LaunchedHost } from "./hosts/launch.ts";
import type { PreparedRun } from "./prepare-run.ts";
import { classOf } from "./process-numbers.ts";
import type { HostSummary, LatencySummary, StepSummary, Summary, UnrecordedSummary } from "./result.ts";

export interface SummaryInput {
  readonly run: PreparedRun;
  readonly hosts: readonly LaunchedHost[];
  readonly exportSeconds: number;
}

/** What the recording of a run tells. */
export interface RecordedRun {
  readonly overlap: RunOverlap;
  readonly traceDigest: string;
}

export function summarize(
  input: SummaryInput,
  { overlap, traceDigest }: RecordedRun,
): Omit<Summary, "warnings"> {
  const { digests, virtual, ...common } = commonSummary(input);
  return {
    ...common,
    digests: { ...digests, trace: traceDigest },
    virtual: {
      ...virtual,
      steps: overlap.steps.map(({ kind, us, layerUs }): StepSummary => ({ kind, us, layerUs: layerUs ?? 0 })),
    },
    communication: overlap.communication,
    communicationByStepKind: overlap.byStepKind,
  };
}

/** A step's time is then the scheduler's: from its plans' departure to the last rank's report. */
export function summarizeUnrecorded(input: SummaryInput): UnrecordedSummary {
  const { digests, virtual, ...common } = commonSummary(input);
  const steps = servedOf(input).steps.map(({ kind, start, end }) => ({
    kind,
    us: toMicroseconds(end - start),
    layerUs: null,
  }));
  return {
    ...common,
    digests: { ...digests, trace: null },
    virtual: { ...virtual, steps },
    communication: null,
    warnings: [],
  };
}

type CommonSummary = Omit<
  Summary,
  "digests" | "virtual" | "communication" | "communicationByStepKind" | "warnings"
> & {
  readonly digests: Omit<Summary["digests"], "trace">;
  readonly virtual: Omit<Summary["virtual"], "steps">;
};

function servedOf({ hosts }: SummaryInput): NonNullable<LaunchedHost["result"]["served"]> {
  const served = hosts.map(({ result }) => result.served).find((each) => each !== undefined);
  return defined(served, "the scheduler's host");
}

function commonSummary(input: SummaryInput): CommonSummary {
  const { run, hosts } = input;
  const served = servedOf(input);
  // Without math there are no tokens, only their number.
  const executed = run.executed === undefined ? [] : served.requests;
  const outputs = executed.map(({ request, tokens }) => ({ request, tokens }));
  const first = served.requests.filter(({ tokens }) => tokens.length > 0);
  const several = first.filter(({ tokens }) => tokens.length > 1);
  const timeToFirstTokenUs = latencies(first.map(({ firstTokenAt }) => toMicroseconds(firstTokenAt)));
  const timePerOutputTokenUs = latencies(
    several.map(({ tokens, firstTokenAt, finishedAt }) =>
      toMicroseconds((finishedAt - firstTokenAt) / ((tokens.length - 1) * acceptedPerStep(run))),
    ),
  );
  return {
    schema: "windtunnel/summary@1",
    name: run.scenario.name,
    digests: { events: eventDigest(hosts), tokens: sha256(JSON.stringify(outputs)) },
    outputs,
    virtual: {
      totalUs: Math.max(...hosts.map(({ result }) => toMicroseconds(result.now))),
      timeToFirstTokenUs: timeToFirstTokenUs?.mean ?? null,
      timePerOutputTokenUs: timePerOutputTokenUs?.mean ?? null,
      tokensPerSecondPerNode: tokensPerSecondPerNode(run, served.steps),
      latencies: { timeToFirstTokenUs, timePerOutputTokenUs },
    },
    traffic: traffic(run, hosts),
    hosts: hosts.map((host): HostSummary => ({
      kind: host.kind,
      pid: host.pid,
      ...carriedBy(run, host.result.host),
    })),
    wall: wall(hosts, input.exportSeconds),
  };
}

/** Joins the processes' digests in the order of their numbers. */
function eventDigest(hosts: readonly LaunchedHost[]): string {
  const digests = hosts.flatMap(({ result }) => result.digests).toSorted(([a], [b]) => a - b);
  return sha256(digests.map(([process, digest]) => `${process} ${digest}\n`).join(""));
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

/** Tokens that a decode step gives a request, on average. */
function acceptedPerStep({ requests }: PreparedRun): number {
  return requests[0]?.speculation?.acceptedPerStep ?? 1;
}

/** Of the positions that a decode step computes, those that become tokens. */
function acceptedPart(run: PreparedRun): number {
  return acceptedPerStep(run) / (run.requests[0]?.speculation?.positionsPerStep ?? 1);
}

/** New tokens in decode; prompt tokens where nothing is decoded. */
function tokensPerSecondPerNode(run: PreparedRun, steps: readonly StepOutcome[]): number {
  const decoding = steps.filter(({ kind }) => kind === "decode");
  const counted = decoding.length > 0 ? decoding : steps;
  const computed = counted.reduce((sum, step) => sum + step.tokens, 0);
  const tokens = decoding.length > 0 ? computed * acceptedPart(run) : computed;
  const picoseconds = counted.reduce((sum, { start, end }) => sum + (end - start), 0);
  return picoseconds === 0 ? 0 : tokens / (picoseconds / 1e12) / run.numbers.nodeCount;
}

/** Percentiles by nearest rank. */
function latencies(values: readonly number[]): LatencySummary | null {
  if (values.length === 0) return null;
  const sorted = values.toSorted((a, b) => a - b);
  const percentile = (share: number): number => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)]!;
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return { mean, p50: percentile(0.5), p95: percentile(0.95), p99: percentile(0.99) };
}

function traffic(run: PreparedRun, hosts: readonly LaunchedHost[]): Summary["traffic"] {
  const { numbers } = run;
  const bytesByPlane = Array.from({ length: numbers.planeCount }, () => 0);
  let nvlinkBytes = 0;
  let messages = 0;
  for (const { process, bytes, messages: count } of hosts.flatMap(({ result }) => result.fabrics)) {
    messages += count;
    if (classOf(numbers, process) === "nvlink") nvlinkBytes += bytes;
    else bytesByPlane[process - numbers.plane(0)] = bytes;
  }
  const rdmaBytes = bytesByPlane.reduce((sum, bytes) => sum + bytes, 0);
  return { nvlinkBytes, rdmaBytes, bytesByPlane, messages };
}

function wall(hosts: readonly LaunchedHost[], exportSeconds: number): Summary["wall"] {
  const results = hosts.map(({ result }) => result);
  const largest = (of: (result: (typeof results)[number]) => number): number => Math.max(...results.map(of));
  const total = (of: (result: (typeof results)[number]) => number): number =>
    results.reduce((sum, result) => sum + of(result), 0);
  const seconds = largest((result) => result.seconds);
  const events = total((result) => result.events);
  const rounds = largest((result) => result.rounds);
  const exchanges = largest((result) => result.exchanges);
  const { work } = results[0]!;
  // Threads share their process's memory; processes add up.
  const peakByPid = new Map(hosts.map(({ pid, peakRssBytes }) => [pid, peakRssBytes]));
  return {
    seconds,
    startSeconds: largest((result) => result.startSeconds),
    laterStepSeconds:
      results.find((result) => result.laterStepSeconds !== undefined)?.laterStepSeconds ?? null,
    firstEventAt: Math.min(...results.map(({ firstEventAt }) => firstEventAt)),
    exportSeconds,
    events,
    eventsPerSecond: seconds === 0 ? 0 : events / seconds,
    linkEvents: total((result) => result.fabrics.reduce((sum, fabric) => sum + fabric.linkEvents, 0)),
    syncRounds: rounds,
    roundsPerLayer: rounds === 0 || exchanges === 0 ? null : rounds / exchanges,
    balance: work.slowest === 0 ? null : work.all / work.slowest,
    frames: total((result) => result.frames),
    frameBytes: total((result) => result.frameBytes),
    peakRssBytes: [...peakByPid.values()].reduce((sum, bytes) => sum + bytes, 0),
  };
}
