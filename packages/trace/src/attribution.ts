// What each rank's time in a step went into. While a kernel computes, that is the cause. In between, the next computing
// kernel is blocked: what let it start is followed back through stream order, events, launches and messages, also to the
// ranks that relay or that sent late, until the gap is explained.
// Invariant: a rank's segments are disjoint, ascending, and fill the step to the picosecond.

import { invariant } from "@windtunnel/base";
import type { CauseSegment, StepCause } from "./causes.ts";
import type { RecordedMessage, RecordedSpan } from "./record-layout.ts";
import { isPcieLink } from "./link-kinds.ts";
import { fabricsOf } from "./recording-reader.ts";
import { communicates, computes, type RecordingHeader } from "./records.ts";
import { type RankGraph, relays, type StepGraph } from "./step-graph.ts";

/** A wire by the fabric process and link that limits a message. */
export type WireOf = (process: number, link: number) => "nvlink" | "pcie" | "nic";

export function wiresOf(header: RecordingHeader): WireOf {
  const fabrics = new Map(fabricsOf(header).map((fabric) => [fabric.id, fabric]));
  return (process, link) => {
    const fabric = fabrics.get(process);
    if (isPcieLink(fabric?.links[link] ?? "")) return "pcie";
    return fabric?.wire === "nvlink" ? "nvlink" : "nic";
  };
}

export interface AttributionOptions {
  /** Streaming multiprocessors of a GPU. */
  readonly sms: number;
  readonly wireOf: WireOf;
}

/** A rank's step, from the first rank's start to the last one's end. */
export function attributeStep(
  graph: StepGraph,
  rank: RankGraph,
  options: AttributionOptions,
): CauseSegment[] {
  const segments: CauseSegment[] = [];
  const push = (from: number, to: number, cause: StepCause): void => {
    if (to > from) segments.push({ from, to, cause });
  };
  push(graph.start, rank.start, "idle");
  let at = rank.start;
  for (const span of rank.computing) {
    const start = Math.max(at, span.start);
    if (start > at) segments.push(...gapBefore(graph, rank, span, { from: at, to: start }, options));
    if (span.end <= start) continue;
    const computing = start + Math.floor(((span.end - start) * span.sms) / options.sms);
    push(start, computing, "computing");
    push(computing, span.end, "communication-sms");
    at = span.end;
  }
  if (at < rank.end) segments.push(...gapAtEnd(graph, rank, { from: at, to: rank.end }, options));
  push(rank.end, graph.end, "idle");
  return segments;
}

interface Gap {
  readonly from: number;
  readonly to: number;
}

function gapBefore(
  graph: StepGraph,
  rank: RankGraph,
  blocked: RecordedSpan,
  gap: Gap,
  options: AttributionOptions,
): CauseSegment[] {
  const walk = new GapWalk(graph, gap, options);
  walk.explain(rank, blocked);
  return fillAndDrain(rank, blocked, gap, walk.segments());
}

/** Behind the last computing kernel the rank waits for whatever ends last. */
function gapAtEnd(graph: StepGraph, rank: RankGraph, gap: Gap, options: AttributionOptions): CauseSegment[] {
  const walk = new GapWalk(graph, gap, options);
  const last = rank.spans.reduce<RecordedSpan | undefined>(
    (latest, span) => (span.end <= rank.end && span.end >= (latest?.end ?? 0) ? span : latest),
    undefined,
  );
  if (last !== undefined && walk.cover(rank, last)) walk.explain(rank, last);
  walk.rest("idle");
  return last === undefined ? walk.segments() : fillAndDrain(rank, last, gap, walk.segments());
}

/** Causes that another micro-batch's work would have hidden. */
const HIDEABLE: ReadonlySet<StepCause> = new Set([
  "communication-sms",
  "host-wait",
  "transfer-nvlink",
  "transfer-pcie",
  "transfer-nic",
  "queueing",
  "relay",
] satisfies StepCause[]);

