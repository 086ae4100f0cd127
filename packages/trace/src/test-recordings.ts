// Random recordings for this package's tests: a few ranks, fabric planes and a scheduler that went through steps
// of layers and micro-batches as a real run would, with times drawn from a seed. Not exported from the package.

import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { type Instant, RandomStream } from "@windtunnel/base";
import { HostRecording, type HostRecordingOptions } from "./recording-writer.ts";
import { type MergedRecording, mergeRecordings } from "./recording-merge.ts";
import type {
  Cause,
  Phase,
  RecordedProcess,
  Recorder,
  RecordingHeader,
  SpanName,
  StreamName,
} from "./records.ts";

export interface RandomRun {
  readonly seed: number;
  readonly ranks: number;
  readonly steps: number;
  readonly layers: number;
  readonly microBatches: number;
}

export const SMALL_RUN: RandomRun = { seed: 1, ranks: 4, steps: 3, layers: 3, microBatches: 2 };

/** Ranks first, then two fabric processes, then the scheduler. */
export function headerOf(run: RandomRun): RecordingHeader {
  const processes: RecordedProcess[] = [];
  for (let rank = 0; rank < run.ranks; rank++) {
    processes.push({ id: rank, kind: "gpu", name: `gpu ${rank}`, rank, node: Math.floor(rank / 2) });
  }
  for (let plane = 0; plane < 2; plane++) {
    const links = [`plane ${plane} / up`, `plane ${plane} / "down"`];
    processes.push({ id: run.ranks + plane, kind: "fabric", name: `plane ${plane}`, wire: "nic", links });
  }
  processes.push({ id: run.ranks + 2, kind: "scheduler", name: "scheduler" });
  return {
    schema: "windtunnel/recording@2",
    name: "random",
    seed: run.seed,
    timedModel: "deepseek-v3",
    gpu: "h800",
    sms: 132,
    processes,
  };
}

/** Writes the run's records through `recorderOf`. What each process writes depends on the seed alone. */
export function recordRandomRun(run: RandomRun, recorderOf: (process: number) => Recorder): void {
  const random = new RandomStream(run.seed, "random run");
  const recorders = Array.from({ length: run.ranks }, (_, rank) => new RankWriter(recorderOf(rank), rank));
  const planes = [recorderOf(run.ranks), recorderOf(run.ranks + 1)];
  const scheduler = recorderOf(run.ranks + 2);
  let time = 1_000_001;
  for (let step = 0; step < run.steps; step++) {
    const kind = step === 0 ? "prefill" : "decode";
    const start = time;
    const ends = recorders.map((rank) => rank.beginStep(step, start + random.below(5_000_000)));
    for (let layer = 0; layer < run.layers; layer++) {
      for (let microBatch = 0; microBatch < run.microBatches; microBatch++) {
        const place = { step, layer, microBatch };
        for (const rank of recorders) rank.compute(place, layer === 0 ? DENSE : ATTENTION, random);
        if (layer === 0) continue;
        exchange(recorders, planes, place, "dispatch", random);
        for (const rank of recorders) rank.compute(place, ["mlp.shared", "mlp.experts"], random);
        exchange(recorders, planes, place, "combine", random);
      }
    }
    time = Math.max(...recorders.map((rank, i) => rank.endStep(step, kind, ends[i]!))) + 777_777;
    for (let request = 0; request < run.ranks; request++) {
      const times = { start: start as Instant, end: time as Instant };
      scheduler.requestStep({ request, rank: request, step, kind, newTokens: 1, ...times });
    }
    scheduler.step({
      step,
      kind,
      start: start as Instant,
      end: time as Instant,
      requests: run.ranks,
      tokens: 64,
    });
  }
  for (let request = 0; request < run.ranks; request++) {
    scheduler.request({
      request,
      rank: request,
      arrivedAt: 5 as Instant,
      startedAt: 1_000_001 as Instant,
      firstTokenAt: 1_000_002 as Instant,
      finishedAt: time as Instant,
      promptTokens: 16,
      newTokens: run.steps,
    });
  }
}

const DENSE = ["attention.project", "attention.core", "mlp.dense"] as const;
const ATTENTION = ["attention.project", "attention.core", "gate"] as const;

interface TestPlace {
  readonly step: number;
  readonly layer: number;
  readonly microBatch: number;
}

