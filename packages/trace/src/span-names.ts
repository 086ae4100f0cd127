// Names of OpenTelemetry spans and attributes: the only place where they are spelled. Names are few; what tells
// spans of a name apart are attributes. Times in attributes are virtual and in microseconds, sizes in bytes.

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

  step: "windtunnel.step",
  /** "prefill" or "decode". */
  stepKind: "windtunnel.step.kind",
  layer: "windtunnel.layer",
  microBatch: "windtunnel.micro_batch",
  rank: "windtunnel.rank",
  node: "windtunnel.node",
  stream: "windtunnel.stream",
  /** Streaming multiprocessors held. */
  sms: "windtunnel.sms",
  /** "stream", "launch", "message", "event" or "plan". */
  cause: "windtunnel.cause",
  /** The rank whose message came last, where the cause is a message. */
  causeRank: "windtunnel.cause.rank",
  /** The sequence of the span after which the event was recorded, where the cause is an event. */
  causeSpan: "windtunnel.cause.span",
  /** Of the record in its process. */
  sequence: "windtunnel.sequence",

  messages: "windtunnel.messages",
  bytes: "windtunnel.bytes",
  /** The longest time that a message of the exchange spent in queues. */
  queuedMaxUs: "windtunnel.queued.max_us",
  /** Of the message that arrived last: its time in queues, its bytes' time on its slowest link, its source and link. */
  lastQueuedUs: "windtunnel.last.queued_us",
  lastTransferUs: "windtunnel.last.transfer_us",
  lastSource: "windtunnel.last.source",
  limitingLink: "windtunnel.limiting_link",

  request: "windtunnel.request",
  requests: "windtunnel.requests",
  tokens: "windtunnel.tokens",
  promptTokens: "windtunnel.prompt_tokens",
  newTokens: "windtunnel.new_tokens",
  timeToFirstTokenUs: "windtunnel.time_to_first_token_us",
} as const;
