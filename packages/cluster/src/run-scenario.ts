// A scenario to a run to its files: prepares, launches the hosts, merges their recordings, exports the traces, writes
// the summary. Whatever the placement, the files are the same, but for the placement in scenario.json and for hosts and
// wall in summary.json.

import { readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import { inputError, toMicroseconds, WorldError } from "@windtunnel/base";
import {
  checkSelectedRanks,
  chooseSelection,
  exportOpenTelemetry,
  mergeRecordings,
  openRecording,
  overlapOfRun,
  type Recording,
  type TraceOptions,
  writePerfetto,
} from "@windtunnel/trace";
import { deadlockError } from "@windtunnel/virtual-time";
import { launchInline } from "./hosts/inline.ts";
import type { Launch, LaunchedHost } from "./hosts/launch.ts";
import { launchProcesses } from "./hosts/processes.ts";
import { type HostProgress, recordingFile } from "./hosts/run-host-processes.ts";
import { startStopwatch } from "./hosts/stopwatch.ts";
import { launchThreads } from "./hosts/threads.ts";
import { makeFolder } from "./make-folder.ts";
import { type PreparedRun, prepareRun } from "./prepare-run.ts";
import { recordingHeader } from "./recording-header.ts";
import type { RunOptions, Summary, UnrecordedSummary } from "./result.ts";
import type { Scenario } from "./scenario/index.ts";
import { summarize, summarizeUnrecorded } from "./summarize.ts";

const LAUNCHES: Readonly<Record<Scenario["placement"]["kind"], Launch>> = {
  inline: launchInline,
  threads: launchThreads,
  processes: launchProcesses,
};

/** Runs a scenario; rejects with a `WorldError` that says what is wrong, or with a bug. */
export async function runScenario(scenario: Scenario, options: RunOptions): Promise<Summary> {
  const run = prepareRun(scenario);
  checkSelectedRanks(options.traces?.ranks ?? "all", run.numbers.rankCount, "--trace-ranks");
  return await launched(run, { ...options, record: true }, (hosts) => writeRun(run, hosts, options));
}

/** The same without a recording: faster, and without what only a recording tells. */
export async function runUnrecorded(
  scenario: Scenario,
  options: Omit<RunOptions, "exports" | "traces">,
): Promise<UnrecordedSummary> {
  const run = prepareRun(scenario);
  return await launched(run, { ...options, record: false }, (hosts) => {
    const summary = summarizeUnrecorded({ run, hosts, exportSeconds: 0 });
    writeSummary(options.outputFolder, summary);
    return summary;
  });
}

async function launched<Result>(
  run: PreparedRun,
  options: RunOptions & { readonly record: boolean },
  write: (hosts: readonly LaunchedHost[]) => Result | Promise<Result>,
): Promise<Result> {
  const { outputFolder, record, eventLog = false } = options;
  const signal = options.signal ?? new AbortController().signal;
  signal.throwIfAborted();
  const report = progressReporter(run, options);
  report.stage("starting");
  removeEarlierRun(outputFolder);
  writeRunFile(outputFolder, "scenario.json", `${JSON.stringify(run.resolved, undefined, 2)}\n`);
  let keepParts = false;
  try {
    const { progress: onProgress } = report;
    const launch = LAUNCHES[run.scenario.placement.kind];
    const hosts = await launch({ run, outputFolder, eventLog, record, signal, onProgress });
    const waiting = hosts.flatMap(({ result }) => result.waiting);
    if (waiting.length > 0) throw deadlockError(waiting);
    report.stage("exporting");
    return await write(hosts);
  } catch (error) {
    keepParts = error instanceof WorldError && error.code === "disk";
    throw error;
  } finally {
    if (!keepParts) removeParts(run, outputFolder);
  }
}

/** A folder holds one run: what an earlier one left would be read as this one's. */
function removeEarlierRun(folder: string): void {
  const isOfRun =
    /^(scenario\.json|summary\.json|tokens\.jsonl|overlap\.json|recording\.bin|trace\.(perfetto\.json|otlp\.jsonl)|recording-\d+\.part|events-\d+\.jsonl)$/;
  if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory()) return;
  // Runs write plain files; a link or a folder of that name is somebody else's and stays.
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.isFile() && isOfRun.test(entry.name)) rmSync(path.join(folder, entry.name), { force: true });
  }
}

