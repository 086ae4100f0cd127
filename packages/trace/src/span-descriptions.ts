// OpenTelemetry spans as plain descriptions, before any SDK: which traces a recording becomes. One trace for each
// step: step, ranks, layers, operations and transfers. One for each request: queue, prefill, decode steps. A request's
// step and the step link to each other. What is selected is complete: every parent and every link's target is there.
// Memory: one step of one rank, a few numbers for each step, open requests.

import { invariant, toMicroseconds } from "@windtunnel/base";
import {
  exchangeKey,
  flightOf,
  messagesByExchange,
  moeLayersOf,
  type RankStep,
  rankSteps,
} from "./rank-steps.ts";
import type { RecordedMessage, RecordedRequest, RecordedRequestStep, RecordedSpan } from "./record-layout.ts";
import { phaseOf, type StepRecord } from "./records.ts";
import { type GpuProcess, gpusOf, linkNames, type Recording, schedulersOf } from "./recording-reader.ts";
import { SpanIds } from "./span-ids.ts";
import { ATTRIBUTES as A, stageOf, TRACE_SPAN_NAMES as NAMES } from "./span-names.ts";
import { EVERYTHING, isSelected, type TraceSelection } from "./trace-selection.ts";

export interface SpanLink {
  readonly trace: string;
  readonly span: string;
}

export interface SpanDescription {
  readonly trace: string;
  readonly span: string;
  /** Absent for the root of a trace. */
  readonly parent?: string;
  readonly name: string;
  /** In picoseconds of virtual time. */
  readonly start: number;
  readonly end: number;
  readonly attributes: Readonly<Record<string, string | number>>;
  readonly links: readonly SpanLink[];
}

/** The spans of a recording whose rank and step, where they have them, are selected. A parent may come after its children. */
export function* describeSpans(
  recording: Recording,
  selection: TraceSelection = EVERYTHING,
): Generator<SpanDescription, void, undefined> {
  const ids = new SpanIds(recording.header.seed);
  const steps = new StepRoots(ids);
  const nameOfLink = linkNames(recording.header);
  for (const gpu of gpusOf(recording.header)) {
    if (!isSelected(selection.ranks, gpu.rank)) continue;
    for (const rankStep of rankSteps(recording, gpu.id)) {
      if (!isSelected(selection.steps, rankStep.step)) continue;
      const spans = describeRankStep({ ids, gpu, rankStep, nameOfLink });
      steps.cover(rankStep.step, spans.rank, rankStep.record);
      yield* spans.all;
    }
  }
  for (const scheduler of schedulersOf(recording.header)) {
    yield* describeScheduler({ recording, process: scheduler.id, ids, selection }, steps);
  }
  yield* steps.remaining();
}

interface RankStepContext {
  readonly ids: SpanIds;
  readonly gpu: GpuProcess;
  readonly rankStep: RankStep;
  readonly nameOfLink: (process: number, link: number) => string;
}

/** The rank's span in a step, its layers below it, and below them operations and transfers. */
function describeRankStep(context: RankStepContext): { rank: SpanDescription; all: SpanDescription[] } {
  const { ids, gpu, rankStep } = context;
  const trace = ids.trace("step-trace", rankStep.step);
  const rankSpan = ids.span("rank", gpu.rank, rankStep.step);
  const rankAttributes = { [A.rank]: gpu.rank, [A.node]: gpu.node };
  const parentOf = (layer: number): string =>
    layer < 0 ? rankSpan : ids.span("layer", gpu.rank, rankStep.step, layer);
  const all: SpanDescription[] = [];
  const layers = new Map<number, Bounds>();
  const whole = new Bounds();
  const add = (layer: number, span: SpanDescription): void => {
    all.push(span);
    whole.cover(span.start, span.end);
    if (layer < 0) return;
    const bounds = layers.get(layer) ?? new Bounds();
    layers.set(layer, bounds);
    bounds.cover(span.start, span.end);
  };
  for (const span of rankStep.spans) {
    const attributes = { ...rankAttributes, ...operationAttributes(span) };
    const { name, start, end } = span;
    const id = ids.span("span", gpu.id, span.sequence);
    add(span.layer, {
      trace,
      span: id,
      parent: parentOf(span.layer),
      name,
      start,
      end,
      attributes,
      links: [],
    });
  }
  for (const messages of messagesByExchange(rankStep.messages)) {
    const transfer = transferOf(messages, context);
    add(messages[0]!.layer, { trace, parent: parentOf(messages[0]!.layer), links: [], ...transfer });
  }
  const moeLayers = layersWithExperts(rankStep);
  for (const [layer, { start, end }] of layers) {
    const name = moeLayers.has(layer) ? NAMES.moeLayer : NAMES.denseLayer;
    const attributes = { ...rankAttributes, [A.step]: rankStep.step, [A.layer]: layer };
    all.push({ trace, span: parentOf(layer), parent: rankSpan, name, start, end, attributes, links: [] });
  }
  const rank: SpanDescription = {
    trace,
    span: rankSpan,
    parent: ids.span("step", rankStep.step),
    name: NAMES.rank,
    start: rankStep.record?.start ?? whole.start,
    end: rankStep.record?.end ?? whole.end,
    attributes: { ...rankAttributes, [A.step]: rankStep.step, ...stepAttributes(rankStep.record) },
    links: [],
  };
  all.push(rank);
  return { rank, all };
}

