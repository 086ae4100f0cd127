// A recording as PyTorch-profiler (Kineto) traces, a file for each rank, for HolisticTraceAnalysis (HTA) and whatever
// else reads them. C is the union of the kernels that compute. Each stretch of time in which messages of an exchange are
// in flight to the rank is a kernel named `ncclDevKernel_…`, by which HTA knows communication; kernels of exchanges are
// copies, which HTA counts as neither. So HTA's overlap is |C ∩ M| / |M| of `overlap.ts`, over the whole recording. No two kernels of a stream overlap. Memory: one step of one rank. The same recording gives the same bytes.

import { mkdirSync, readdirSync } from "node:fs";
import path from "node:path";
import { defined, inputError, invariant } from "@windtunnel/base";
import { diskError } from "./appended-file.ts";
import { unionOf } from "./intervals.ts";
import { KinetoFile, type Times } from "./kineto-json.ts";
import { Lanes } from "./perfetto-json.ts";
import { type Exchange, exchangeKey, messagesByExchange, type RankStep, rankSteps } from "./rank-steps.ts";
import type { RecordedMessage, RecordedSpan } from "./record-layout.ts";
import { communicates, computes, STREAMS } from "./records.ts";
import { type GpuProcess, gpusOf, type Recording } from "./recording-reader.ts";

/** What HTA takes for communication: from 0.5 on `^nccl.*Kernel`, later any name that begins with `nccl`. */
const COMMUNICATION_PREFIX = "ncclDevKernel_";
/** PyTorch's own first stream has this number in every trace; the GPU's other streams follow. */
const FIRST_STREAM = 7;
/** Streams that a GPU does not have: here lies what is in flight to it, side by side where it overlaps. */
const FIRST_FLIGHT_STREAM = 20;
/** Added for each further lane of a stream, should its spans ever overlap: far above the numbers in use. */
const LANE_STRIDE = 1000;
/** The host's process: behind any node's GPUs, whose processes have their numbers. */
const HOST_PID = 1000;
const LAUNCHES = { pid: HOST_PID, tid: 1 };
const WAITS = { pid: HOST_PID, tid: 2 };
const ONE_MICROSECOND = 1_000_000;

/**
 * Writes `rank-0.json` and so on into `folder`, which it makes if need be, and returns their paths by rank. A folder
 * that holds other traces is an input error, since HTA reads all that it finds in one; a full disk is a `disk` error.
 */
export function exportKineto(recording: Recording, folder: string): { readonly files: readonly string[] } {
  const gpus = gpusOf(recording.header).toSorted((a, b) => a.rank - b.rank);
  const digits = String(gpus.at(-1)?.rank ?? 0).length;
  const names = gpus.map(({ rank }) => `rank-${String(rank).padStart(digits, "0")}.json`);
  prepareFolder(folder, new Set(names));
  const deviceOfNode = new Map<number, number>();
  const files: string[] = [];
  for (const [index, gpu] of gpus.entries()) {
    const device = deviceOfNode.get(gpu.node) ?? 0;
    deviceOfNode.set(gpu.node, device + 1);
    invariant(device < HOST_PID, `GPU ${device} of a node would share its number with the host`);
    const file = path.join(folder, names[index]!);
    writeRank(recording, gpu, { file, device, worldSize: gpus.length });
    files.push(file);
  }
  return { files };
}

function prepareFolder(folder: string, names: ReadonlySet<string>): void {
  let others: string[];
  try {
    mkdirSync(folder, { recursive: true });
    others = readdirSync(folder).filter((name) => /\.(json|gz)$/.test(name) && !names.has(name));
  } catch (error) {
    throw diskError(error, `can't make the folder ${folder}`, { file: folder, savedBytes: 0 });
  }
  if (others.length === 0) return;
  const found = others.length === 1 ? others[0]! : `${others[0]!} and ${others.length - 1} more`;
  throw inputError(
    `${folder}: found ${found}; allowed: a folder without other .json or .gz files, since HTA reads them all`,
    { file: folder, found, allowed: "a folder without other .json or .gz files" },
  );
}

interface RankFile {
  readonly file: string;
  readonly device: number;
  readonly worldSize: number;
}

function writeRank(recording: Recording, gpu: GpuProcess, { file, device, worldSize }: RankFile): void {
  const { schema, name, seed, timedModel, gpu: hardware, sms } = recording.header;
  const otherData = { schema, name, seed, timedModel, node: gpu.node };
  const output = new KinetoFile(file, { rank: gpu.rank, worldSize, device, gpu: hardware, sms, otherData });
  try {
    output.process(HOST_PID, `rank ${gpu.rank}: host`, 0);
    output.thread(LAUNCHES, "launches and steps");
    output.thread(WAITS, "waits");
    output.process(device, `rank ${gpu.rank}: GPU ${device}`, 1);
    const rank = new RankTrace(output, device);
    for (const step of rankSteps(recording, gpu.id)) rank.add(step);
    rank.finish();
  } finally {
    output.close();
  }
}

