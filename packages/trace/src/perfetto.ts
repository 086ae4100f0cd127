// A recording as a picture for ui.perfetto.dev: a process for each GPU with a thread for each stream and for the bytes
// in flight to it, arrows from sends to what they put in flight, counters of links, the scheduler's steps and requests.
// From the top: the scheduler, then node by node its GPUs and its links, then what joins switches.
// Memory: one step of one rank, where a rank's send spans changed their stream, and the bins of one fabric's counters.

import { toMicroseconds } from "@windtunnel/base";
import { type Intervals, unionOf } from "./intervals.ts";
import { binWidth, writeLinkCounters } from "./perfetto-counters.ts";
import { type Arguments, Lanes, microsecondsText, PerfettoFile, type Track } from "./perfetto-json.ts";
import { isWithin, type LinkGroup, linkGroups } from "./perfetto-links.ts";
import {
  type Exchange,
  exchangeKey,
  flightOf,
  messagesByExchange,
  type RankStep,
  rankSteps,
} from "./rank-steps.ts";
import type { RecordedMessage, RecordedSpan } from "./record-layout.ts";
import { type Cause, type StreamName, STREAMS } from "./records.ts";
import {
  type GpuProcess,
  gpusOf,
  linkNames,
  type Recording,
  type SchedulerProcess,
  schedulersOf,
} from "./recording-reader.ts";
import { EVERYTHING, isSelected, stepsOf, type TraceSelection } from "./trace-selection.ts";

export interface PerfettoOptions {
  /** Also a thread for each link, with a slice for each message there. */
  readonly links?: boolean;
  /** Which ranks and steps; all when absent. Arrows from ranks that are left out are left out too. */
  readonly selection?: TraceSelection;
}

/** Writes `file`: the same bytes for the same recording. A full disk is a WorldError of code "disk". */
export function writePerfetto(recording: Recording, file: string, options: PerfettoOptions = {}): void {
  const { header } = recording;
  const { name, seed, timedModel, gpu } = header;
  const { selection = EVERYTHING } = options;
  const steps = stepsOf(recording).filter(({ step }) => isSelected(selection.steps, step));
  const windows = unionOf(steps.flatMap(({ start, end }) => [start, end]));
  const layout = layOut(recording, linkGroups(recording, { ranks: selection.ranks, windows }));
  const bin = binWidth(windows, layout.linkCount);
  const counterBinUs = toMicroseconds(bin);
  const output = new PerfettoFile(file, { schema: header.schema, name, seed, timedModel, gpu, counterBinUs });
  try {
    const picture: Picture = {
      recording,
      output,
      selection,
      sends: new SendStreams(recording, selection),
      nameOfLink: linkNames(header),
    };
    for (const scheduler of schedulersOf(header)) {
      writeScheduler(picture, scheduler, layout.placeOf(scheduler));
    }
    const messages = { count: 0 };
    for (const process of gpusOf(header)) {
      if (!isSelected(selection.ranks, process.rank)) continue;
      writeGpu(picture, process, layout.placeOf(process), messages);
    }
    const groups = layout.groups.map((group) => ({ group, pid: layout.placeOf(group).pid }));
    for (const { group, pid } of groups) output.process(pid, group.name, layout.placeOf(group).sortIndex);
    if (options.links === true) writeLinks(picture, groups, windows);
    writeLinkCounters({ recording, output, windows, bin, groups });
    output.finish();
  } finally {
    output.close();
  }
}

interface PicturePlace {
  readonly pid: number;
  readonly sortIndex: number;
}

interface Layout {
  readonly groups: readonly LinkGroup[];
  readonly linkCount: number;
  readonly placeOf: (process: GpuProcess | SchedulerProcess | LinkGroup) => PicturePlace;
}

