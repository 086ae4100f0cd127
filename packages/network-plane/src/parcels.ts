// What travels: a shipment is everything that one sender hands to one fabric process in a phase, as one record;
// the fabric expands it into parcels, one for each target, and delivers each by itself.

import type { Instant } from "@windtunnel/base";

/** Event kinds of the fabric; part of the event order. */
export const FABRIC_EVENTS = { hop: 10, shipment: 11, handover: 12, delivery: 13 } as const;

export interface Parcel {
  /** Rank that it is for. */
  readonly target: number;
  /** Port of this fabric where it enters and leaves. */
  readonly entryPort: number;
  readonly exitPort: number;
  readonly bytes: number;
  /** Opaque to the fabric; carried to the target. */
  readonly body: unknown;
}

export interface Shipment {
  /** Numbers the exchanges of a run; the same for all ranks. */
  readonly exchange: number;
  readonly source: number;
  readonly sentAt: Instant;
  /** Opaque, the same for all parcels. */
  readonly header: unknown;
  readonly parcels: readonly Parcel[];
}

/** A parcel at the end of its way through one fabric process, with what happened to it so far. */
export interface Delivery {
  readonly exchange: number;
  readonly source: number;
  readonly target: number;
  readonly sentAt: Instant;
  readonly header: unknown;
  readonly bytes: number;
  readonly body: unknown;
  /** Picoseconds spent queueing, on all links so far. */
  readonly queued: number;
  /** The part of `queued` at the sender's own port, behind what it sent before: its wire's limit, not contention. */
  readonly portQueued: number;
  /** Picoseconds that its bytes take on its slowest link, and which one that is. */
  readonly transfer: number;
  readonly slowestProcess: number;
  readonly slowestLink: number;
  /** Where it queued longest beyond the sender's port, or its slowest link if it never did. */
  readonly limitingProcess: number;
  readonly limitingLink: number;
  /** The longest wait at one link beyond the sender's port so far, in picoseconds. */
  readonly limitingQueue: number;
  /** When its tail was at the first relay; undefined where it crossed one fabric only. */
  readonly relayedAt?: Instant;
}
