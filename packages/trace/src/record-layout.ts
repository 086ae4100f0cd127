// How a record lies in a block: fixed little-endian layouts, one for each type, so that writing is a few stores
// and the length of a record follows from its first byte. It knows nothing of blocks and files.
// Instants and other values that may pass 2^31 are 64-bit floats, which hold integers up to 2^53 exactly.

import { invariant, type Instant } from "@windtunnel/base";
import {
  type Cause,
  type MessageHead,
  type MessageRecord,
  type RankStepRecord,
  type RequestRecord,
  type RequestStepRecord,
  SPAN_NAMES,
  type SpanRecord,
  type StepRecord,
  STREAMS,
} from "./records.ts";

/** The first byte of a record. */
export const RECORD_TYPE = {
  span: 1,
  message: 2,
  hop: 3,
  rankStep: 4,
  step: 5,
  requestStep: 6,
  request: 7,
} as const;

/** Length of a record by its first byte. */
export const RECORD_BYTES: readonly number[] = [0, 56, 108, 44, 32, 32, 36, 52];
export const LONGEST_RECORD_BYTES = 108;
export const HOP_RECORD_BYTES = 44;
export const MESSAGE_RECORD_BYTES = 108;

/** A message on one link of a fabric process. */
export interface HopRecord {
  readonly source: number;
  readonly target: number;
  readonly exchange: number;
  readonly link: number;
  readonly headAt: Instant;
  readonly startAt: Instant;
  readonly endAt: Instant;
}

/** What every record that is read has: its number in its process. */
export interface Sequenced {
  readonly sequence: number;
}
export type RecordedSpan = { readonly type: "span" } & Sequenced & SpanRecord;
export type RecordedMessage = { readonly type: "message" } & Sequenced & MessageRecord;
export type RecordedHop = { readonly type: "hop" } & Sequenced & HopRecord;
export type RecordedRankStep = { readonly type: "rankStep" } & Sequenced & RankStepRecord;
export type RecordedStep = { readonly type: "step" } & Sequenced & StepRecord;
export type RecordedRequestStep = { readonly type: "requestStep" } & Sequenced & RequestStepRecord;
export type RecordedRequest = { readonly type: "request" } & Sequenced & RequestRecord;

export type AnyRecord =
  | RecordedSpan
  | RecordedMessage
  | RecordedHop
  | RecordedRankStep
  | RecordedStep
  | RecordedRequestStep
  | RecordedRequest;

const NAME_CODES: ReadonlyMap<string, number> = new Map(SPAN_NAMES.map((name, code) => [name, code]));
const STREAM_CODES: ReadonlyMap<string, number> = new Map(STREAMS.map((stream, code) => [stream, code]));
const CAUSE_KINDS = ["stream", "launch", "message", "event", "buffer", "plan"] as const;

/** Refuses what a layout would silently cut or round. Called with constant messages, since it runs for every record. */
function check(isRight: boolean, message: string): void {
  invariant(isRight, message);
}

/** 4 bytes of codes, step, layer, micro-batch, SMs, rows (32 bits each), start, end, cause's number, held (64 bits each). */
export function encodeSpan(view: DataView, at: number, record: SpanRecord): void {
  const name = NAME_CODES.get(record.name);
  const stream = STREAM_CODES.get(record.stream);
  check(name !== undefined && stream !== undefined, "a span's name or stream is not in the vocabulary");
  check(record.end >= record.start && record.start >= 0, "a span ends before it starts");
  check(
    record.held >= 0 && record.held <= record.end - record.start,
    "a span is held for longer than it lasts",
  );
  const cause = record.cause;
  view.setUint8(at, RECORD_TYPE.span);
  view.setUint8(at + 1, name ?? 0);
  view.setUint8(at + 2, stream ?? 0);
  view.setUint8(at + 3, CAUSE_KINDS.indexOf(cause.kind));
  view.setInt32(at + 4, record.step, true);
  view.setInt32(at + 8, record.layer, true);
  view.setInt32(at + 12, record.microBatch, true);
  view.setInt32(at + 16, record.sms, true);
  view.setInt32(at + 20, record.rows, true);
  view.setFloat64(at + 24, record.start, true);
  view.setFloat64(at + 32, record.end, true);
  view.setFloat64(at + 40, numberOf(cause), true);
  view.setFloat64(at + 48, record.held, true);
}

function numberOf(cause: Cause): number {
  if (cause.kind === "message") return cause.rank;
  return cause.kind === "event" || cause.kind === "buffer" ? cause.span : 0;
}

function decodeSpan(view: DataView, at: number, sequence: number): RecordedSpan {
  return {
    type: "span",
    sequence,
    name: entry(SPAN_NAMES, view.getUint8(at + 1)),
    stream: entry(STREAMS, view.getUint8(at + 2)),
    step: view.getInt32(at + 4, true),
    layer: view.getInt32(at + 8, true),
    microBatch: view.getInt32(at + 12, true),
    sms: view.getInt32(at + 16, true),
    rows: view.getInt32(at + 20, true),
    start: instantAt(view, at + 24),
    end: instantAt(view, at + 32),
    cause: decodeCause(view.getUint8(at + 3), view.getFloat64(at + 40, true)),
    held: view.getFloat64(at + 48, true),
  };
}

