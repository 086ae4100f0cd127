import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { type Instant, WorldError } from "@windtunnel/base";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { intersectionOf, lengthOf, unionOf, unionOfSets } from "./intervals.ts";
import { exportKineto } from "./kineto-export.ts";
import { kinetoOverlap } from "./kineto-overlap.ts";
import { readKineto } from "./kineto-read.ts";
import { rankSteps } from "./rank-steps.ts";
import { COMPUTE_SPANS } from "./records.ts";
import { gpusOf, openRecording, type Recording } from "./recording-reader.ts";
import { HostRecording } from "./recording-writer.ts";
import { mergeRecordings } from "./recording-merge.ts";
import { headerOf, recordedRun, SMALL_RUN, temporaryFolder } from "./test-recordings.ts";

interface TraceEvent {
  readonly ph: string;
  readonly cat?: string;
  readonly name: string;
  readonly pid: number;
  readonly tid?: number;
  readonly ts: number;
  readonly dur?: number;
  readonly args: Readonly<Record<string, string | number>>;
}

interface TraceFile {
  readonly schemaVersion: number;
  readonly distributedInfo: { readonly rank: number; readonly world_size: number };
  readonly deviceProperties: readonly { readonly id: number; readonly name: string }[];
  readonly traceEvents: readonly TraceEvent[];
}

const RUNS = [SMALL_RUN, { ...SMALL_RUN, seed: 2, ranks: 11, steps: 2 }, { ...SMALL_RUN, seed: 3, steps: 1 }];

let folder = "";
const exported: { recording: Recording; files: readonly string[] }[] = [];
beforeAll(() => {
  folder = temporaryFolder();
  for (const [index, run] of RUNS.entries()) {
    const own = path.join(folder, String(index));
    mkdirSync(own);
    const recording = openRecording(recordedRun(run, { folder: own, hosts: 2 }).file);
    exported.push({ recording, files: exportKineto(recording, path.join(own, "kineto")).files });
  }
});
afterAll(() => {
  for (const { recording } of exported) recording.close();
  rmSync(folder, { recursive: true });
});

const parsed = (file: string): TraceFile => JSON.parse(readFileSync(file, "utf8")) as TraceFile;
const picosecondsOf = (us: number | undefined): number => Math.round((us ?? Number.NaN) * 1e6);

/** C and M of a rank over its whole recording, by plain interval arithmetic on its records. */
function setsOf(recording: Recording, process: number): { compute: number[]; communication: number[] } {
  const compute: number[] = [];
  const communication: number[] = [];
  for (const { spans, messages } of rankSteps(recording, process)) {
    for (const { name, start, end } of spans) {
      if ((COMPUTE_SPANS as readonly string[]).includes(name)) compute.push(start, end);
    }
    for (const { sentAt, arrivedAt } of messages) communication.push(sentAt, arrivedAt);
  }
  return { compute, communication };
}

function ratioOf(recording: Recording, process: number): number {
  const sets = setsOf(recording, process);
  const [compute, communication] = [unionOf(sets.compute), unionOf(sets.communication)];
  return lengthOf(intersectionOf(compute, communication)) / lengthOf(communication);
}

/**
 * HTA's overlap of one rank, restated step by step: drop the last profiler step with what is launched from its start
 * on; take for communication, memory or computing by name; merge each kind; then sweep over all borders with 1 for
 * communication and 2 for computing, and sum up the time at 3.
 */