function removeParts(run: PreparedRun, folder: string): void {
  for (let host = 0; host < run.hosts.hostCount; host++) rmSync(recordingFile(folder, host), { force: true });
}

async function writeRun(
  run: PreparedRun,
  hosts: readonly LaunchedHost[],
  { outputFolder: folder, exports = true, traces = {} }: RunOptions,
): Promise<Summary> {
  const elapsed = startStopwatch();
  const parts = hosts.map(({ result }) => recordingFile(folder, result.host));
  const file = path.join(folder, "recording.bin");
  const merged = mergeRecordings(recordingHeader(run), parts, file);
  const recording = openRecording(file);
  try {
    const overlap = overlapOfRun(recording);
    writeRunFile(folder, "overlap.json", `${JSON.stringify(overlap, undefined, 1)}\n`);
    const warnings = exports ? await exportTraces(recording, folder, traces) : [];
    const input = { run, hosts, exportSeconds: elapsed() };
    const summary: Summary = { ...summarize(input, { overlap, traceDigest: merged.digest }), warnings };
    writeSummary(folder, summary);
    return summary;
  } finally {
    recording.close();
  }
}

function writeSummary(folder: string, summary: Summary | UnrecordedSummary): void {
  const lines = summary.outputs.map((output) => `${JSON.stringify(output)}\n`);
  writeRunFile(folder, "tokens.jsonl", lines.join(""));
  writeRunFile(folder, "summary.json", `${JSON.stringify(summary, undefined, 2)}\n`);
}

/** Returns what went wrong with it, and what was left out unasked. */
async function exportTraces(
  recording: Recording,
  folder: string,
  traces: TraceOptions,
): Promise<readonly string[]> {
  const { selection, notes } = chooseSelection(recording, traces);
  writePerfetto(recording, path.join(folder, "trace.perfetto.json"), { selection });
  const file = path.join(folder, "trace.otlp.jsonl");
  const { warnings } = await exportOpenTelemetry(recording, { file, selection, environment: process.env });
  return [...notes, ...warnings];
}

/** What can't be written before the run begins is the user's to mend; what can't be written later is the disk's. */
function writeRunFile(folder: string, name: string, content: string): void {
  const file = path.join(folder, name);
  try {
    makeFolder(folder);
    writeFileSync(file, content);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    const message = `${file} can't be written: ${why}`;
    if (name === "scenario.json") throw inputError(message, { file });
    throw new WorldError("disk", `${message}; what was written before it is saved in ${folder}`, { file });
  }
}

interface ProgressReporter {
  readonly stage: (stage: "starting" | "exporting") => void;
  readonly progress: (host: number, progress: HostProgress) => void;
}

function progressReporter(run: PreparedRun, { onProgress }: RunOptions): ProgressReporter {
  const byHost = new Map<number, HostProgress>();
  const stepCount = expectedSteps(run);
  const tell = (stage: "starting" | "running" | "exporting"): void => {
    const all = [...byHost.values()];
    onProgress?.({
      stage,
      stepsDone: Math.max(0, ...all.map(({ stepsDone }) => stepsDone)),
      stepCount,
      virtualUs: toMicroseconds(Math.max(0, ...all.map(({ now }) => now))),
      events: all.reduce((sum, { events }) => sum + events, 0),
    });
  };
  return {
    stage: tell,
    progress: (host, progress) => {
      byHost.set(host, progress);
      tell("running");
    },
  };
}

/** Prefill steps by the budget of the fullest rank, then one decode step for each further token. */
function expectedSteps({ requests, scenario, prefillTokensPerRank, numbers }: PreparedRun): number {
  const promptTokens = new Float64Array(numbers.rankCount);
  let mostNewTokens = 0;
  for (const { rank, prompt, newTokens, drawnPositions } of requests) {
    if (drawnPositions === 0) promptTokens[rank]! += prompt.length;
    mostNewTokens = Math.max(mostNewTokens, newTokens);
  }
  const prefills = Math.ceil(Math.max(0, ...promptTokens) / prefillTokensPerRank);
  if (scenario.run.phase === "prefill") return prefills;
  return prefills + mostNewTokens - (scenario.run.phase === "generate" ? 1 : 0);
}
