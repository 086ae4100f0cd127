// The vocabulary of a recording: what logical processes write down while they run. Times are virtual.
// A record belongs to the logical process that wrote it and is known by its sequence there (0, 1, 2, …),
// so a recording is the same on every placement once it is laid out process by process.

import type { Instant } from "@windtunnel/base";

/** What a span on a GPU does. The first list computes, the second communicates. */
export const COMPUTE_SPANS = [
  "embed",
  "attention.project", // norm, query and latent projections, rope: ATTN-0 of the five stages
  "attention.core", // core attention and output projection
  "gate",
  "mlp.dense",
  "mlp.shared",
  "mlp.experts",
  "head", // final norm, vocabulary projection, sampling
] as const;
export const COMMUNICATION_SPANS = [
  "dispatch.send",
  "dispatch.receive",
  "combine.send",
  "combine.receive",
  "dispatch.layout", // normal mode: which token goes to which rank
  "dispatch.notify", // normal mode: the counts that every rank needs before it can receive
  "dispatch.forward", // a relay hands on what came over the network
  "combine.forward", // a relay sums what its node sends back
] as const;
/** What a rank's host does; no kernel runs for it. */
export const HOST_SPANS = [
  "host.wait", // it launches nothing before it has learned something, as the counts of normal mode
] as const;
export const SPAN_NAMES: readonly [
  ...typeof COMPUTE_SPANS,
  ...typeof COMMUNICATION_SPANS,
  ...typeof HOST_SPANS,
] = [...COMPUTE_SPANS, ...COMMUNICATION_SPANS, ...HOST_SPANS];
export type SpanName = (typeof SPAN_NAMES)[number];

const COMPUTES: ReadonlySet<SpanName> = new Set(COMPUTE_SPANS);
const COMMUNICATES: ReadonlySet<SpanName> = new Set(COMMUNICATION_SPANS);

/** Whether a span is a kernel that computes. */
export function computes({ name }: { readonly name: SpanName }): boolean {
  return COMPUTES.has(name);
}
/** Whether a span is a kernel of an exchange. */
export function communicates({ name }: { readonly name: SpanName }): boolean {
  return COMMUNICATES.has(name);
}

/** Streams of a GPU, and the host that launches what runs on them. */
export const STREAMS = ["compute", "communication", "forward", "host"] as const;
export type StreamName = (typeof STREAMS)[number];

/** What let a span start: the last of its preconditions to hold. */
export type Cause =
  /** The previous span of its stream ended. */
  | { readonly kind: "stream" }
  /** The host launched it only then. */
  | { readonly kind: "launch" }
  /** The last message of an exchange arrived, from this rank. */
  | { readonly kind: "message"; readonly rank: number }
  /** An event recorded after this span (its sequence in the same process) completed. */
  | { readonly kind: "event"; readonly span: number }
  /** Buffers or credits were free again, as they are after this span of the same process. */
  | { readonly kind: "buffer"; readonly span: number }
  /** The scheduler's plan for the step arrived. */
  | { readonly kind: "plan" };

/** Where in a run something belongs; -1 where a level does not apply. */
export interface Place {
  readonly step: number;
  readonly layer: number;
  readonly microBatch: number;
}

/** An operation on a GPU's stream. */
export interface SpanRecord extends Place {
  readonly name: SpanName;
  readonly stream: StreamName;
  readonly start: Instant;
  readonly end: Instant;
  /** Streaming multiprocessors that it holds. */
  readonly sms: number;
  /** Rows that it works on: tokens of a micro-batch, or rows of a rank's experts; 0 where rows mean nothing. */
  readonly rows: number;
  /** The part of its time, in picoseconds, for which buffers held it up: a kernel that is through waits for credits. */
  readonly held: number;
  readonly cause: Cause;
}

export type Phase = "dispatch" | "combine";

/** The phase that a kernel of an exchange belongs to; undefined for what computes and for the host. */
export function phaseOf(name: SpanName): Phase | undefined {
  if (name.startsWith("dispatch.")) return "dispatch";
  return name.startsWith("combine.") ? "combine" : undefined;
}

/** What all messages of a sending have in common. */
export type MessageHead = Pick<MessageRecord, keyof Place | "phase" | "source" | "sendSpan" | "sendStart">;