/** Where the other micro-batch has not begun or is through, nothing could hide what is waited for. */
function fillAndDrain(
  rank: RankGraph,
  blocked: RecordedSpan,
  gap: Gap,
  segments: readonly CauseSegment[],
): CauseSegment[] {
  let begins = Infinity;
  let ends = 0;
  const halves = rank.computing.filter((span) => isOfMoe(rank, span));
  if (halves.every(({ microBatch }) => microBatch === halves[0]!.microBatch)) return [...segments];
  for (const span of halves) {
    if (span.microBatch === blocked.microBatch) continue;
    begins = Math.min(begins, span.start);
    ends = Math.max(ends, span.end);
  }
  if (begins === Infinity || (begins < gap.to && ends > gap.from)) return [...segments];
  return segments.map((segment) =>
    HIDEABLE.has(segment.cause) ? { from: segment.from, to: segment.to, cause: "fill-and-drain" } : segment,
  );
}

/** Dense layers run before micro-batches part; their spans carry the number of the first. */
function isOfMoe(rank: RankGraph, { layer }: RecordedSpan): boolean {
  return rank.moeLayers.has(layer);
}

/** Explains a gap from its end to its start. */
class GapWalk {
  readonly #graph: StepGraph;
  readonly #options: AttributionOptions;
  readonly #from: number;
  /** What lies behind it is explained. */
  #to: number;
  /** From the last to the first. */
  readonly #segments: CauseSegment[] = [];

  constructor(graph: StepGraph, gap: Gap, options: AttributionOptions) {
    this.#graph = graph;
    this.#options = options;
    this.#from = gap.from;
    this.#to = gap.to;
  }

  segments(): CauseSegment[] {
    invariant(this.#to === this.#from, `a gap is explained down to ${this.#to} ps, not ${this.#from} ps`);
    return this.#segments.reverse();
  }

  get #isDone(): boolean {
    return this.#to <= this.#from;
  }

