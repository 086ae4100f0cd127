// What a logical process is: state of its own, which only its own events touch.
// It learns the time and sends through the context that each event brings; it knows neither host nor peer.

import type { Duration, Instant } from "@windtunnel/base";

/** An event as its target sees it. The object is reused for the next event: take what you need, keep nothing of it. */
export interface ProcessEvent {
  time: Instant;
  kind: number;
  source: number;
  sequence: number;
  target: number;
  /** A number for events without a body, such as a slot of the target's own table. */
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
}

/** What a process promises not to do before, while it waits: it sharpens other hosts' windows. */
export interface Outlook {
  /** Nothing is sent before this instant, whatever arrives. */
  readonly notBefore: Instant;
  /** Nothing is sent sooner than this after an event arrives. */
  readonly quiet: Duration;
}

export interface LogicalProcess {
  /** Runs when the run begins, at time 0. */
  start?(context: ProcessContext): void;
  handle(event: ProcessEvent, context: ProcessContext): void;
  /** Absent: it may send at once. */
  readonly outlook?: Outlook;
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