/** A message of an exchange. Its receiver writes all of an exchange by source, when it has them all and goes on. */
export interface MessageRecord extends Place {
  readonly phase: Phase;
  readonly source: number;
  /** Sequence of the sending span in the source's recording. */
  readonly sendSpan: number;
  /** When the sending span started: flow arrows leave from here. */
  readonly sendStart: Instant;
  /** When the message was handed to the network. */
  readonly sentAt: Instant;
  readonly arrivedAt: Instant;
  readonly bytes: number;
  /** Time spent in queues of links on its way, in picoseconds, and the part of it at the sender's own port. */
  readonly queued: number;
  readonly portQueued: number;
  /** From its tail at the first relay to its arrival, in picoseconds; 0 where no fabric handed it to another. */
  readonly relayed: number;
  /** Time that its bytes take on its slowest link, in picoseconds; which link that is: fabric process and index there. */
  readonly transfer: number;
  readonly slowestProcess: number;
  readonly slowestLink: number;
  /** The link where it queued longest beyond the sender's port; its slowest link when it never did. */
  readonly limitingProcess: number;
  readonly limitingLink: number;
}

/** A rank's part in a step. */
export interface RankStepRecord {
  readonly step: number;
  readonly kind: "prefill" | "decode";
  readonly start: Instant;
  readonly end: Instant;
  readonly requests: number;
  readonly tokens: number;
}

/** A step, written by the scheduler: from its plans' departure to the last rank's report. */
export interface StepRecord {
  readonly step: number;
  readonly kind: "prefill" | "decode";
  readonly start: Instant;
  readonly end: Instant;
  readonly requests: number;
  readonly tokens: number;
}

/** A request's part in a step, written by the scheduler. */
export interface RequestStepRecord {
  readonly request: number;
  readonly rank: number;
  readonly step: number;
  readonly kind: "prefill" | "decode";
  readonly start: Instant;
  readonly end: Instant;
  readonly newTokens: number;
}

/** A request's whole life, written by the scheduler when it is done. */
export interface RequestRecord {
  readonly request: number;
  readonly rank: number;
  readonly arrivedAt: Instant;
  readonly startedAt: Instant;
  readonly firstTokenAt: Instant;
  readonly finishedAt: Instant;
  readonly promptTokens: number;
  readonly newTokens: number;
}

/**
 * What a logical process writes to. One for each process; made by the host's recording.
 * Nothing is kept in memory beyond a block that is then appended to the disk.
 */
export interface Recorder {
  /** Returns the record's sequence in this process. */
  span(record: SpanRecord): number;
  message(record: MessageRecord): void;
  /** A message on one link of a fabric process: no object, since there are many. `exchange` numbers phases of a rank pair. */
  hop(
    source: number,
    target: number,
    exchange: number,
    link: number,
    headAt: number,
    startAt: number,
    endAt: number,
  ): void;
  /** The same for `count` hops that are encoded already (`HOP_RECORD_BYTES` each, see `encodeHop`), from `at` on. */
  hops(encoded: Uint8Array, at: number, count: number): void;
  /** `count` messages that are encoded already (`MESSAGE_RECORD_BYTES` each, see `encodeMessage`), from `at` on. */
  messages(encoded: Uint8Array, at: number, count: number): void;
  rankStep(record: RankStepRecord): void;
  step(record: StepRecord): void;
  requestStep(record: RequestStepRecord): void;
  request(record: RequestRecord): void;
}

/** A recorder that forgets everything. */
export const noRecorder: Recorder = {
  span: () => 0,
  message: () => undefined,
  hop: () => undefined,
  hops: () => undefined,
  messages: () => undefined,
  rankStep: () => undefined,
  step: () => undefined,
  requestStep: () => undefined,
  request: () => undefined,
};

/** A logical process as a recording knows it. */
export type RecordedProcess =
  | {
      readonly id: number;
      readonly kind: "gpu";
      readonly name: string;
      readonly rank: number;
      readonly node: number;
    }
  | {
      readonly id: number;
      readonly kind: "fabric";
      readonly name: string;
      /** What its links are made of; PCIe links say so in their names. */
      readonly wire: "nvlink" | "nic";
      readonly links: readonly string[];
    }
  | { readonly id: number; readonly kind: "scheduler"; readonly name: string };

/** What a recording says of the run as a whole; the same on every placement. */
export interface RecordingHeader {
  readonly schema: "windtunnel/recording@2";
  readonly name: string;
  readonly seed: number;
  /** Hidden size, layers and the like are in the scenario; this names the timed model for span attributes. */
  readonly timedModel: string;
  readonly gpu: string;
  /** Streaming multiprocessors of a GPU. */
  readonly sms: number;
  readonly processes: readonly RecordedProcess[];
}
