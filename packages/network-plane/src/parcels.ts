// What travels: a shipment is everything that one sender hands to one fabric process in a phase, as one record; the fabric
// expands it into parcels, one for each target, and delivers each by itself, as a part of the target's gather.

import type { Instant } from "@windtunnel/base";

/** Event kinds of the fabric; part of the event order: those that a fabric keeps itself come first. */
export const FABRIC_EVENTS = { hop: 10, handover: 11, shipment: 12, delivery: 13 } as const;

/** Columns have an entry for each parcel. */
export interface Shipment {
  /**
   * Numbers the exchanges of a run; the same for all ranks. Its parcels are parts of their targets' gather of that number,
   * labelled by their source.
   */
  readonly exchange: number;
  readonly source: number;
  readonly sentAt: Instant;
  /** Opaque, the same for all parcels. */
  readonly header: unknown;
  /** Ranks that they are for. */
  readonly targets: Int32Array;
  /** Ports of this fabric where they enter and leave. */
  readonly entryPorts: Int32Array;
  readonly exitPorts: Int32Array;
  readonly bytes: ArrayLike<number>;
  /** Where each parcel's bytes stand in `bytes`, where a sender cuts one list into several shipments; else in order. */
  readonly places?: Int32Array;
  /** Opaque to the fabric; carried to the targets. */
  readonly bodies: Bodies;
}

/** One body for each parcel, or one for all of them. */
export type Bodies = readonly unknown[] | SharedBody;

export class SharedBody {
  readonly body: unknown;

  constructor(body: unknown) {
    this.body = body;
  }
}