/** Also where a rank has no tokens of its own, and so no gate: others' rows come to its experts. */
function layersWithExperts({ spans, messages }: RankStep): ReadonlySet<number> {
  const layers = new Set(moeLayersOf(spans));
  for (const { layer, name } of spans) if (phaseOf(name) !== undefined) layers.add(layer);
  for (const { layer } of messages) layers.add(layer);
  return layers;
}

class Bounds {
  start = Infinity;
  end = 0;

  cover(start: number, end: number): void {
    this.start = Math.min(this.start, start);
    this.end = Math.max(this.end, end);
  }
}

function operationAttributes(span: RecordedSpan): Record<string, string | number> {
  const attributes: Record<string, string | number> = {
    [A.step]: span.step,
    [A.layer]: span.layer,
    [A.microBatch]: span.microBatch,
    [A.stream]: span.stream,
    [A.sms]: span.sms,
    [A.cause]: span.cause.kind,
    [A.sequence]: span.sequence,
  };
  const { cause, rows, held } = span;
  const stage = stageOf(span.name);
  if (stage !== undefined) attributes[A.stage] = stage;
  if (rows > 0) attributes[A.rows] = rows;
  if (held > 0) attributes[A.heldUs] = toMicroseconds(held);
  if (cause.kind === "message") attributes[A.causeRank] = cause.rank;
  if (cause.kind === "event" || cause.kind === "buffer") attributes[A.causeSpan] = cause.span;
  return attributes;
}

function transferOf(
  messages: readonly RecordedMessage[],
  { ids, gpu, nameOfLink }: RankStepContext,
): Pick<SpanDescription, "span" | "name" | "start" | "end" | "attributes"> {
  const { start, end, bytes, queuedMax, last } = flightOf(messages);
  return {
    span: ids.span("transfer", gpu.rank, last.step, exchangeKey(last)),
    name: last.phase === "dispatch" ? NAMES.dispatchTransfer : NAMES.combineTransfer,
    start,
    end,
    attributes: {
      [A.rank]: gpu.rank,
      [A.node]: gpu.node,
      [A.step]: last.step,
      [A.layer]: last.layer,
      [A.microBatch]: last.microBatch,
      [A.stage]: last.phase,
      [A.messages]: messages.length,
      [A.bytes]: bytes,
      [A.queuedMaxUs]: toMicroseconds(queuedMax),
      [A.lastSource]: last.source,
      [A.lastQueuedUs]: toMicroseconds(last.queued),
      [A.lastPortQueuedUs]: toMicroseconds(last.portQueued),
      [A.lastRelayedUs]: toMicroseconds(last.relayed),
      [A.lastTransferUs]: toMicroseconds(last.transfer),
      [A.slowestLink]: nameOfLink(last.slowestProcess, last.slowestLink),
      [A.limitingLink]: nameOfLink(last.limitingProcess, last.limitingLink),
    },
  };
}

function stepAttributes(record: StepRecord | undefined): Record<string, string | number> {
  if (record === undefined) return {};
  return { [A.stepKind]: record.kind, [A.requests]: record.requests, [A.tokens]: record.tokens };
}

interface SchedulerContext {
  readonly recording: Recording;
  readonly process: number;
  readonly ids: SpanIds;
  readonly selection: TraceSelection;
}

/** A scheduler's steps, and its requests with their parts in them. */
function* describeScheduler(
  { recording, process, ids, selection }: SchedulerContext,
  steps: StepRoots,
): Generator<SpanDescription, void, undefined> {
  const unfinished = new Map<number, Bounds>();
  const finished = new Set<number>();
  for (const record of recording.records(process)) {
    if ("step" in record && !isSelected(selection.steps, record.step)) continue;
    if ("rank" in record && !isSelected(selection.ranks, record.rank)) continue;
    if (record.type === "step") {
      yield* steps.begin(record);
    } else if (record.type === "requestStep") {
      const span = describeRequestStep(record, ids);
      steps.link(record.step, { trace: span.trace, span: span.span }, span);
      if (!finished.has(record.request)) {
        const bounds = unfinished.get(record.request) ?? new Bounds();
        unfinished.set(record.request, bounds);
        bounds.cover(record.start, record.end);
      }
      yield span;
    } else {
      invariant(
        record.type === "request",
        `the scheduler that is process ${process} recorded a ${record.type}`,
      );
      unfinished.delete(record.request);
      finished.add(record.request);
      yield* describeRequest(record, ids);
    }
  }
  // A run that ended early has requests without their own record: their steps still need a root.
  for (const [request, { start, end }] of unfinished) {
    const trace = ids.trace("request-trace", request);
    const attributes = { [A.request]: request };
    yield {
      trace,
      span: ids.span("request", request),
      name: NAMES.request,
      start,
      end,
      attributes,
      links: [],
    };
  }
}