/** A rank's kernels on their streams; keeps only which streams are in use until when. */
class RankTrace {
  readonly #output: KinetoFile;
  readonly #device: number;
  readonly #streams = new Map<string, StreamLanes>();
  #lastStep = -1;
  #end = 0;

  constructor(output: KinetoFile, device: number) {
    this.#output = output;
    this.#device = device;
    for (const [index, stream] of STREAMS.entries()) {
      this.#streams.set(stream, { first: FIRST_STREAM + index, stride: LANE_STRIDE, lanes: new Lanes() });
    }
    this.#streams.set(IN_FLIGHT, { first: FIRST_FLIGHT_STREAM, stride: 1, lanes: new Lanes() });
  }

  add({ step, record, spans, messages }: RankStep): void {
    if (record !== undefined) {
      this.#output.profilerStep(LAUNCHES, step, this.#seen(record));
      this.#lastStep = Math.max(this.#lastStep, step);
    }
    for (const span of spans) this.#addSpan(span);
    for (const flight of flightsOf(messages)) {
      const name = `${COMMUNICATION_PREFIX}${flight.phase}_transfer`;
      const { layer, microBatch } = flight;
      this.#kernel(IN_FLIGHT, name, flight, { step, layer, microBatch });
    }
  }

  /**
   * HTA drops a trace's last step, taking it for cut off, with all kernels that are launched from its start on.
   * So an empty step comes last, and everything is launched before it.
   */
  finish(): void {
    if (this.#lastStep >= 0) {
      const start = this.#end + ONE_MICROSECOND;
      this.#output.profilerStep(LAUNCHES, this.#lastStep + 1, { start, end: start + ONE_MICROSECOND });
    }
    this.#output.finish();
  }

  #addSpan(span: RecordedSpan): void {
    const { name, step, layer, microBatch, sms } = span;
    if (computes(span)) {
      this.#kernel(span.stream, name, span, { step, layer, microBatch, sms });
    } else if (communicates(span)) {
      const track = this.#track(span.stream, span);
      const details = { step, layer, microBatch, sms };
      this.#output.copy(track, LAUNCHES, `Memcpy DtoD (${name})`, this.#seen(span), details);
    } else {
      // Whatever else was recorded is no kernel: the host waits.
      this.#output.synchronize(WAITS, this.#seen(span), { what: name, step, layer, microBatch });
    }
  }

  /** When the host launched a kernel is not recorded; at its start it had. */
  #kernel(stream: string, name: string, times: Times, details: Readonly<Record<string, number>>): void {
    this.#output.kernel(this.#track(stream, times), LAUNCHES, name, this.#seen(times), details);
  }

  #track(stream: string, { start, end }: Times): { pid: number; tid: number } {
    return { pid: this.#device, tid: this.#streamNumber(stream, start, end) };
  }

  #streamNumber(stream: string, start: number, end: number): number {
    const { first, stride, lanes } = defined(this.#streams.get(stream), `a GPU's stream ${stream}`);
    const count = lanes.count;
    const lane = lanes.place(start, end);
    const tid = first + lane * stride;
    if (lane === count) {
      const title = `stream ${tid}: ${stream}${lane === 0 ? "" : ` (${lane + 1})`}`;
      this.#output.thread({ pid: this.#device, tid }, title);
    }
    return tid;
  }

  #seen(times: Times): Times {
    this.#end = Math.max(this.#end, times.end);
    return times;
  }
}

const IN_FLIGHT = "in flight";

/** A stream's number in the file, and the numbers where what overlaps there lies beside it. */
interface StreamLanes {
  readonly first: number;
  readonly stride: number;
  readonly lanes: Lanes;
}

interface Flight extends Exchange, Times {}

/** The stretches in which messages of an exchange are in flight, by their start: no union is taken over exchanges. */
function flightsOf(messages: readonly RecordedMessage[]): Flight[] {
  const flights: Flight[] = [];
  for (const ofExchange of messagesByExchange(messages)) {
    const { layer, microBatch, phase } = ofExchange[0]!;
    const union = unionOf(ofExchange.flatMap((message) => [message.sentAt, message.arrivedAt]));
    for (let at = 0; at < union.length; at += 2) {
      flights.push({ layer, microBatch, phase, start: union[at]!, end: union[at + 1]! });
    }
  }
  return flights.sort((a, b) => a.start - b.start || exchangeKey(a) - exchangeKey(b));
}
