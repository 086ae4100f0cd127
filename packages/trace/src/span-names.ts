// Names of OpenTelemetry spans and attributes: the only place where they are spelled. Names are few; what tells
// spans of a name apart are attributes. Times in attributes are virtual and in microseconds, sizes in bytes.

import type { SpanName } from "./records.ts";

export const SERVICE_NAME = "windtunnel";
export const INSTRUMENTATION_SCOPE = "windtunnel/trace";

/** Spans of SpanRecords are called like these records: "attention.core", "dispatch.send" and so on. */
export const TRACE_SPAN_NAMES = {
  /** Root of a step's trace. */
  step: "step",
  /** A rank's part in a step. */
  rank: "rank",
  /** A layer with routed experts, or a dense one, on a rank. */
  moeLayer: "layer.moe",
  denseLayer: "layer.dense",
  /** All messages of an exchange to a rank, from the first departure to the last arrival. */
  dispatchTransfer: "dispatch.transfer",
  combineTransfer: "combine.transfer",
  /** Root of a request's trace, and its parts. */
  request: "request",
  queue: "queue",
  prefill: "prefill",
  decode: "decode",
} as const;

export const ATTRIBUTES = {
  serviceName: "service.name",
  /** Of the resource. */
  scenario: "windtunnel.scenario",
  seed: "windtunnel.seed",
  timedModel: "windtunnel.timed_model",
  gpu: "windtunnel.gpu",
  gpuSms: "windtunnel.gpu.sms",

  step: "windtunnel.step",
  /** "prefill" or "decode". */
  stepKind: "windtunnel.step.kind",
  layer: "windtunnel.layer",
  microBatch: "windtunnel.micro_batch",
  rank: "windtunnel.rank",
  node: "windtunnel.node",
  stream: "windtunnel.stream",
  /** One of `stageOf`: what operations of a micro-batch in a layer have in common. */
  stage: "windtunnel.stage",
  /** Streaming multiprocessors held. */
  sms: "windtunnel.sms",
  /** Rows worked on: tokens of a micro-batch, or rows of a rank's experts; absent where rows mean nothing. */
  rows: "windtunnel.rows",
  /** The part of a span's time for which buffers held it up; absent where they did not. */
  heldUs: "windtunnel.held_us",
  /** "stream", "launch", "message", "event", "buffer" or "plan". */
  cause: "windtunnel.cause",
  /** The rank whose message came last, where the cause is a message. */
  causeRank: "windtunnel.cause.rank",
  /** Where the cause is an event or a buffer: the sequence of the span that had to be complete. */
  causeSpan: "windtunnel.cause.span",
  /** Of the record in its process. */
  sequence: "windtunnel.sequence",

  messages: "windtunnel.messages",
  bytes: "windtunnel.bytes",
  /** The longest time that a message of the exchange spent in queues. */
  queuedMaxUs: "windtunnel.queued.max_us",
  /** Of the message that arrived last: its source, its time in queues, and the part of it at the sender's own port. */
  lastSource: "windtunnel.last.source",
  lastQueuedUs: "windtunnel.last.queued_us",
  lastPortQueuedUs: "windtunnel.last.port_queued_us",
  /** From its tail at the first relay to its arrival; 0 where no fabric handed it to another. */
  lastRelayedUs: "windtunnel.last.relayed_us",
  /** Its bytes' time on its slowest link, that link, and the one where it queued longest beyond the sender's port. */
  lastTransferUs: "windtunnel.last.transfer_us",
  slowestLink: "windtunnel.slowest_link",
  limitingLink: "windtunnel.limiting_link",

  request: "windtunnel.request",
  requests: "windtunnel.requests",
  tokens: "windtunnel.tokens",
  promptTokens: "windtunnel.prompt_tokens",
  newTokens: "windtunnel.new_tokens",
  timeToFirstTokenUs: "windtunnel.time_to_first_token_us",
} as const;

export type Stage = "attention" | "dense" | "shared" | "dispatch" | "experts" | "combine";

/**
 * The stage of a micro-batch in a layer that an operation is part of; undefined for what is part of none, as `embed`,
 * `head` and what the host does. An attribute and no level of spans: stages of two micro-batches interleave.
 */
export function stageOf(name: SpanName): Stage | undefined {
  if (name.startsWith("attention.") || name === "gate") return "attention";
  if (name.startsWith("dispatch.")) return "dispatch";
  if (name.startsWith("combine.")) return "combine";
  if (name === "mlp.experts") return "experts";
  if (name === "mlp.shared") return "shared";
  return name === "mlp.dense" ? "dense" : undefined;
}
