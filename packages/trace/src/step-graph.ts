// One step of all ranks as a graph: each span with the span before it on its stream and with what it was caused by, also
// on other ranks. The way in for whatever asks why. Recordings lie rank by rank, so all ranks are read side by side.
// Memory: the spans of one step, and of its messages those that a span waited for.

import { invariant } from "@windtunnel/base";
import { type Exchange, exchangeKey, moeLayersOf, type RankStep, rankSteps } from "./rank-steps.ts";
import type { RecordedMessage, RecordedSpan } from "./record-layout.ts";
import { computes } from "./records.ts";
import { type GpuProcess, gpusOf, type Recording } from "./recording-reader.ts";

/** Hands on what other ranks sent: also the second part of normal's counts, which no rank launches anew. */
export function relays({ name, cause }: RecordedSpan): boolean {
  return name.endsWith(".forward") || (name === "dispatch.notify" && cause.kind === "message");
}

export interface LastFlight {
  readonly sentAt: number;
  readonly arrivedAt: number;
}

export interface RankGraph {
  readonly gpu: GpuProcess;
  readonly rank: number;
  /** Of the rank's part in the step, in picoseconds. */
  readonly start: number;
  readonly end: number;
  /** In the order of their recording; ascending sequences. */
  readonly spans: readonly RecordedSpan[];
  /** Spans that compute, in time. */
  readonly computing: readonly RecordedSpan[];
  /** Layers with a gate. */
  readonly moeLayers: ReadonlySet<number>;
  spanOf(sequence: number): RecordedSpan | undefined;
  /** The span before one on its stream, in this step. */
  previousOf(span: RecordedSpan): RecordedSpan | undefined;
  /** The host's last wait before it issued a span. */
  hostWaitBefore(span: RecordedSpan): RecordedSpan | undefined;
  /** When the last message of an exchange was sent and arrived; undefined where there was none. */
  lastFlightOf(exchange: Exchange): LastFlight | undefined;
  /** The message whose arrival let a span start, or ended the host's wait. */
  messageOf(span: RecordedSpan): RecordedMessage | undefined;
}

export interface StepGraph {
  readonly step: number;
  readonly kind: "prefill" | "decode";
  /** From the first rank's start to the last rank's end. */
  readonly start: number;
  readonly end: number;
  /** In the order of ranks. */
  readonly ranks: readonly RankGraph[];
  rankOf(rank: number): RankGraph | undefined;
}

export interface StepGraphOptions {
  /** Sees every message of every rank once, before its step's graph is given out. */
  readonly onMessages?: (target: number, step: RankStep) => void;
}

/** The graphs of all steps that every rank has finished, in their order. */
export function* stepGraphs(
  recording: Recording,
  options: StepGraphOptions = {},
): Generator<StepGraph, void, undefined> {
  const gpus = gpusOf(recording.header).toSorted((a, b) => a.rank - b.rank);
  const readers = gpus.map((gpu) => ({ gpu, steps: rankSteps(recording, gpu.id) }));
  try {
    for (;;) {
      const ranks: RankGraph[] = [];
      let kind: "prefill" | "decode" | undefined;
      let step: number | undefined;
      for (const { gpu, steps } of readers) {
        const { value, done } = steps.next();
        if (done === true || value.record === undefined) return;
        step ??= value.step;
        kind ??= value.record.kind;
        invariant(
          step === value.step,
          `rank ${gpu.rank} ended step ${value.step} where others ended ${step}`,
        );
        options.onMessages?.(gpu.rank, value);
        ranks.push(new RankGraphOfStep(gpu, value));
      }
      if (kind === undefined || step === undefined) return;
      yield graphOf(step, kind, ranks);
    }
  } finally {
    for (const { steps } of readers) steps.return();
  }
}

function graphOf(step: number, kind: "prefill" | "decode", ranks: readonly RankGraph[]): StepGraph {
  const byRank = new Map(ranks.map((each) => [each.rank, each]));
  return {
    step,
    kind,
    start: ranks.reduce((least, { start }) => Math.min(least, start), Infinity),
    end: ranks.reduce((most, { end }) => Math.max(most, end), 0),
    ranks,
    rankOf: (rank) => byRank.get(rank),
  };
}