function decodeCause(code: number, value: number): Cause {
  const kind = entry(CAUSE_KINDS, code);
  if (kind === "message") return { kind, rank: value };
  if (kind === "event" || kind === "buffer") return { kind, span: value };
  return { kind };
}

/** What all messages of a sending have in common: 4 bytes of codes; step, layer, micro-batch, source (32 bits); two 64-bit values. */
export function encodeMessageHead(view: DataView, at: number, head: MessageHead): void {
  view.setUint32(at, RECORD_TYPE.message | (head.phase === "dispatch" ? 0 : 0x100), true);
  view.setInt32(at + 4, head.step, true);
  view.setInt32(at + 8, head.layer, true);
  view.setInt32(at + 12, head.microBatch, true);
  view.setInt32(at + 16, head.source, true);
  view.setFloat64(at + 20, head.sendSpan, true);
  view.setFloat64(at + 28, head.sendStart, true);
}

/** The head; then seven 64-bit values; slowest and limiting link (32 bits). */
export function encodeMessage(view: DataView, at: number, record: MessageRecord): void {
  check(record.arrivedAt >= record.sentAt && record.sentAt >= 0, "a message arrives before it is sent");
  encodeMessageHead(view, at, record);
  view.setFloat64(at + 36, record.sentAt, true);
  view.setFloat64(at + 44, record.arrivedAt, true);
  view.setFloat64(at + 52, record.bytes, true);
  view.setFloat64(at + 60, record.queued, true);
  view.setFloat64(at + 68, record.portQueued, true);
  view.setFloat64(at + 76, record.relayed, true);
  view.setFloat64(at + 84, record.transfer, true);
  view.setInt32(at + 92, record.slowestProcess, true);
  view.setInt32(at + 96, record.slowestLink, true);
  view.setInt32(at + 100, record.limitingProcess, true);
  view.setInt32(at + 104, record.limitingLink, true);
}

function decodeMessage(view: DataView, at: number, sequence: number): RecordedMessage {
  return {
    type: "message",
    sequence,
    phase: view.getUint8(at + 1) === 0 ? "dispatch" : "combine",
    step: view.getInt32(at + 4, true),
    layer: view.getInt32(at + 8, true),
    microBatch: view.getInt32(at + 12, true),
    source: view.getInt32(at + 16, true),
    sendSpan: view.getFloat64(at + 20, true),
    sendStart: instantAt(view, at + 28),
    sentAt: instantAt(view, at + 36),
    arrivedAt: instantAt(view, at + 44),
    bytes: view.getFloat64(at + 52, true),
    queued: view.getFloat64(at + 60, true),
    portQueued: view.getFloat64(at + 68, true),
    relayed: view.getFloat64(at + 76, true),
    transfer: view.getFloat64(at + 84, true),
    slowestProcess: view.getInt32(at + 92, true),
    slowestLink: view.getInt32(at + 96, true),
    limitingProcess: view.getInt32(at + 100, true),
    limitingLink: view.getInt32(at + 104, true),
  };
}

/** 4 bytes of codes; source, target, exchange, link (32 bits, unsigned); three instants. No object: there are many hops. */
export function encodeHop(
  view: DataView,
  at: number,
  source: number,
  target: number,
  exchange: number,
  link: number,
  headAt: number,
  startAt: number,
  endAt: number,
): void {
  check(endAt >= startAt && startAt >= headAt && headAt >= 0, "a hop's instants are out of order");
  view.setUint32(at, RECORD_TYPE.hop, true);
  view.setUint32(at + 4, source, true);
  view.setUint32(at + 8, target, true);
  view.setUint32(at + 12, exchange, true);
  view.setUint32(at + 16, link, true);
  view.setFloat64(at + 20, headAt, true);
  view.setFloat64(at + 28, startAt, true);
  view.setFloat64(at + 36, endAt, true);
}

function decodeHop(view: DataView, at: number, sequence: number): RecordedHop {
  return {
    type: "hop",
    sequence,
    source: view.getUint32(at + 4, true),
    target: view.getUint32(at + 8, true),
    exchange: view.getUint32(at + 12, true),
    link: view.getUint32(at + 16, true),
    headAt: instantAt(view, at + 20),
    startAt: instantAt(view, at + 28),
    endAt: instantAt(view, at + 36),
  };
}