/** GPUs take the process numbers from 1 on by rank; the others follow behind the highest rank. */
function layOut({ header }: Recording, groups: readonly LinkGroup[]): Layout {
  const gpus = gpusOf(header);
  const nodes = [...new Set(gpus.map(({ node }) => node))].sort((a, b) => a - b);
  const ofNode = (node: number): (GpuProcess | LinkGroup)[] => [
    ...gpus.filter((gpu) => gpu.node === node),
    ...groups.filter((group) => group.node === node),
  ];
  const fromTheTop = [
    ...schedulersOf(header),
    ...nodes.flatMap(ofNode),
    ...groups.filter(({ node }) => node === undefined || !nodes.includes(node)),
  ];
  let pid = Math.max(0, ...gpus.map(({ rank }) => rank)) + 2;
  // Keyed by name and kind, since readers of a header make new objects each time.
  const places = new Map<string, PicturePlace>();
  const keyOf = (process: GpuProcess | SchedulerProcess | LinkGroup): string =>
    "kind" in process ? `process ${process.id}` : `links ${process.name}`;
  for (const [sortIndex, process] of fromTheTop.entries()) {
    const isGpu = "kind" in process && process.kind === "gpu";
    places.set(keyOf(process), { pid: isGpu ? pidOfRank(process.rank) : pid, sortIndex });
    if (!isGpu) pid += 1;
  }
  const linkCount = groups.reduce((sum, { links }) => sum + links.length, 0);
  return { groups, linkCount, placeOf: (process) => places.get(keyOf(process))! };
}

interface Picture {
  readonly recording: Recording;
  readonly output: PerfettoFile;
  readonly selection: TraceSelection;
  readonly sends: SendStreams;
  readonly nameOfLink: (process: number, link: number) => string;
}

/** On which stream a selected rank's send spans ran, kept as the sequences where that changed. */
class SendStreams {
  readonly #changes = new Map<number, { readonly sequences: number[]; readonly streams: StreamName[] }>();

  constructor(recording: Recording, { ranks }: TraceSelection) {
    for (const gpu of gpusOf(recording.header)) {
      if (!isSelected(ranks, gpu.rank)) continue;
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

  /** The stream of the send span `sequence` of `rank`; undefined where that rank recorded no such span, or is not shown. */
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
  { recording, output, selection, ...picture }: Picture,
  gpu: GpuProcess,
  { pid, sortIndex }: PicturePlace,
  messages: { count: number },
): void {
  const onNode = gpusOf(recording.header).filter(({ node, rank }) => node === gpu.node && rank < gpu.rank);
  output.process(pid, `node ${gpu.node} · GPU ${onNode.length}`, sortIndex);
  const tracks = new GpuTracks(output, pid);
  for (const rankStep of rankSteps(recording, gpu.id)) {
    if (!isSelected(selection.steps, rankStep.step)) continue;
    for (const span of rankStep.spans) writeSpan(output, tracks, span);
    writeFlights({ recording, output, selection, ...picture }, gpu.rank, rankStep, tracks, messages);
  }
}

function writeSpan(output: PerfettoFile, tracks: GpuTracks, span: RecordedSpan): void {
  const { step, layer, microBatch, sms, rows, held, cause, sequence } = span;
  output.slice(tracks.ofStream(span.stream), span.name, span.start, span.end, {
    step,
    layer,
    microBatch,
    sms,
    ...(rows > 0 ? { rows } : {}),
    ...(held > 0 ? { heldUs: toMicroseconds(held) } : {}),
    cause: causeText(cause),
    sequence,
  });
}

/** What let a span start, in words. */
export function causeText(cause: Cause): string {
  if (cause.kind === "message") return `message from rank ${cause.rank}`;
  if (cause.kind === "event") return `event after span ${cause.span}`;
  if (cause.kind === "buffer") return `buffer free after span ${cause.span}`;
  return cause.kind;
}

/** A slice for each exchange, from its first message's departure to its last one's arrival, and an arrow for each message. */
function writeFlights(
  picture: Picture,
  rank: number,
  rankStep: RankStep,
  tracks: GpuTracks,
  messages: { count: number },
): void {
  const exchanges = messagesByExchange(rankStep.messages)
    .map((ofExchange) => ({ messages: ofExchange, ...flightOf(ofExchange) }))
    .sort((a, b) => a.start - b.start || exchangeKey(a.last) - exchangeKey(b.last));
  for (const exchange of exchanges) {
    const { last, start, end } = exchange;
    const track = tracks.ofFlight(last, start, end);
    picture.output.slice(track, last.phase, start, end, {
      step: last.step,
      layer: last.layer,
      microBatch: last.microBatch,
      messages: exchange.messages.length,
      bytes: exchange.bytes,
      queuedMaxUs: toMicroseconds(exchange.queuedMax),
      lastFrom: last.source,
      ...wayOf(picture, last),
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
        ...wayOf(picture, message),
      });
    }
  }
}

/** Where a message's time went; what was not there is left out. */
function wayOf({ nameOfLink }: Picture, message: RecordedMessage): Arguments {
  const { queued, portQueued, relayed, transfer } = message;
  const slowestLink = nameOfLink(message.slowestProcess, message.slowestLink);
  const limitingLink = nameOfLink(message.limitingProcess, message.limitingLink);
  return {
    queuedUs: toMicroseconds(queued),
    ...(portQueued > 0 ? { portQueuedUs: toMicroseconds(portQueued) } : {}),
    ...(relayed > 0 ? { relayedUs: toMicroseconds(relayed) } : {}),
    transferUs: toMicroseconds(transfer),
    slowestLink,
    ...(limitingLink === slowestLink ? {} : { limitingLink }),
  };
}

/**
 * Threads of a GPU, named when something first lies on them: its streams; behind them its bytes in flight, a thread for
 * each micro-batch and phase, and more where exchanges of such a pair overlap.
 */
class GpuTracks {
  readonly #output: PerfettoFile;
  readonly #pid: number;
  readonly #streams = new Set<StreamName>();
  readonly #lanes = new Map<string, Lanes>();
  readonly #tids = new Map<string, number>();

