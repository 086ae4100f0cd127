// Puts span descriptions through the OpenTelemetry SDK: its tracer, its spans, its OTLP serialisers, its exporter.
// What would make a file differ is fixed here: ids, epoch, sampler, limits, resource, batches. Nothing is dropped:
// the queue is bounded, and while it is full no further span is made until its batch is written and acknowledged.

import { ROOT_CONTEXT, type SpanContext, trace, TraceFlags, type Tracer } from "@opentelemetry/api";
import { ExportResultCode } from "@opentelemetry/core";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-proto";
import { JsonTraceSerializer } from "@opentelemetry/otlp-transformer";
import { resourceFromAttributes } from "@opentelemetry/resources";
import {
  AlwaysOnSampler,
  type IdGenerator,
  type ReadableSpan,
  type SpanExporter,
  type SpanProcessor,
  TracerProvider,
} from "@opentelemetry/sdk-trace";
import { defined, invariant, PICOSECONDS_PER_NANOSECOND, PICOSECONDS_PER_SECOND } from "@windtunnel/base";
import { AppendedFile } from "./appended-file.ts";
import { destinationOf } from "./otlp-destination.ts";
import type { OpenTelemetryOptions, OpenTelemetryResult } from "./otlp.ts";
import type { RecordingHeader } from "./records.ts";
import type { Recording } from "./recording-reader.ts";
import { describeSpans, type SpanDescription } from "./span-descriptions.ts";
import { ATTRIBUTES, INSTRUMENTATION_SCOPE, SERVICE_NAME } from "./span-names.ts";

/** 2025-01-01T00:00:00Z: virtual time 0. Not zero, since many backends drop what is too old. */
const EPOCH_SECONDS = 1_735_689_600;
/** Spans in a batch: a line of the file, a request over the network. */
const BATCH_SPANS = 512;
const NO_LIMIT = 1_000_000;

export async function exportThroughSdk(
  recording: Recording,
  options: OpenTelemetryOptions,
): Promise<OpenTelemetryResult> {
  const destination = destinationOf(options.environment);
  const sender = destination.kind === "http" ? new SpanSender(destination.url) : undefined;
  const file = new AppendedFile(options.file);
  const queue = new SpanQueue();
  const ids = new GivenIds();
  const tracer = tracerFor(recording.header, queue, ids);
  let spans = 0;
  try {
    for (const description of describeSpans(recording, options.selection)) {
      makeSpan(tracer, ids, description);
      spans += 1;
      if (queue.isFull) await deliver(queue.take(), file, sender);
    }
    await deliver(queue.take(), file, sender);
  } finally {
    file.close();
    await sender?.close();
  }
  const warnings = destination.kind === "refused" ? [destination.warning] : (sender?.warnings(spans) ?? []);
  return { spans, sent: sender?.sent ?? 0, warnings };
}

/** A tracer whose spans depend on what it is told alone: no detectors, no variables. */
function tracerFor(header: RecordingHeader, queue: SpanQueue, ids: GivenIds): Tracer {
  const provider = new TracerProvider({
    sampler: new AlwaysOnSampler(),
    idGenerator: ids,
    spanProcessors: [queue],
    resource: resourceFromAttributes({
      [ATTRIBUTES.serviceName]: SERVICE_NAME,
      [ATTRIBUTES.scenario]: header.name,
      [ATTRIBUTES.seed]: header.seed,
      [ATTRIBUTES.timedModel]: header.timedModel,
      [ATTRIBUTES.gpu]: header.gpu,
      [ATTRIBUTES.gpuSms]: header.sms,
    }),
    spanLimits: {
      attributeCountLimit: NO_LIMIT,
      attributeValueLengthLimit: Infinity,
      linkCountLimit: NO_LIMIT,
      eventCountLimit: NO_LIMIT,
      attributePerEventCountLimit: NO_LIMIT,
      attributePerLinkCountLimit: NO_LIMIT,
    },
  });
  return provider.getTracer(INSTRUMENTATION_SCOPE);
}