function describeRequestStep(record: RecordedRequestStep, ids: SpanIds): SpanDescription {
  return {
    trace: ids.trace("request-trace", record.request),
    span: ids.span("request-step", record.request, record.step),
    parent: ids.span("request", record.request),
    name: record.kind === "prefill" ? NAMES.prefill : NAMES.decode,
    start: record.start,
    end: record.end,
    attributes: {
      [A.request]: record.request,
      [A.rank]: record.rank,
      [A.step]: record.step,
      [A.newTokens]: record.newTokens,
    },
    links: [{ trace: ids.trace("step-trace", record.step), span: ids.span("step", record.step) }],
  };
}

function* describeRequest(
  record: RecordedRequest,
  ids: SpanIds,
): Generator<SpanDescription, void, undefined> {
  const trace = ids.trace("request-trace", record.request);
  const span = ids.span("request", record.request);
  const start = record.arrivedAt;
  const attributes = { [A.request]: record.request, [A.rank]: record.rank };
  yield {
    trace,
    span,
    name: NAMES.request,
    start,
    end: record.finishedAt,
    attributes: {
      ...attributes,
      [A.promptTokens]: record.promptTokens,
      [A.newTokens]: record.newTokens,
      [A.timeToFirstTokenUs]: toMicroseconds(record.firstTokenAt - record.arrivedAt),
    },
    links: [],
  };
  const queue = ids.span("queue", record.request);
  yield {
    trace,
    span: queue,
    parent: span,
    name: NAMES.queue,
    start,
    end: record.startedAt,
    attributes,
    links: [],
  };
}

/**
 * Roots of steps. A root is given out when the step after it is recorded, since the scheduler may write the requests'
 * parts before or after the step itself. Steps that no scheduler recorded get a root around what is known of them.
 */
class StepRoots {
  readonly #ids: SpanIds;
  readonly #unrecorded = new Map<number, { readonly bounds: Bounds; record: StepRecord | undefined }>();
  readonly #links = new Map<number, SpanLink[]>();
  readonly #done = new Set<number>();
  #waiting: StepRecord | undefined;

  constructor(ids: SpanIds) {
    this.#ids = ids;
  }

  /** Something with a parent in the step's trace lasts so long. */
  cover(step: number, span: { readonly start: number; readonly end: number }, record?: StepRecord): void {
    if (this.#done.has(step)) return;
    const known = this.#unrecorded.get(step) ?? { bounds: new Bounds(), record };
    this.#unrecorded.set(step, known);
    known.bounds.cover(span.start, span.end);
  }

  link(step: number, link: SpanLink, span: { readonly start: number; readonly end: number }): void {
    invariant(!this.#done.has(step), `a request's part in step ${step} stands behind the step after it`);
    const links = this.#links.get(step) ?? [];
    this.#links.set(step, links);
    links.push(link);
    if (this.#waiting?.step !== step) this.cover(step, span);
  }

  *begin(record: StepRecord): Generator<SpanDescription, void, undefined> {
    invariant(!this.#done.has(record.step), `step ${record.step} was recorded twice`);
    yield* this.#rootOfWaiting();
    this.#unrecorded.delete(record.step);
    this.#waiting = record;
  }

  *remaining(): Generator<SpanDescription, void, undefined> {
    yield* this.#rootOfWaiting();
    for (const [step, { bounds, record }] of this.#unrecorded) {
      const attributes = record === undefined ? {} : { [A.stepKind]: record.kind };
      yield this.#root(step, bounds, attributes);
    }
  }

  *#rootOfWaiting(): Generator<SpanDescription, void, undefined> {
    const record = this.#waiting;
    if (record === undefined) return;
    this.#waiting = undefined;
    this.#done.add(record.step);
    yield this.#root(record.step, record, stepAttributes(record));
  }

  #root(
    step: number,
    { start, end }: { readonly start: number; readonly end: number },
    attributes: Readonly<Record<string, string | number>>,
  ): SpanDescription {
    const links = this.#links.get(step) ?? [];
    this.#links.delete(step);
    return {
      trace: this.#ids.trace("step-trace", step),
      span: this.#ids.span("step", step),
      name: NAMES.step,
      start,
      end,
      attributes: { [A.step]: step, ...attributes },
      links,
    };
  }
}
