// What a logical process is: state of its own, which only its own events touch.
// It learns the time and sends through the context that each event brings; it knows neither host nor peer.

import type { Duration, Instant } from "@windtunnel/base";
import type { EventDigest } from "./digest.ts";

/** An event as its target sees it. The object is reused for the next event: take what you need, keep nothing of it. */
export interface ProcessEvent {
  time: Instant;
  kind: number;
  source: number;
  sequence: number;
  target: number;
  /** A number for events without a body: such as a slot of the target's own table, or the gather that is complete. */
  argument: number;
  /** Bytes that the event stands for; part of the digest. */
  size: number;
  /** Must survive a frame: plain data and byte arrays only when it may leave the host. */
  body: unknown;
}

export interface OutgoingEvent {
  readonly target: number;
  readonly kind: number;
  /** When the sender lets go of it; not before now. */
  readonly sentAt: Instant;
  /** When it reaches its target; at least the class graph's latency after `sentAt`. */
  readonly time: Instant;
  readonly size: number;
  readonly body: unknown;
}

export interface ProcessContext {
  /** The time of the event being handled. */
  readonly now: Instant;
  send(event: OutgoingEvent): void;
  /** An event to the process itself, without an object. */
  sendSelf(time: Instant, kind: number, argument: number): void;
  /** The least time to a process, as the class graph states it; NaN where nothing is sent. */
  latencyTo(process: number): number;
  /** The class of a process, as an index of the class graph. */
  classOf(process: number): number;
  /** Whether a process lives on this host. */
  isHere(process: number): boolean;
  /** A slot of the cargo to another process, as an event's argument. */
  hand(handed: HandedSlot): void;
  /** Whether anybody needs `announce`. */
  readonly announces: boolean;
  /**
   * A part sets out to a gather of another process, to process `first` and from there on, and does not arrive before
   * `notBefore`. Once for each part, when it is sent.
   */
  announce(target: number, gather: number, first: number, notBefore: number): void;
  /** A part that was announced does not arrive before `notBefore`, as is known now. */
  sharpen(target: number, gather: number, notBefore: number): void;
  /** A slot of the cargo to another process, as a part of one of its gathers, under a label of the sender's choice. */
  handPart(handed: HandedSlot, gather: number, label: number): void;
  /**
   * A gather of this process is complete with so many parts. True: the last has arrived. False: an event of `kind`, with
   * the gather as argument, comes with the last. Nothing else may be done at this event then: the process can be ahead of what
   * it waits for, and may go on at the same instant. `announcedBy`: classes of the processes that parts go to first; any unless given.
   */
  expect(gather: number, count: number, kind: number, announcedBy?: readonly number[]): boolean;
  /** What is filed of a gather. */
  gathered(gather: number): GatheredParts;
  /** A gather is over; its parts' slots are the process's to free. */
  forget(gather: number): void;
}

/** Parts of a gather, numbered from 0 in no particular order. */
export interface GatheredParts {
  readonly count: number;
  slotOf(part: number): number;
  labelOf(part: number): number;
  /** When the last one arrives, and its label; the largest one of several. -1 if there are none. */
  readonly latest: Instant;
  readonly latestLabel: number;
}

/** What is handed over, and when. The same object may be used for the next. */
export interface HandedSlot {
  readonly target: number;
  readonly kind: number;
  /** As of an `OutgoingEvent`. */
  readonly sentAt: Instant;
  readonly time: Instant;
  /** Tells apart what the sender hands on at one instant: counted by the sender. */
  readonly sequence: number;
  readonly size: number;
  /** -1: none, and the part is known by its gather and label alone. */
  readonly slot: number;
  /** Of the target's queue. Events of a lane mostly come in their order; it makes them cheaper and changes nothing else. */
  readonly lane: number;
}

/** What a process promises not to do before, while it waits: it sharpens other hosts' windows. */
export interface Outlook {
  /** Nothing is sent before this instant, whatever arrives. */
  readonly notBefore: Instant;
  /** Nothing is sent sooner than this after an event arrives. */
  readonly quiet: Duration;
}

/**
 * Towards processes of other classes than these a program is quiet for longer after waking; undefined: it sends them nothing;
 * "told": nothing before it has waited for what is sent to it (`isTold`).
 */
export interface Towards {
  readonly classes: readonly number[];
  readonly quietBeyond: Duration | "told" | undefined;
}

/** The same for one of the things that a process waits for. */
export interface WaitOutlook extends Outlook {
  /** It ends with this gather, … */
  readonly gather?: number;
  /** … whose parts go to processes of these classes first; any unless given. */
  readonly announcedBy?: readonly number[];
  /** Only what is sent to the process ends it, not what carriers hand on. */
  readonly isTold?: true;
  /** Only the end of another program of the process ends it, which that one's waits name by `end`. */
  readonly inner?: object;
  /** The end of the program that waits: who waits for that is quiet for so long after this wait, besides its own `quiet`. */
  readonly end?: { readonly of: object; readonly quiet: Duration };
  /** `quiet` holds towards processes of these classes only, and something longer towards all others. */
  readonly towards?: Towards;
}

/**
 * The events that a process keeps itself: what it makes for itself, and slots that are handed to it. Their kinds are lower
 * than that of any other event that it is sent; so at an instant they come first.
 */
export interface OwnEvents {
  /** Handled so far. */
  readonly count: number;
  /** The time of the first one; `NEVER` if there is none. */
  readonly earliestTime: number;
  /** A slot that is handed to the process, when the slot itself says. */
  take(slot: number, lane: number, source: number, sequence: number): void;
  /**
   * Handles those before `end`, in the total order, `most` of them at most. `digest` and `observe` are given every one:
   * time, rank of its key, sequence, size.
   */
  runBefore(
    end: number,
    most: number,
    context: ProcessContext,
    digest: EventDigest,
    observe: ((time: Instant, rank: number, sequence: number, size: number) => void) | undefined,
  ): void;
}

export interface LogicalProcess {
  /** Runs when the run begins, at time 0. */
  start?(context: ProcessContext): void;
  handle(event: ProcessEvent, context: ProcessContext): void;
  /** Events that a process keeps itself, because it knows more of their order than a queue does. */
  readonly own?: OwnEvents;
  /** Absent: it may send at once. */
  readonly outlook?: Outlook;
  /** What it waits for, in place of `outlook`, which is the least of these. */
  readonly waits?: readonly WaitOutlook[];
  /** Programs that still wait, for the report when nothing more can happen. */
  waiting?(): readonly WaitReport[];
}

/** Who waits for what, since when, and whom it lacks. */
export interface WaitReport {
  readonly who: string;
  readonly what: string;
  readonly since: Instant;
  readonly missing: readonly string[];
}
