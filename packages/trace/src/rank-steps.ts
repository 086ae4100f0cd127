// A GPU's records, gathered step by step: what one rank did in one step, complete when its rankStep record comes.
// Every analysis and export reads GPUs through here, so their memory is bounded by one step of one rank.
// Expects what the writers promise: spans and messages of a step stand before its rankStep record.

import { invariant } from "@windtunnel/base";
import type { RecordedMessage, RecordedRankStep, RecordedSpan } from "./record-layout.ts";
import type { Phase } from "./records.ts";
import type { Recording } from "./recording-reader.ts";

export interface RankStep {
  readonly step: number;
  /** Absent at the end of a recording, for what was begun and not finished, and for records outside of all steps. */
  readonly record: RecordedRankStep | undefined;
  /** In the order of their recording. */
  readonly spans: readonly RecordedSpan[];
  readonly messages: readonly RecordedMessage[];
}

/** The steps of the GPU that is process `process`, in the order in which they ended there. */
export function* rankSteps(recording: Recording, process: number): Generator<RankStep, void, undefined> {
  const open = new Map<number, { spans: RecordedSpan[]; messages: RecordedMessage[] }>();
  const closed = new Set<number>();
  const openStep = (step: number): { spans: RecordedSpan[]; messages: RecordedMessage[] } => {
    const known = open.get(step);
    if (known !== undefined) return known;
    invariant(
      !closed.has(step),
      `process ${process} recorded something of step ${step} after that step's end`,
    );
    const opened = { spans: [], messages: [] };
    open.set(step, opened);
    return opened;
  };
  for (const record of recording.records(process)) {
    if (record.type === "span") {
      openStep(record.step).spans.push(record);
    } else if (record.type === "message") {
      openStep(record.step).messages.push(record);
    } else {
      invariant(record.type === "rankStep", `the GPU that is process ${process} recorded a ${record.type}`);
      const { spans, messages } = openStep(record.step);
      open.delete(record.step);
      closed.add(record.step);
      yield { step: record.step, record, spans, messages };
    }
  }
  for (const [step, { spans, messages }] of open) yield { step, record: undefined, spans, messages };
}

/** An exchange at a rank within a step: one phase of one micro-batch of one layer. */
export interface Exchange {
  readonly layer: number;
  readonly microBatch: number;
  readonly phase: Phase;
}

const MICRO_BATCH_LIMIT = 1023;

/** A number that is the exchange's own within a step. */
export function exchangeKey(exchange: Exchange): number {
  const { layer, microBatch, phase } = exchange;
  invariant(layer >= -1 && microBatch >= -1, `no exchange: layer ${layer}, micro-batch ${microBatch}`);
  invariant(microBatch < MICRO_BATCH_LIMIT, `micro-batch ${microBatch} is not below ${MICRO_BATCH_LIMIT}`);
  return ((layer + 1) * (MICRO_BATCH_LIMIT + 1) + microBatch + 1) * 2 + (phase === "dispatch" ? 0 : 1);
}

/** The messages of each exchange, exchanges by their first arrival, messages as they arrived. */
export function messagesByExchange(messages: readonly RecordedMessage[]): RecordedMessage[][] {
  const byKey = new Map<number, RecordedMessage[]>();
  for (const message of messages) {
    const key = exchangeKey(message);
    const known = byKey.get(key);
    if (known === undefined) byKey.set(key, [message]);
    else known.push(message);
  }
  return [...byKey.values()];
}

/** What the messages of one exchange come to; `last` is the one that arrived last. */
export function flightOf(messages: readonly RecordedMessage[]): {
  readonly start: number;
  readonly end: number;
  readonly bytes: number;
  readonly queuedMax: number;
  readonly last: RecordedMessage;
} {
  let last = messages[0]!;
  let start: number = last.sentAt;
  let bytes = 0;
  let queuedMax = 0;
  for (const message of messages) {
    start = Math.min(start, message.sentAt);
    bytes += message.bytes;
    queuedMax = Math.max(queuedMax, message.queued);
    if (message.arrivedAt > last.arrivedAt) last = message;
  }
  return { start, end: last.arrivedAt, bytes, queuedMax, last };
}

/** Layers with a gate: the MoE layers of a step at a rank. */
export function moeLayersOf(spans: readonly RecordedSpan[]): ReadonlySet<number> {
  const layers = new Set<number>();
  for (const span of spans) if (span.name === "gate" && span.layer >= 0) layers.add(span.layer);
  return layers;
}
