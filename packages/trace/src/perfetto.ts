// A recording as a picture for ui.perfetto.dev: a process for each GPU with a thread for each stream and for the bytes
// in flight to it, arrows from sends to what they put in flight, and the scheduler's steps and requests.
// Memory: one step of one rank, and where a rank's send spans changed their stream.

import { toMicroseconds } from "@windtunnel/base";
import { Lanes, microsecondsText, PerfettoFile, type Track } from "./perfetto-json.ts";
import {
  type Exchange,
  exchangeKey,
  flightOf,
  messagesByExchange,
  type RankStep,
  rankSteps,
} from "./rank-steps.ts";
import type { RecordedSpan } from "./record-layout.ts";
import { type Cause, type StreamName, STREAMS } from "./records.ts";
import {
  type FabricProcess,
  fabricsOf,
  type GpuProcess,
  gpusOf,
  linkNames,
  type Recording,
  type SchedulerProcess,
  schedulersOf,
} from "./recording-reader.ts";

export interface PerfettoOptions {
  /** Also a process for each fabric process, with a thread for each link and a slice for each message there. */
  readonly links?: boolean;
}

/** Writes `file`: the same bytes for the same recording. A full disk is a WorldError of code "disk". */
export function writePerfetto(recording: Recording, file: string, options: PerfettoOptions = {}): void {
  const { header } = recording;
  const { name, seed, timedModel, gpu } = header;
  const output = new PerfettoFile(file, { schema: header.schema, name, seed, timedModel, gpu });
  try {
    const gpus = gpusOf(header);
    const picture: Picture = {
      recording,
      output,
      sends: new SendStreams(recording),
      nameOfLink: linkNames(header),
    };
    // GPUs take the process numbers from 1 on; the others follow behind the highest rank.
    let pid = Math.max(0, ...gpus.map((process) => process.rank)) + 2;
    for (const [index, scheduler] of schedulersOf(header).entries()) {
      writeScheduler(picture, scheduler, { pid, sortIndex: index - schedulersOf(header).length });
      pid += 1;
    }
    const messages = { count: 0 };
    for (const process of gpus) writeGpu(picture, process, gpus, messages);
    if (options.links === true) {
      for (const fabric of fabricsOf(header)) {
        if (recording.recordCount(fabric.id) === 0) continue;
        writeFabric(picture, fabric, pid);
        pid += 1;
      }
    }
    output.finish();
  } finally {
    output.close();
  }
}

interface Picture {
  readonly recording: Recording;
  readonly output: PerfettoFile;
  readonly sends: SendStreams;
  readonly nameOfLink: (process: number, link: number) => string;
}

/** On which stream a rank's send spans ran, kept as the sequences where that changed. */
class SendStreams {
  readonly #changes = new Map<number, { readonly sequences: number[]; readonly streams: StreamName[] }>();

  constructor(recording: Recording) {
    for (const gpu of gpusOf(recording.header)) {
      const changes: { sequences: number[]; streams: StreamName[] } = { sequences: [], streams: [] };
      for (const record of recording.records(gpu.id)) {
        if (record.type !== "span" || !record.name.endsWith(".send")) continue;
        if (changes.streams.at(-1) === record.stream) continue;
        changes.sequences.push(record.sequence);
        changes.streams.push(record.stream);
      }
      this.#changes.set(gpu.rank, changes);
    }
  }

  /** The stream of the send span `sequence` of `rank`; undefined where that rank recorded no such span. */
  streamOf(rank: number, sequence: number): StreamName | undefined {
    const changes = this.#changes.get(rank);
    if (changes === undefined) return undefined;
    let low = 0;
    let high = changes.sequences.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (changes.sequences[middle]! <= sequence) low = middle + 1;
      else high = middle;
    }
    return changes.streams[low - 1];
  }
}

/** A rank's process number and the thread number of a stream there; tracks of bytes in flight follow the streams. */
const pidOfRank = (rank: number): number => rank + 1;
const tidOfStream = (stream: StreamName): number => STREAMS.indexOf(stream) + 1;
const FIRST_FLIGHT_TID = STREAMS.length + 1;

function writeGpu(
  picture: Picture,
  gpu: GpuProcess,
  gpus: readonly GpuProcess[],
  messages: { count: number },
): void {
  const pid = pidOfRank(gpu.rank);
  const onNode = gpus.filter((other) => other.node === gpu.node && other.rank < gpu.rank).length;
  picture.output.process(pid, `node ${gpu.node} · GPU ${onNode}`, gpu.rank);
  for (const stream of STREAMS) picture.output.thread({ pid, tid: tidOfStream(stream) }, stream);
  const flights = new FlightTracks(picture.output, pid);
  for (const rankStep of rankSteps(picture.recording, gpu.id)) {
    for (const span of rankStep.spans) writeSpan(picture.output, pid, span);
    writeFlights(picture, gpu.rank, rankStep, flights, messages);
  }
}

function writeSpan(output: PerfettoFile, pid: number, span: RecordedSpan): void {
  output.slice({ pid, tid: tidOfStream(span.stream) }, span.name, span.start, span.end, {
    step: span.step,
    layer: span.layer,
    microBatch: span.microBatch,
    sms: span.sms,
    cause: causeText(span.cause),
    sequence: span.sequence,
  });
}

/** What let a span start, in words. */
export function causeText(cause: Cause): string {
  if (cause.kind === "message") return `message from rank ${cause.rank}`;
  if (cause.kind === "event") return `event after span ${cause.span}`;
  return cause.kind;
}