  /** Takes the time down to `from` for a cause. */
  #take(from: number, cause: StepCause, more: Pick<CauseSegment, "rank" | "link"> = {}): void {
    const start = Math.max(this.#from, Math.min(from, this.#to));
    if (start === this.#to) return;
    const last = this.#segments.at(-1);
    // Pieces of one cause that touch are one segment.
    if (last?.cause === cause && last.rank === more.rank && last.link === more.link) {
      this.#segments[this.#segments.length - 1] = { ...last, from: start };
    } else this.#segments.push({ from: start, to: this.#to, cause, ...more });
    this.#to = start;
  }

  /** What remains. */
  rest(cause: StepCause, rank?: number): void {
    this.#take(this.#from, cause, rank === undefined ? {} : { rank });
  }

  /** `span` began when all that is explained so far began: why not before? `home`: the rank whose gap it is. */
  explain(home: RankGraph, first: RecordedSpan): void {
    let rank = home;
    let span = first;
    while (!this.#isDone) {
      const { cause } = span;
      if (cause.kind === "plan") return this.rest("idle");
      if (cause.kind === "launch") return this.#explainLaunch(rank, span);
      if (cause.kind === "message") {
        const sent = this.#flight(rank, span);
        if (sent === undefined) return;
        ({ rank, span } = sent);
        continue;
      }
      const before = rank.previousOf(span);
      if (cause.kind === "buffer") this.#take(before?.end ?? this.#from, "buffer-limit");
      const next = cause.kind === "event" ? rank.spanOf(cause.span) : before;
      if (next === undefined) return this.rest("idle");
      // On another rank whatever computes instead of handing on makes it the slower one.
      if (rank !== home && computes(next)) return this.rest("slower-rank", rank.rank);
      if (!this.cover(rank, next)) return;
      span = next;
    }
  }

  /** Takes the time in which a kernel of an exchange ran. False where it was none, and nothing more is known. */
  cover(rank: RankGraph, span: RecordedSpan): boolean {
    if (communicates(span)) {
      this.#take(span.end, "idle");
      this.#take(span.end - span.held, "buffer-limit");
      if (relays(span)) this.#take(span.start, "relay", { rank: rank.rank });
      else this.#take(span.start, "communication-sms");
      return true;
    }
    if (this.#isDone) return true;
    this.rest("idle");
    return false;
  }

  /** The last message's way, from its arrival back to its departure; gives the kernel that sent it, if it goes on from there. */
  #flight(rank: RankGraph, span: RecordedSpan): { rank: RankGraph; span: RecordedSpan } | undefined {
    const message = rank.messageOf(span);
    const source = span.cause.kind === "message" ? span.cause.rank : -1;
    if (message === undefined) {
      this.rest("slower-rank", source);
      return undefined;
    }
    this.#takeFlight(message);
    if (this.#isDone) return undefined;
    const sender = this.#graph.rankOf(message.source);
    const sent = sender?.spanOf(message.sendSpan);
    // Held by its host program between the kernel's end and the message's departure, a rank is late as well.
    if (sender === undefined || sent === undefined || sent.end < this.#to) {
      this.#take(sent?.end ?? this.#from, "slower-rank", { rank: source });
    }
    if (sender === undefined || sent === undefined) return undefined;
    this.cover(sender, sent);
    if (relays(sent)) return { rank: sender, span: sent };
    this.rest("slower-rank", this.#slowestBehind(sender, sent));
    return undefined;
  }

  /** The rank that was late of itself: not one whose host, or whose relay, waited for another's message during the gap. */
  #slowestBehind(sender: RankGraph, sent: RecordedSpan): number {
    let rank = sender;
    let span = sent;
    while (true) {
      const wait = span.cause.kind === "launch" ? rank.hostWaitBefore(span) : undefined;
      const heldUntil = wait === undefined ? span.start : wait.end;
      const message = heldUntil <= this.#from ? undefined : rank.messageOf(wait ?? span);
      const before = message === undefined ? undefined : this.#graph.rankOf(message.source);
      const cause = message === undefined ? undefined : before?.spanOf(message.sendSpan);
      if (before === undefined || cause === undefined) return rank.rank;
      rank = before;
      span = cause;
    }
  }

  /** Its own bytes come last, before them queues, before those what is sent on the same port and latencies. */
  #takeFlight(message: RecordedMessage): void {
    const wire = this.#options.wireOf(message.slowestProcess, message.slowestLink);
    const { sentAt, relayed, transfer, queued, portQueued } = message;
    const back = (duration: number): number => Math.max(sentAt, this.#to - duration);
    this.#take(back(relayed), "relay");
    this.#take(back(transfer), `transfer-${wire}`);
    const link = { process: message.limitingProcess, link: message.limitingLink };
    this.#take(back(queued - portQueued), "queueing", { link });
    this.#take(sentAt, `transfer-${wire}`);
  }

  /** The host was launching since its last wait, or waited. */
  #explainLaunch(rank: RankGraph, span: RecordedSpan): void {
    let wait = rank.hostWaitBefore(span);
    while (!this.#isDone && wait !== undefined) {
      this.#take(wait.end, "launching");
      this.#hostWait(rank, wait);
      wait = rank.hostWaitBefore(wait);
    }
    this.#take(rank.start, "launching");
    this.rest("idle");
  }

  /** The host's wait, but for what a slower rank adds to it. */
  #hostWait(rank: RankGraph, wait: RecordedSpan): void {
    const message = rank.messageOf(wait);
    const from = Math.max(wait.start, this.#from);
    if (message === undefined || from >= this.#to) return this.#take(wait.start, "host-wait");
    const inner = new GapWalk(this.#graph, { from, to: this.#to }, this.#options);
    inner.explain(rank, wait);
    inner.rest("host-wait");
    for (const segment of inner.segments().toReversed()) {
      const { cause, rank: slower } = segment;
      const isSlower = cause === "slower-rank" && slower !== undefined;
      this.#take(segment.from, isSlower ? "slower-rank" : "host-wait", isSlower ? { rank: slower } : {});
    }
  }
}