function makeSpan(tracer: Tracer, ids: GivenIds, description: SpanDescription): void {
  const { trace: traceId, span, parent, start, end } = description;
  ids.give(traceId, span);
  const context =
    parent === undefined ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, contextOf(traceId, parent));
  const made = tracer.startSpan(
    description.name,
    {
      startTime: hostTime(start),
      attributes: description.attributes,
      links: description.links.map((link) => ({ context: contextOf(link.trace, link.span) })),
    },
    context,
  );
  made.end(hostTime(end));
}

function contextOf(traceId: string, spanId: string): SpanContext {
  return { traceId, spanId, traceFlags: TraceFlags.SAMPLED };
}

/** Virtual time as [seconds, nanoseconds] since 1970, picoseconds floored. */
function hostTime(picoseconds: number): [number, number] {
  const rest = picoseconds % PICOSECONDS_PER_SECOND;
  const seconds = (picoseconds - rest) / PICOSECONDS_PER_SECOND;
  return [EPOCH_SECONDS + seconds, Math.floor(rest / PICOSECONDS_PER_NANOSECOND)];
}

/** Hands the SDK the ids that the next span is to have. */
class GivenIds implements IdGenerator {
  #trace = "";
  #span = "";

  give(traceId: string, spanId: string): void {
    this.#trace = traceId;
    this.#span = spanId;
  }

  generateTraceId(): string {
    return this.#trace;
  }

  generateSpanId(): string {
    return this.#span;
  }
}

/** Ended spans up to a batch; whoever makes spans looks whether it is full. */
class SpanQueue implements SpanProcessor {
  #spans: ReadableSpan[] = [];

  get isFull(): boolean {
    return this.#spans.length >= BATCH_SPANS;
  }

  onStart(): void {}

  onEnd(span: ReadableSpan): void {
    invariant(!this.isFull, "a span ended while the queue was full");
    this.#spans.push(span);
  }

  take(): ReadableSpan[] {
    const spans = this.#spans;
    this.#spans = [];
    return spans;
  }

  forceFlush(): Promise<void> {
    return Promise.resolve();
  }

  shutdown(): Promise<void> {
    return Promise.resolve();
  }
}

/** First the file, then the network. */
async function deliver(
  spans: ReadableSpan[],
  file: AppendedFile,
  sender: SpanSender | undefined,
): Promise<void> {
  if (spans.length === 0) return;
  file.write(defined(JsonTraceSerializer.serializeRequest(spans), "the serialised batch"));
  file.write(LINE_END);
  await sender?.send(spans);
}

const LINE_END = Buffer.from("\n");

/** Sends batches one after the other through the standard exporter, which repeats by itself what may be repeated. */
class SpanSender {
  readonly #url: string;
  readonly #exporter: SpanExporter;
  #sent = 0;
  #failure: string | undefined;

  constructor(url: string) {
    this.#url = url;
    this.#exporter = new OTLPTraceExporter({ url });
  }

  get sent(): number {
    return this.#sent;
  }

  /** Resolves when the batch is acknowledged or has failed; after a failure no further one is tried. */
  async send(spans: ReadableSpan[]): Promise<void> {
    if (this.#failure !== undefined) return;
    const failure = await new Promise<string | undefined>((resolve) => {
      this.#exporter.export(spans, ({ code, error }) =>
        resolve(code === ExportResultCode.SUCCESS ? undefined : (error?.message ?? "unknown")),
      );
    });
    if (failure === undefined) this.#sent += spans.length;
    else this.#failure = failure;
  }

  warnings(spans: number): string[] {
    if (this.#failure === undefined) return [];
    return [
      `${spans - this.#sent} of ${spans} spans were not sent to ${this.#url}: ${this.#failure}; the file has them all`,
    ];
  }

  close(): Promise<void> {
    return this.#exporter.shutdown();
  }
}