/** A slice for each exchange, from its first message's departure to its last one's arrival, and an arrow for each message. */
function writeFlights(
  picture: Picture,
  rank: number,
  rankStep: RankStep,
  flights: FlightTracks,
  messages: { count: number },
): void {
  const exchanges = messagesByExchange(rankStep.messages)
    .map((ofExchange) => ({ messages: ofExchange, ...flightOf(ofExchange) }))
    .sort((a, b) => a.start - b.start || exchangeKey(a.last) - exchangeKey(b.last));
  for (const exchange of exchanges) {
    const { last, start, end } = exchange;
    const track = flights.trackOf(last, start, end);
    picture.output.slice(track, last.phase, start, end, {
      step: last.step,
      layer: last.layer,
      microBatch: last.microBatch,
      messages: exchange.messages.length,
      bytes: exchange.bytes,
      queuedMaxUs: toMicroseconds(exchange.queuedMax),
      lastFrom: last.source,
      lastLink: picture.nameOfLink(last.limitingProcess, last.limitingLink),
    });
    for (const message of exchange.messages) {
      const stream = picture.sends.streamOf(message.source, message.sendSpan);
      if (stream === undefined) continue;
      const id = messages.count;
      messages.count += 1;
      const name = message.phase;
      picture.output.flowStart(
        { pid: pidOfRank(message.source), tid: tidOfStream(stream) },
        id,
        name,
        message.sendStart,
      );
      picture.output.flowFinish(track, id, name, message.sentAt, {
        source: message.source,
        target: rank,
        bytes: message.bytes,
        arrivedUs: Number(microsecondsText(message.arrivedAt)),
        queuedUs: toMicroseconds(message.queued),
        transferUs: toMicroseconds(message.transfer),
        link: picture.nameOfLink(message.limitingProcess, message.limitingLink),
      });
    }
  }
}

/** Threads for bytes in flight: one for each micro-batch and phase, and more where exchanges of such a pair overlap. */
class FlightTracks {
  readonly #output: PerfettoFile;
  readonly #pid: number;
  readonly #lanes = new Map<string, Lanes>();
  readonly #tids = new Map<string, number>();

  constructor(output: PerfettoFile, pid: number) {
    this.#output = output;
    this.#pid = pid;
  }

  trackOf({ phase, microBatch }: Exchange, start: number, end: number): Track {
    const title = `in flight: ${phase}, micro-batch ${microBatch}`;
    const lanes = this.#lanes.get(title) ?? new Lanes();
    this.#lanes.set(title, lanes);
    const lane = lanes.place(start, end);
    const name = lane === 0 ? title : `${title} (${lane + 1})`;
    let tid = this.#tids.get(name);
    if (tid === undefined) {
      tid = FIRST_FLIGHT_TID + this.#tids.size;
      this.#tids.set(name, tid);
      this.#output.thread({ pid: this.#pid, tid }, name);
    }
    return { pid: this.#pid, tid };
  }
}

/** Steps on threads; requests as slices that may overlap, each with its queueing and, apart, its steps. */
function writeScheduler(
  { recording, output }: Picture,
  scheduler: SchedulerProcess,
  { pid, sortIndex }: { readonly pid: number; readonly sortIndex: number },
): void {
  output.process(pid, scheduler.name, sortIndex);
  const lanes = new Lanes();
  for (const record of recording.records(scheduler.id)) {
    if (record.type === "step") {
      const known = lanes.count;
      const tid = lanes.place(record.start, record.end) + 1;
      if (lanes.count > known) output.thread({ pid, tid }, tid === 1 ? "steps" : `steps (${tid})`);
      const { step, requests, tokens } = record;
      output.slice({ pid, tid }, record.kind, record.start, record.end, { step, requests, tokens });
    } else if (record.type === "requestStep") {
      const what = { category: "request.step", id: record.request, name: record.kind };
      output.concurrent(pid, what, record.start, record.end);
    } else if (record.type === "request") {
      const id = record.request;
      output.concurrent(
        pid,
        { category: "request.queue", id, name: "queue" },
        record.arrivedAt,
        record.startedAt,
      );
      output.concurrent(
        pid,
        { category: "request", id, name: `request ${id}` },
        record.arrivedAt,
        record.finishedAt,
      );
    }
  }
}

/** A thread for each link, with a slice for the time that a message's bytes take there. */
function writeFabric({ recording, output }: Picture, fabric: FabricProcess, pid: number): void {
  output.process(pid, fabric.name, pid);
  const lanesByLink = new Map<number, Lanes>();
  const linkCount = fabric.links.length;
  for (const record of recording.records(fabric.id)) {
    if (record.type !== "hop") continue;
    const lanes = lanesByLink.get(record.link) ?? new Lanes();
    lanesByLink.set(record.link, lanes);
    const known = lanes.count;
    const lane = lanes.place(record.startAt, record.endAt);
    // Second lanes of a link, should its messages ever overlap, lie behind all first ones.
    const tid = lane * linkCount + record.link + 1;
    if (lanes.count > known) output.thread({ pid, tid }, fabric.links[record.link] ?? `link ${record.link}`);
    output.slice({ pid, tid }, `${record.source} to ${record.target}`, record.startAt, record.endAt, {
      exchange: record.exchange,
      queuedUs: toMicroseconds(record.startAt - record.headAt),
    });
  }
}
