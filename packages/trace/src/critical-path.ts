// The critical path of a step: from the end of the rank that ends last back to the beginning, through whatever let each
// operation start: stream order, events, launches, buffers, and messages to the rank that sent them.
// Invariant: its pieces are disjoint, ascending, and fill the step to the picosecond.

import { invariant } from "@windtunnel/base";
import { type AttributionOptions } from "./attribution.ts";
import { type CauseSums, noTime, type StepCause } from "./causes.ts";
import type { RecordedMessage, RecordedSpan } from "./record-layout.ts";
import { communicates, computes } from "./records.ts";
import { type RankGraph, relays, type StepGraph } from "./step-graph.ts";

/** What bound a piece to the one after it. */
export type PathEdge = "end" | "stream" | "event" | "launch" | "buffer" | "message" | "host";

export interface PathPiece {
  /** Picoseconds. */
  readonly from: number;
  readonly to: number;
  /** A kernel, a message on its way to `rank`, the host that launches, or nothing. */
  readonly kind: "span" | "flight" | "launch" | "idle";
  readonly rank: number;
  /** How the next piece came to begin at this one's end. */
  readonly edge: PathEdge;
  readonly span?: RecordedSpan;
  readonly message?: RecordedMessage;
}

export interface CriticalPath {
  readonly step: number;
  /** Ascending in time. */
  readonly pieces: readonly PathPiece[];
  /** Picoseconds by cause; their sum is the step. */
  readonly causes: CauseSums;
}

export function criticalPath(graph: StepGraph, options: AttributionOptions): CriticalPath {
  const walk = new PathWalk(graph);
  const pieces = walk.pieces();
  const causes = noTime();
  for (const piece of pieces) addPiece(causes, piece, options);
  return { step: graph.step, pieces, causes };
}

class PathWalk {
  readonly #graph: StepGraph;
  readonly #pieces: PathPiece[] = [];
  #to: number;

  constructor(graph: StepGraph) {
    this.#graph = graph;
    this.#to = graph.end;
  }

  pieces(): PathPiece[] {
    const last = this.#graph.ranks.reduce((latest, rank) => (rank.end > latest.end ? rank : latest));
    this.#from(last);
    invariant(this.#to === this.#graph.start, `a critical path ends at ${this.#to} ps`);
    return this.#pieces.reverse();
  }

  get #isDone(): boolean {
    return this.#to <= this.#graph.start;
  }

  #take(from: number, piece: Omit<PathPiece, "from" | "to">): void {
    const start = Math.max(this.#graph.start, Math.min(from, this.#to));
    if (start < this.#to) this.#pieces.push({ from: start, to: this.#to, ...piece });
    this.#to = start;
  }

  #from(last: RankGraph): void {
    let rank = last;
    let span = lastSpanOf(rank);
    let edge: PathEdge = "end";
    while (!this.#isDone && span !== undefined) {
      this.#take(span.end, { kind: "idle", rank: rank.rank, edge });
      const isWait = span.name === "host.wait";
      if (!isWait) this.#take(span.start, { kind: "span", rank: rank.rank, edge, span });
      const before = this.#before(rank, span);
      // What a wait waited for ends with it, so that the path goes on there and not where the wait began.
      if (before === undefined && isWait)
        this.#take(span.start, { kind: "span", rank: rank.rank, edge, span });
      if (before === undefined) break;
      ({ rank, span, edge } = before);
    }
    this.#take(this.#graph.start, { kind: "idle", rank: rank.rank, edge });
  }

  /** What a span, or the host's wait, was bound to. */
  #before(
    rank: RankGraph,
    span: RecordedSpan,
  ): { readonly rank: RankGraph; readonly span: RecordedSpan; readonly edge: PathEdge } | undefined {
    const { cause } = span;
    switch (cause.kind) {
      case "plan":
        return undefined;
      case "launch": {
        const wait = rank.hostWaitBefore(span);
        this.#take(Math.max(wait?.end ?? rank.start, rank.start), {
          kind: "launch",
          rank: rank.rank,
          edge: "launch",
        });
        return wait === undefined ? undefined : { rank, span: wait, edge: "host" };
      }
      case "message": {
        const message = rank.messageOf(span);
        if (message === undefined) return undefined;
        this.#take(message.sentAt, { kind: "flight", rank: rank.rank, edge: "message", message });
        const sender = this.#graph.rankOf(message.source);
        const sent = sender?.spanOf(message.sendSpan);
        return sender === undefined || sent === undefined
          ? undefined
          : { rank: sender, span: sent, edge: "message" };
      }
      default: {
        const before = cause.kind === "stream" ? rank.previousOf(span) : rank.spanOf(cause.span);
        return before === undefined ? undefined : { rank, span: before, edge: cause.kind };
      }
    }
  }
}

function lastSpanOf(rank: RankGraph): RecordedSpan | undefined {
  let last: RecordedSpan | undefined;
  for (const span of rank.spans) if (span.end <= rank.end && span.end >= (last?.end ?? 0)) last = span;
  return last;
}

function addPiece(sums: CauseSums, piece: PathPiece, { sms, wireOf }: AttributionOptions): void {
  const duration = piece.to - piece.from;
  if (piece.kind === "flight" && piece.message !== undefined)
    return addFlight(sums, piece.message, duration, wireOf);
  if (piece.kind === "launch") {
    sums.launching += duration;
    return;
  }
  const { span } = piece;
  if (span === undefined) {
    sums.idle += duration;
    return;
  }
  if (computes(span)) {
    const computing = Math.floor((duration * span.sms) / sms);
    sums.computing += computing;
    sums["communication-sms"] += duration - computing;
  } else if (communicates(span)) {
    const held = Math.min(span.held, duration);
    sums["buffer-limit"] += held;
    sums[relays(span) ? "relay" : "communication-sms"] += duration - held;
  } else sums["host-wait"] += duration;
}

function addFlight(
  sums: CauseSums,
  message: RecordedMessage,
  duration: number,
  wireOf: AttributionOptions["wireOf"],
): void {
  const relayed = Math.min(message.relayed, duration);
  const queued = Math.min(message.queued - message.portQueued, duration - relayed);
  const wire: StepCause = `transfer-${wireOf(message.slowestProcess, message.slowestLink)}`;
  sums.relay += relayed;
  sums.queueing += queued;
  sums[wire] += duration - relayed - queued;
}