/** 4 bytes of codes, step (32 bits), start, end (64 bits), requests, tokens (32 bits): a rank's part or the whole step. */
export function encodeStep(
  view: DataView,
  at: number,
  type: typeof RECORD_TYPE.rankStep | typeof RECORD_TYPE.step,
  record: StepRecord,
): void {
  check(record.end >= record.start && record.start >= 0, "a step ends before it starts");
  view.setUint32(at, type | (record.kind === "prefill" ? 0 : 0x100), true);
  view.setInt32(at + 4, record.step, true);
  view.setFloat64(at + 8, record.start, true);
  view.setFloat64(at + 16, record.end, true);
  view.setUint32(at + 24, record.requests, true);
  view.setUint32(at + 28, record.tokens, true);
}

function decodeStep<Type extends "rankStep" | "step">(
  type: Type,
  view: DataView,
  at: number,
  sequence: number,
) {
  return {
    type,
    sequence,
    kind: kindAt(view, at),
    step: view.getInt32(at + 4, true),
    start: instantAt(view, at + 8),
    end: instantAt(view, at + 16),
    requests: view.getUint32(at + 24, true),
    tokens: view.getUint32(at + 28, true),
  };
}

/** 4 bytes of codes; request, rank, step, new tokens (32 bits); start, end. */
export function encodeRequestStep(view: DataView, at: number, record: RequestStepRecord): void {
  check(record.end >= record.start && record.start >= 0, "a request's step ends before it starts");
  view.setUint32(at, RECORD_TYPE.requestStep | (record.kind === "prefill" ? 0 : 0x100), true);
  view.setUint32(at + 4, record.request, true);
  view.setInt32(at + 8, record.rank, true);
  view.setInt32(at + 12, record.step, true);
  view.setUint32(at + 16, record.newTokens, true);
  view.setFloat64(at + 20, record.start, true);
  view.setFloat64(at + 28, record.end, true);
}

function decodeRequestStep(view: DataView, at: number, sequence: number): RecordedRequestStep {
  return {
    type: "requestStep",
    sequence,
    kind: kindAt(view, at),
    request: view.getUint32(at + 4, true),
    rank: view.getInt32(at + 8, true),
    step: view.getInt32(at + 12, true),
    newTokens: view.getUint32(at + 16, true),
    start: instantAt(view, at + 20),
    end: instantAt(view, at + 28),
  };
}

/** 4 bytes of codes; request, rank, prompt tokens, new tokens (32 bits); four instants. */
export function encodeRequest(view: DataView, at: number, record: RequestRecord): void {
  check(record.startedAt >= record.arrivedAt && record.arrivedAt >= 0, "a request starts before it arrives");
  check(record.finishedAt >= record.startedAt, "a request finishes before it starts");
  view.setUint32(at, RECORD_TYPE.request, true);
  view.setUint32(at + 4, record.request, true);
  view.setInt32(at + 8, record.rank, true);
  view.setUint32(at + 12, record.promptTokens, true);
  view.setUint32(at + 16, record.newTokens, true);
  view.setFloat64(at + 20, record.arrivedAt, true);
  view.setFloat64(at + 28, record.startedAt, true);
  view.setFloat64(at + 36, record.firstTokenAt, true);
  view.setFloat64(at + 44, record.finishedAt, true);
}

function decodeRequest(view: DataView, at: number, sequence: number): RecordedRequest {
  return {
    type: "request",
    sequence,
    request: view.getUint32(at + 4, true),
    rank: view.getInt32(at + 8, true),
    promptTokens: view.getUint32(at + 12, true),
    newTokens: view.getUint32(at + 16, true),
    arrivedAt: instantAt(view, at + 20),
    startedAt: instantAt(view, at + 28),
    firstTokenAt: instantAt(view, at + 36),
    finishedAt: instantAt(view, at + 44),
  };
}

/** The record that begins at `at`; its type was checked when the block was. */
export function decodeRecord(view: DataView, at: number, sequence: number): AnyRecord {
  const type = view.getUint8(at);
  if (type === RECORD_TYPE.span) return decodeSpan(view, at, sequence);
  if (type === RECORD_TYPE.message) return decodeMessage(view, at, sequence);
  if (type === RECORD_TYPE.hop) return decodeHop(view, at, sequence);
  if (type === RECORD_TYPE.rankStep) return decodeStep("rankStep", view, at, sequence);
  if (type === RECORD_TYPE.step) return decodeStep("step", view, at, sequence);
  if (type === RECORD_TYPE.requestStep) return decodeRequestStep(view, at, sequence);
  invariant(type === RECORD_TYPE.request, `a record of unknown type ${type}`);
  return decodeRequest(view, at, sequence);
}

function instantAt(view: DataView, at: number): Instant {
  return view.getFloat64(at, true) as Instant;
}

function kindAt(view: DataView, at: number): "prefill" | "decode" {
  return view.getUint8(at + 1) === 0 ? "prefill" : "decode";
}

function entry<Value>(list: readonly Value[], code: number): Value {
  const value = list[code];
  invariant(value !== undefined, `code ${code} is not in the vocabulary`);
  return value;
}
