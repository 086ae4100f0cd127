// Hidden and exposed communication (mechanics §11), from network intervals and not from kernels, so that communication
// counts also while no kernel runs for it. Per rank: C is the union of the spans that compute, M the union of
// [sentAt, arrivedAt] of the messages that arrive there. Hidden = |M ∩ C|, exposed = |M \ C|. A rank waits for an
// exchange from the end of its own send until its last arrival, while no byte is on the way to it: W = that \ M;
// exposed wait = |W \ C|. Unions are taken before lengths, so the parts of a layer may add up to more than the layer.
// C and M of a step include those of its neighbours, for messages that leave early; so three steps of one rank are kept.

import { invariant, type Instant, toMicroseconds } from "@windtunnel/base";
import {
  differenceOf,
  intersectionOf,
  type Intervals,
  lengthOf,
  NO_INTERVALS,
  unionOf,
  unionOfSets,
} from "./intervals.ts";
import {
  type Exchange,
  exchangeKey,
  messagesByExchange,
  moeLayersOf,
  type RankStep,
  rankSteps,
} from "./rank-steps.ts";
import { computes } from "./records.ts";
import type { RecordedRankStep, RecordedSpan } from "./record-layout.ts";
import { type GpuProcess, gpusOf, type Recording } from "./recording-reader.ts";

/** Lengths in picoseconds: of one rank, in one step or exchange. */
export interface Overlap {
  readonly total: number;
  readonly hidden: number;
  readonly exposed: number;
  readonly wait: number;
  readonly exposedWait: number;
}

export interface ExchangeOverlap extends Exchange, Overlap {}

/** What a rank communicated in a step. */
export interface RankStepOverlap extends Overlap {
  readonly rank: number;
  readonly step: number;
  readonly kind: "prefill" | "decode";
  readonly start: Instant;
  readonly end: Instant;
  /** End of the last minus start of the first MoE layer, divided by their number; null without MoE layers. */
  readonly layer: number | null;
  /** Ascending by layer, then micro-batch, dispatch before combine. */
  readonly exchanges: readonly ExchangeOverlap[];
}

/** Every rank's every finished step, rank by rank. Memory: three steps of one rank. */
export function* rankStepOverlaps(recording: Recording): Generator<RankStepOverlap, void, undefined> {
  for (const gpu of gpusOf(recording.header)) yield* overlapsOfRank(recording, gpu);
}

function* overlapsOfRank(recording: Recording, gpu: GpuProcess): Generator<RankStepOverlap, void, undefined> {
  let before: RankStepIntervals | undefined;
  let current: RankStepIntervals | undefined;
  for (const rankStep of rankSteps(recording, gpu.id)) {
    const next = intervalsOf(rankStep);
    if (current !== undefined) yield* measured(gpu.rank, current, [before, current, next]);
    before = current;
    current = next;
  }
  if (current !== undefined) yield* measured(gpu.rank, current, [before, current]);
}

interface RankStepIntervals {
  readonly record: RecordedRankStep | undefined;
  readonly layer: number | null;
  readonly compute: Intervals;
  readonly flight: Intervals;
  readonly exchanges: readonly ExchangeIntervals[];
}

interface ExchangeIntervals extends Exchange {
  readonly flight: Intervals;
  /** From the end of the rank's own send to its last arrival; empty where it sent nothing. */
  readonly window: Intervals;
}

function intervalsOf(rankStep: RankStep): RankStepIntervals {
  const compute: number[] = [];
  const sendEnds = new Map<number, number>();
  for (const span of rankStep.spans) {
    if (computes(span)) compute.push(span.start, span.end);
    if (span.name === "dispatch.send" || span.name === "combine.send") {
      const key = exchangeKey({ ...span, phase: span.name === "dispatch.send" ? "dispatch" : "combine" });
      sendEnds.set(key, Math.max(sendEnds.get(key) ?? 0, span.end));
    }
  }
  const exchanges = messagesByExchange(rankStep.messages).map((messages): ExchangeIntervals => {
    const { layer, microBatch, phase } = messages[0]!;
    const flight: number[] = [];
    let lastArrival = 0;
    for (const message of messages) {
      flight.push(message.sentAt, message.arrivedAt);
      lastArrival = Math.max(lastArrival, message.arrivedAt);
    }
    const sendEnd = sendEnds.get(exchangeKey({ layer, microBatch, phase }));
    const window = sendEnd === undefined ? NO_INTERVALS : unionOf([sendEnd, lastArrival]);
    return { layer, microBatch, phase, flight: unionOf(flight), window };
  });
  return {
    record: rankStep.record,
    layer: layerTime(rankStep.spans),
    compute: unionOf(compute),
    flight: unionOfSets(exchanges.map((exchange) => exchange.flight)),
    exchanges: exchanges.sort((a, b) => exchangeKey(a) - exchangeKey(b)),
  };
}