  constructor(output: PerfettoFile, pid: number) {
    this.#output = output;
    this.#pid = pid;
  }

  ofStream(stream: StreamName): Track {
    const track = { pid: this.#pid, tid: tidOfStream(stream) };
    if (!this.#streams.has(stream)) this.#output.thread(track, stream);
    this.#streams.add(stream);
    return track;
  }

  ofFlight({ phase, microBatch }: Exchange, start: number, end: number): Track {
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
  { recording, output, selection }: Picture,
  scheduler: SchedulerProcess,
  { pid, sortIndex }: PicturePlace,
): void {
  output.process(pid, scheduler.name, sortIndex);
  const lanes = new Lanes();
  for (const record of recording.records(scheduler.id)) {
    if ("step" in record && !isSelected(selection.steps, record.step)) continue;
    if ("rank" in record && !isSelected(selection.ranks, record.rank)) continue;
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

/** A thread for each link, with a slice for the time that a message's bytes take there; fabric by fabric. */
function writeLinks(
  { recording, output }: Picture,
  groups: readonly { readonly group: LinkGroup; readonly pid: number }[],
  windows: Intervals,
): void {
  const threads = groups.flatMap(({ group: { links }, pid }) =>
    links.map((link, index) => ({ ...link, pid, index, behind: links.length, lanes: new Lanes() })),
  );
  for (const fabric of new Set(threads.map((thread) => thread.fabric))) {
    const byLink = new Map(
      threads.filter((thread) => thread.fabric === fabric).map((thread) => [thread.link, thread]),
    );
    for (const record of recording.records(fabric)) {
      if (record.type !== "hop" || !isWithin(record, windows)) continue;
      const thread = byLink.get(record.link);
      if (thread === undefined) continue;
      const { pid, index, behind, lanes, name } = thread;
      const known = lanes.count;
      const lane = lanes.place(record.startAt, record.endAt);
      // Second lanes of a link, should its messages ever overlap, lie behind all first ones.
      const tid = lane * behind + index + 1;
      if (lanes.count > known) output.thread({ pid, tid }, name);
      output.slice({ pid, tid }, `${record.source} to ${record.target}`, record.startAt, record.endAt, {
        exchange: record.exchange,
        queuedUs: toMicroseconds(record.startAt - record.headAt),
      });
    }
  }
}