function overlapAsHta({ traceEvents }: TraceFile): number {
  const complete = traceEvents.filter(({ ph }) => ph === "X");
  const onHost = complete.filter(({ args }) => args["stream"] === undefined);
  const steps = onHost.filter(({ name }) => /^ProfilerStep\s*#\s*\d+/.test(name));
  const lastStart = steps.length > 1 ? Math.max(...steps.map(({ ts }) => ts)) : Infinity;
  const launched = new Set(
    onHost.filter(({ ts }) => ts < lastStart).map(({ args }) => args["correlation"] ?? -1),
  );
  const onGpu = complete.filter(
    ({ args }) => Number(args["stream"]) > 0 && launched.has(args["correlation"]!),
  );
  const kindOf = (name: string): string => {
    if (/^nccl.*Kernel/.test(name)) return "communication";
    return /^Memcpy|^Memset|^dma/.test(name) ? "memory" : "computing";
  };
  const merged = (kind: string): { ts: number; end: number }[] => {
    const result: { ts: number; end: number }[] = [];
    const kernels = onGpu.filter(({ name }) => kindOf(name) === kind).sort((a, b) => a.ts - b.ts);
    for (const { ts, dur } of kernels) {
      const last = result.at(-1);
      if (last === undefined || ts > last.end) result.push({ ts, end: ts + dur! });
      else last.end = Math.max(last.end, ts + dur!);
    }
    return result;
  };
  const communication = merged("communication");
  const borders = [
    ...communication.flatMap(({ ts, end }) => [[ts, 1] as const, [end, -1] as const]),
    ...merged("computing").flatMap(({ ts, end }) => [[ts, 2] as const, [end, -2] as const]),
  ].sort((a, b) => a[0] - b[0]);
  let running = 0;
  let both = 0;
  for (const [index, [time, change]] of borders.entries()) {
    running += change;
    if (running === 3) both += borders[index + 1]![0] - time;
  }
  return both / communication.reduce((sum, { ts, end }) => sum + end - ts, 0);
}

describe("a Kineto trace of a rank", () => {
  test("has the overlap that the recording has, by HTA's own computation and by ours", () => {
    for (const { recording, files } of exported) {
      const gpus = gpusOf(recording.header);
      expect(files.length).toBe(gpus.length);
      for (const [index, gpu] of gpus.entries()) {
        const expected = ratioOf(recording, gpu.id);
        expect(expected).toBeGreaterThan(0.05);
        expect(expected).toBeLessThan(0.95);
        expect(overlapAsHta(parsed(files[index]!))).toBeCloseTo(expected, 9);
        const read = kinetoOverlap(readKineto(files[index]!));
        // Ours is exact: the file's decimals are whole picoseconds.
        expect(read.devices[0]!.overlapFraction).toBe(expected);
        expect([read.rank, read.worldSize, read.devices.length]).toEqual([gpu.rank, gpus.length, 1]);
      }
    }
  });

  test("gives every length back exactly when it is read", () => {
    const { recording, files } = exported[0]!;
    const { compute, communication } = setsOf(recording, gpusOf(recording.header)[2]!.id);
    const [device] = kinetoOverlap(readKineto(files[2]!)).devices;
    const union = unionOfSets([unionOf(compute), unionOf(communication)]);
    expect(device!.computeUs).toBe(lengthOf(unionOf(compute)) / 1e6);
    expect(device!.communicationUs).toBe(lengthOf(unionOf(communication)) / 1e6);
    expect(device!.spanUs).toBe((union.at(-1)! - union[0]!) / 1e6);
    expect(device!.idleUs).toBe((union.at(-1)! - union[0]! - lengthOf(union)) / 1e6);
  });

  test("has a kernel for every span, with its name and times, on its stream", () => {
    const { recording, files } = exported[0]!;
    const kernels = parsed(files[0]!).traceEvents.filter(
      ({ cat }) => cat === "kernel" || cat === "gpu_memcpy",
    );
    const streams = { compute: 7, communication: 8, forward: 9, host: 10 };
    const expected: string[] = [];
    for (const { spans } of rankSteps(recording, 0)) {
      for (const { name, stream, start, end } of spans) {
        const isComputing = (COMPUTE_SPANS as readonly string[]).includes(name);
        const kernel = isComputing ? name : `Memcpy DtoD (${name})`;
        expected.push(`${kernel} ${streams[stream]} ${start} ${end}`);
      }
    }
    const found = kernels
      .filter(({ name }) => !name.endsWith("_transfer"))
      .map(({ name, tid, ts, dur }) => {
        return `${name} ${tid} ${picosecondsOf(ts)} ${picosecondsOf(ts) + picosecondsOf(dur)}`;
      });
    expect(found).toEqual(expected);
    for (const { pid, tid, args } of kernels) expect([args["device"], args["stream"]]).toEqual([pid, tid]);
  });

  test("has no two kernels of a stream that overlap, in flight neither", () => {
    for (const { files } of exported) {
      for (const file of files) {
        const ends = new Map<number, number>();
        const kernels = parsed(file).traceEvents.filter(
          ({ cat }) => cat === "kernel" || cat === "gpu_memcpy",
        );
        for (const { tid, ts, dur } of kernels.sort((a, b) => a.ts - b.ts || a.dur! - b.dur!)) {
          expect(picosecondsOf(ts)).toBeGreaterThanOrEqual(ends.get(tid!) ?? 0);
          ends.set(tid!, picosecondsOf(ts) + picosecondsOf(dur));
        }
        // Exchanges of two micro-batches are in flight at once.
        expect(ends.has(21)).toBe(true);
      }
    }
  });

  test("has a launch for every kernel, in the step that the kernel belongs to, and an empty step at the end", () => {
    const { recording, files } = exported[1]!;
    const { traceEvents, distributedInfo, deviceProperties, schemaVersion } = parsed(files[3]!);
    expect([schemaVersion, distributedInfo.rank, distributedInfo.world_size]).toEqual([1, 3, 11]);
    expect(deviceProperties).toMatchObject([{ id: 1, name: "h800" }]); // two GPUs a node
    const launches = traceEvents.filter(({ name }) => name === "cudaLaunchKernel");
    const kernels = new Map(
      traceEvents
        .filter(({ cat }) => cat === "kernel" || cat === "gpu_memcpy")
        .map((kernel) => [kernel.args["correlation"], kernel]),
    );
    expect(kernels.size).toBe(launches.length);
    for (const { ts, args } of launches) expect(kernels.get(args["correlation"])!.ts).toBe(ts);
    const steps = traceEvents.filter(({ cat }) => cat === "user_annotation");
    expect(steps.map(({ name }) => name)).toEqual(["ProfilerStep#0", "ProfilerStep#1", "ProfilerStep#2"]);
    const records = [...rankSteps(recording, 3)].map(({ record }) => record!);
    expect(picosecondsOf(steps[1]!.ts)).toBe(records[1]!.start);
    const lastEnd = Math.max(...[...kernels.values()].map(({ ts, dur }) => ts + dur!));
    expect(steps[2]!.ts).toBeGreaterThan(lastEnd);
    // An index of 0 means "none" to HTA, so that no launch may be the first event.
    expect(traceEvents[0]!.ph).toBe("M");
    // One event without a time would make every time of HTA's table a rounded one.
    for (const { ts } of traceEvents) expect(ts).toBeTypeOf("number");
  });

  test("is the same bytes whenever it is written, in files whose names sort by rank", () => {
    const { recording, files } = exported[1]!;
    expect(files.map((file) => path.basename(file)).slice(8)).toEqual([
      "rank-08.json",
      "rank-09.json",
      "rank-10.json",
    ]);
    const before = files.map((file) => readFileSync(file, "utf8"));
    const again = exportKineto(recording, path.dirname(files[0]!)).files;
    expect(again.map((file) => readFileSync(file, "utf8"))).toEqual(before);
  });

  test("shows the host's waits on the host and not as kernels", () => {
    const own = path.join(folder, "host");
    mkdirSync(own);
    const host = new HostRecording(path.join(own, "part"));
    const run = { ...SMALL_RUN, ranks: 1 };
    const place = { step: 0, layer: 1, microBatch: 0 };
    const times = { start: 1_500_000 as Instant, end: 4_000_000 as Instant };
    const recorder = host.recorderFor(0);
    const span = { ...place, sms: 0, rows: 0, held: 0, cause: { kind: "stream" }, ...times } as const;
    recorder.span({ ...span, name: "gate", stream: "compute" });
    recorder.span({ ...span, name: "host.wait", stream: "host" });
    recorder.rankStep({ step: 0, kind: "prefill", ...times, requests: 1, tokens: 1 });
    host.close();
    mergeRecordings(headerOf(run), [path.join(own, "part")], path.join(own, "recording"));
    const recording = openRecording(path.join(own, "recording"));
    const { files } = exportKineto(recording, path.join(own, "kineto"));
    recording.close();
    const { traceEvents } = parsed(files[0]!);
    const waits = traceEvents.filter(({ args }) => args["what"] === "host.wait");
    expect(waits).toMatchObject([{ name: "cudaStreamSynchronize", cat: "cuda_runtime", ts: 1.5, dur: 2.5 }]);
    expect(traceEvents.filter(({ cat }) => cat === "kernel").map(({ name }) => name)).toEqual(["gate"]);
  });

  test("is not written beside traces that HTA would read with it", () => {
    const { recording } = exported[0]!;
    const crowded = path.join(folder, "crowded");
    mkdirSync(crowded);
    writeFileSync(path.join(crowded, "rank-7.json"), "{}");
    writeFileSync(path.join(crowded, "notes.txt"), "");
    let error: unknown;
    try {
      exportKineto(recording, crowded);
    } catch (caught) {
      error = caught;
    }
    expect(error).toBeInstanceOf(WorldError);
    expect((error as WorldError).exitCode).toBe(2);
    expect((error as WorldError).message).toContain("found rank-7.json; allowed: a folder without other");
  });
});