/** An MoE layer lasts from its first attention.project to the end of its last combine.receive (or of its last span). */
function layerTime(spans: readonly RecordedSpan[]): number | null {
  const moeLayers = moeLayersOf(spans);
  if (moeLayers.size === 0) return null;
  const bounds = new Map<number, { start: number; projectStart: number; end: number; receiveEnd: number }>();
  for (const span of spans) {
    if (!moeLayers.has(span.layer)) continue;
    let layer = bounds.get(span.layer);
    if (layer === undefined) {
      layer = { start: Infinity, projectStart: Infinity, end: 0, receiveEnd: 0 };
      bounds.set(span.layer, layer);
    }
    layer.start = Math.min(layer.start, span.start);
    layer.end = Math.max(layer.end, span.end);
    if (span.name === "attention.project") layer.projectStart = Math.min(layer.projectStart, span.start);
    if (span.name === "combine.receive") layer.receiveEnd = Math.max(layer.receiveEnd, span.end);
  }
  let first = Infinity;
  let last = 0;
  for (const layer of bounds.values()) {
    first = Math.min(first, layer.projectStart === Infinity ? layer.start : layer.projectStart);
    last = Math.max(last, layer.receiveEnd === 0 ? layer.end : layer.receiveEnd);
  }
  return (last - first) / moeLayers.size;
}

/** Nothing for what has no rankStep record: a step that the rank did not finish. */
function* measured(
  rank: number,
  step: RankStepIntervals,
  neighbourhood: readonly (RankStepIntervals | undefined)[],
): Generator<RankStepOverlap, void, undefined> {
  if (step.record === undefined) return;
  const near = neighbourhood.filter((neighbour) => neighbour !== undefined);
  const compute = unionOfSets(near.map((neighbour) => neighbour.compute));
  const flight = unionOfSets(near.map((neighbour) => neighbour.flight));
  const overlapOf = (own: Intervals, window: Intervals): Overlap => {
    const total = lengthOf(own);
    const hidden = lengthOf(intersectionOf(own, compute));
    const waiting = differenceOf(window, flight);
    const exposedWait = lengthOf(differenceOf(waiting, compute));
    return { total, hidden, exposed: total - hidden, wait: lengthOf(waiting), exposedWait };
  };
  const { step: number, kind, start, end } = step.record;
  const exchanges = step.exchanges.map(({ layer, microBatch, phase, flight: own, window }) => {
    return { layer, microBatch, phase, ...overlapOf(own, window) };
  });
  const windows = unionOfSets(step.exchanges.map((exchange) => exchange.window));
  const overlap = overlapOf(step.flight, windows);
  yield { rank, step: number, kind, start, end, layer: step.layer, exchanges, ...overlap };
}

/** Communication in microseconds. `hiddenFraction` is null where nothing was communicated. */
export interface Communication {
  readonly totalUs: number;
  readonly hiddenUs: number;
  readonly exposedUs: number;
  readonly hiddenFraction: number | null;
  readonly waitUs: number;
  readonly exposedWaitUs: number;
}

export interface StepOverlap {
  readonly step: number;
  readonly kind: "prefill" | "decode";
  /** The first rank's start and the last rank's end. */
  readonly start: Instant;
  readonly end: Instant;
  readonly us: number;
  /** Mean over the ranks that ran MoE layers; null where none did. */
  readonly layerUs: number | null;
  /** Means over ranks. */
  readonly communication: Communication;
}

/** Communication of one exchange of the model, summed over the steps of a kind, mean over ranks. */
export interface PlaceOverlap extends Exchange {
  readonly kind: "prefill" | "decode";
  readonly communication: Communication;
}

export interface RunOverlap {
  /** Means over ranks of the whole run. */
  readonly communication: Communication;
  /** The same over the steps of a kind; a kind that did not occur is absent. */
  readonly byStepKind: Partial<Record<"prefill" | "decode", Communication>>;
  readonly byRank: readonly { readonly rank: number; readonly communication: Communication }[];
  /** Ascending by step. */
  readonly steps: readonly StepOverlap[];
  /** Prefill before decode, then ascending by layer, micro-batch and phase. */
  readonly byExchange: readonly PlaceOverlap[];
}