function exchange(
  ranks: readonly RankWriter[],
  planes: readonly Recorder[],
  place: TestPlace,
  phase: Phase,
  random: RandomStream,
): void {
  const sends = ranks.map((rank) =>
    rank.span(place, `${phase}.send`, "communication", random, { kind: "stream" }),
  );
  for (const target of ranks) {
    for (const [source, send] of sends.entries()) {
      if (source === target.rank) continue;
      const sentAt = send.start + random.below(send.end - send.start + 1);
      const arrivedAt = sentAt + 1 + random.below(6_000_000);
      const plane = random.below(2);
      target.receive(place, phase, { source, send, sentAt, arrivedAt, plane: ranks.length + plane, random });
      const headAt = sentAt + random.below(arrivedAt - sentAt + 1);
      planes[plane]!.hop(source, target.rank, place.layer, random.below(2), headAt, headAt, arrivedAt);
    }
    target.span(place, `${phase}.receive`, "communication", random, {
      kind: "message",
      rank: sends.length - 1,
    });
  }
}

interface Sent {
  readonly sequence: number;
  readonly start: number;
  readonly end: number;
}

class RankWriter {
  readonly rank: number;
  readonly #recorder: Recorder;
  readonly #free = new Map<StreamName, number>();

  constructor(recorder: Recorder, rank: number) {
    this.#recorder = recorder;
    this.rank = rank;
  }

  beginStep(step: number, at: number): number {
    for (const stream of ["compute", "communication", "forward"] as const) this.#free.set(stream, at);
    const place = { step, layer: -1, microBatch: -1 };
    const times = { start: at as Instant, end: (at + 100) as Instant };
    this.#recorder.span({
      ...place,
      name: "embed",
      stream: "compute",
      ...times,
      sms: 132,
      rows: 16,
      held: 0,
      cause: { kind: "plan" },
    });
    this.#free.set("compute", at + 100);
    return at;
  }

  compute(place: TestPlace, names: readonly SpanName[], random: RandomStream): void {
    for (const name of names) this.span(place, name, "compute", random, { kind: "event", span: 0 });
  }

  span(place: TestPlace, name: SpanName, stream: StreamName, random: RandomStream, cause: Cause): Sent {
    const start = (this.#free.get(stream) ?? 0) + (random.below(3) === 0 ? random.below(900_000) : 0);
    const end = start + random.below(4_000_000);
    this.#free.set(stream, end);
    const times = { start: start as Instant, end: end as Instant };
    return {
      sequence: this.#recorder.span({ ...place, name, stream, ...times, sms: 20, rows: 16, held: 0, cause }),
      start,
      end,
    };
  }

  receive(
    place: TestPlace,
    phase: Phase,
    message: {
      source: number;
      send: Sent;
      sentAt: number;
      arrivedAt: number;
      plane: number;
      random: RandomStream;
    },
  ): void {
    const last = Math.max(this.#free.get("communication") ?? 0, message.arrivedAt);
    this.#free.set("communication", last);
    this.#recorder.message({
      ...place,
      phase,
      source: message.source,
      sendSpan: message.send.sequence,
      sendStart: message.send.start as Instant,
      sentAt: message.sentAt as Instant,
      arrivedAt: message.arrivedAt as Instant,
      bytes: message.random.below(1_000_000),
      queued: message.random.below(500_000),
      portQueued: 0,
      relayed: 0,
      transfer: message.random.below(500_000),
      slowestProcess: message.plane,
      slowestLink: 0,
      limitingProcess: message.plane,
      limitingLink: message.random.below(2),
    });
  }

  endStep(step: number, kind: "prefill" | "decode", start: number): number {
    const end = Math.max(...this.#free.values());
    const times = { start: start as Instant, end: end as Instant };
    this.#recorder.rankStep({ step, kind, ...times, requests: 1, tokens: 16 });
    return end;
  }
}

export function temporaryFolder(): string {
  return mkdtempSync(path.join(tmpdir(), "windtunnel-trace-"));
}

/** Records the run on `hosts` hosts (processes dealt out in turn) and merges their files into `folder`/recording. */
export function recordedRun(
  run: RandomRun,
  options: { readonly folder: string; readonly hosts?: number } & HostRecordingOptions,
): { readonly file: string } & MergedRecording {
  const files = Array.from({ length: options.hosts ?? 1 }, (_, host) =>
    path.join(options.folder, `host-${host}`),
  );
  const hosts = files.map((file) => new HostRecording(file, options));
  recordRandomRun(run, (process) => hosts[process % hosts.length]!.recorderFor(process));
  for (const host of hosts) host.close();
  const file = path.join(options.folder, `recording-${hosts.length}`);
  return { file, ...mergeRecordings(headerOf(run), files, file) };
}