/** What a span knows of the message that it waited for. */
function keyOf(message: {
  readonly layer: number;
  readonly microBatch: number;
  readonly source: number;
  readonly at: number;
}): string {
  const { layer, microBatch, source, at } = message;
  return `${layer} ${microBatch} ${source} ${at}`;
}

class RankGraphOfStep implements RankGraph {
  readonly gpu: GpuProcess;
  readonly rank: number;
  readonly start: number;
  readonly end: number;
  readonly spans: readonly RecordedSpan[];
  readonly computing: readonly RecordedSpan[];
  readonly moeLayers: ReadonlySet<number>;
  readonly #indexOf: ReadonlyMap<number, number>;
  /** By index of a span: index of the one before it on its stream, and of the host's last wait; -1: none. */
  readonly #previous: Int32Array;
  readonly #hostWait: Int32Array;
  readonly #messages = new Map<number, RecordedMessage>();
  readonly #lastFlights = new Map<number, LastFlight>();

  constructor(gpu: GpuProcess, { record, spans, messages }: RankStep) {
    invariant(record !== undefined, `rank ${gpu.rank} has not finished the step`);
    this.gpu = gpu;
    this.rank = gpu.rank;
    this.start = record.start;
    this.end = record.end;
    this.spans = spans;
    this.computing = spans.filter(computes).sort((a, b) => a.start - b.start || a.sequence - b.sequence);
    this.moeLayers = moeLayersOf(spans);
    this.#indexOf = new Map(spans.map(({ sequence }, index) => [sequence, index]));
    this.#previous = new Int32Array(spans.length);
    this.#hostWait = new Int32Array(spans.length);
    const lastOf = new Map<string, number>();
    for (const [index, { stream }] of spans.entries()) {
      this.#previous[index] = lastOf.get(stream) ?? -1;
      this.#hostWait[index] = lastOf.get("host") ?? -1;
      lastOf.set(stream, index);
    }
    this.#keepMessages(messages);
    for (const message of messages) {
      const key = exchangeKey(message);
      const { sentAt, arrivedAt } = message;
      if (arrivedAt >= (this.#lastFlights.get(key)?.arrivedAt ?? 0)) {
        this.#lastFlights.set(key, { sentAt, arrivedAt });
      }
    }
  }

  /** Of an exchange's messages a span names the source, and it starts, or a wait ends, when that one arrives. */
  #keepMessages(messages: readonly RecordedMessage[]): void {
    const wanted = new Map<string, number[]>();
    for (const { cause, sequence, start, end, name, layer, microBatch } of this.spans) {
      if (cause.kind !== "message") continue;
      const key = keyOf({ layer, microBatch, source: cause.rank, at: name === "host.wait" ? end : start });
      wanted.set(key, [...(wanted.get(key) ?? []), sequence]);
    }
    for (const message of messages) {
      const { layer, microBatch, source, arrivedAt: at } = message;
      for (const sequence of wanted.get(keyOf({ layer, microBatch, source, at })) ?? []) {
        if (!this.#messages.has(sequence)) this.#messages.set(sequence, message);
      }
    }
  }

  spanOf(sequence: number): RecordedSpan | undefined {
    const index = this.#indexOf.get(sequence);
    return index === undefined ? undefined : this.spans[index];
  }

  previousOf({ sequence }: RecordedSpan): RecordedSpan | undefined {
    return this.spans[this.#previous[this.#indexOf.get(sequence)!]!];
  }

  hostWaitBefore({ sequence }: RecordedSpan): RecordedSpan | undefined {
    return this.spans[this.#hostWait[this.#indexOf.get(sequence)!]!];
  }

  lastFlightOf(exchange: Exchange): LastFlight | undefined {
    return this.#lastFlights.get(exchangeKey(exchange));
  }

  messageOf({ sequence }: RecordedSpan): RecordedMessage | undefined {
    return this.#messages.get(sequence);
  }
}