/** The run's overlap. Memory: three steps of one rank, and a few numbers for each step, rank and exchange of the model. */
export function overlapOfRun(recording: Recording): RunOverlap {
  const gpus = gpusOf(recording.header);
  const run = new OverlapSum();
  const kinds = new Map<"prefill" | "decode", OverlapSum>();
  const ranks = new Map(gpus.map((gpu) => [gpu.rank, new OverlapSum()]));
  const steps = new Map<number, StepSum>();
  const places = new Map<
    string,
    { readonly kind: "prefill" | "decode"; exchange: Exchange; sum: OverlapSum }
  >();
  for (const overlap of rankStepOverlaps(recording)) {
    run.add(overlap);
    valueOf(kinds, overlap.kind, () => new OverlapSum()).add(overlap);
    ranks.get(overlap.rank)?.add(overlap);
    valueOf(steps, overlap.step, () => new StepSum(overlap)).addRank(overlap);
    for (const exchange of overlap.exchanges) {
      const place = valueOf(places, `${overlap.kind} ${exchangeKey(exchange)}`, () => {
        return { kind: overlap.kind, exchange, sum: new OverlapSum() };
      });
      place.sum.add(exchange);
    }
  }
  const rankCount = Math.max(1, gpus.length);
  const byStepKind: Partial<Record<"prefill" | "decode", Communication>> = {};
  for (const kind of ["prefill", "decode"] as const) {
    const sum = kinds.get(kind);
    if (sum !== undefined) byStepKind[kind] = sum.mean(rankCount);
  }
  return {
    communication: run.mean(rankCount),
    byStepKind,
    byRank: [...ranks].map(([rank, sum]) => ({ rank, communication: sum.mean(1) })),
    steps: [...steps.values()].map((step) => step.result()).sort((a, b) => a.step - b.step),
    byExchange: [...places.values()]
      .sort((a, b) => placeOrder(a) - placeOrder(b))
      .map(({ kind, exchange: { layer, microBatch, phase }, sum }) => {
        return { kind, layer, microBatch, phase, communication: sum.mean(rankCount) };
      }),
  };
}

/** Prefill before decode, then by exchange. */
function placeOrder(place: { readonly kind: "prefill" | "decode"; readonly exchange: Exchange }): number {
  return (place.kind === "prefill" ? 0 : 2 ** 40) + exchangeKey(place.exchange);
}

/** Sums in microseconds, in the order of ranks and steps, so that they are the same bits on every placement. */
class OverlapSum {
  #totalUs = 0;
  #hiddenUs = 0;
  #waitUs = 0;
  #exposedWaitUs = 0;

  add(overlap: Overlap): void {
    this.#totalUs += toMicroseconds(overlap.total);
    this.#hiddenUs += toMicroseconds(overlap.hidden);
    this.#waitUs += toMicroseconds(overlap.wait);
    this.#exposedWaitUs += toMicroseconds(overlap.exposedWait);
  }

  mean(count: number): Communication {
    return {
      totalUs: this.#totalUs / count,
      hiddenUs: this.#hiddenUs / count,
      exposedUs: (this.#totalUs - this.#hiddenUs) / count,
      hiddenFraction: this.#totalUs === 0 ? null : this.#hiddenUs / this.#totalUs,
      waitUs: this.#waitUs / count,
      exposedWaitUs: this.#exposedWaitUs / count,
    };
  }
}

/** What the ranks' parts in a step come to. */
class StepSum {
  readonly #step: number;
  readonly #kind: "prefill" | "decode";
  readonly #sum = new OverlapSum();
  #start: Instant;
  #end: Instant;
  #layerUs = 0;
  #layerRanks = 0;
  #ranks = 0;

  constructor(first: RankStepOverlap) {
    this.#step = first.step;
    this.#kind = first.kind;
    this.#start = first.start;
    this.#end = first.end;
  }

  addRank(overlap: RankStepOverlap): void {
    invariant(overlap.kind === this.#kind, `step ${this.#step} is both prefill and decode`);
    this.#sum.add(overlap);
    this.#ranks += 1;
    if (overlap.start < this.#start) this.#start = overlap.start;
    if (overlap.end > this.#end) this.#end = overlap.end;
    if (overlap.layer === null) return;
    this.#layerUs += toMicroseconds(overlap.layer);
    this.#layerRanks += 1;
  }

  result(): StepOverlap {
    return {
      step: this.#step,
      kind: this.#kind,
      start: this.#start,
      end: this.#end,
      us: toMicroseconds(this.#end - this.#start),
      layerUs: this.#layerRanks === 0 ? null : this.#layerUs / this.#layerRanks,
      communication: this.#sum.mean(this.#ranks),
    };
  }
}

function valueOf<Key, Value>(map: Map<Key, Value>, key: Key, create: () => Value): Value {
  const known = map.get(key);
  if (known !== undefined) return known;
  const value = create();
  map.set(key, value);
  return value;
}
