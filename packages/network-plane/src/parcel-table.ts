// The parcels that are on their way on one host: sixteen numbers each, side by side, so that a hop touches two cache lines
// and makes no object. Fabrics hand a parcel on by its slot; whoever has the slot owns it, and its target frees it. For
// another host, rows are copied as they are, headers once for all parcels of a shipment.

import { type Instant, Payload } from "@windtunnel/base";
import type { Cargo } from "@windtunnel/virtual-time";
import type { Shipment } from "./parcels.ts";

/** Numbers of a parcel; instants and durations in picoseconds. */
export const STRIDE = 16;
export const SOURCE = 0;
export const TARGET = 1;
export const EXCHANGE = 2;
export const SENT_AT = 3;
export const BYTES = 4;
export const EXIT_PORT = 5;
/** Where its next link stands in its fabric's list of paths. */
export const NEXT_LINK = 6;
export const TAIL_AT = 7;
export const QUEUED = 8;
export const PORT_QUEUED = 9;
export const TRANSFER = 10;
/** Links of any fabric process: `linkKey`. */
export const SLOWEST = 11;
export const LIMITING = 12;
/** The longest wait at one link beyond the sender's port so far. */
export const LIMITING_QUEUE = 13;
/** When its tail was at its first relay; -1: it has met none. */
export const RELAYED_AT = 14;
/** When its head reaches its next link; at the end of its way, when it arrives. */
export const HEAD_AT = 15;

const FIRST_CAPACITY = 64;
const LINK_LIMIT = 2 ** 21;

/** A link of a fabric process as one number. */
export function linkKey(process: number, link: number): number {
  return process * LINK_LIMIT + link;
}

/** A parcel at the end of its way: what happened to it. */
export interface ArrivedParcel {
  readonly source: number;
  readonly sentAt: Instant;
  readonly arrivedAt: Instant;
  readonly bytes: number;
  /** Picoseconds spent queueing, on all links. */
  readonly queued: number;
  /** The part of `queued` at the sender's own port, behind what it sent before: its wire's limit, not contention. */
  readonly portQueued: number;
  /** From its tail at the first relay to its arrival; 0 where it crossed one fabric only. */
  readonly relayed: number;
  /** Picoseconds that its bytes take on its slowest link, and which one that is. */
  readonly transfer: number;
  readonly slowestProcess: number;
  readonly slowestLink: number;
  /** Where it queued longest beyond the sender's port, or its slowest link if it never did. */
  readonly limitingProcess: number;
  readonly limitingLink: number;
}

export type Writable<Record> = { -readonly [Key in keyof Record]: Record[Key] };

/** Turns what parcels carry into plain data and byte arrays, and back; all of a round at once. */
export interface BodyCodec {
  pack(bodies: readonly unknown[]): unknown;
  unpack(packed: unknown): readonly unknown[];
}

/** Of bodies that are plain already. */
export const plainBodies: BodyCodec = {
  pack: (bodies) => bodies,
  unpack: (packed) => packed as readonly unknown[],
};

/** A parcel before it is sent. */
export interface ParcelDraft {
  readonly target: number;
  readonly entryPort: number;
  readonly exitPort: number;
  readonly bytes: number;
  readonly body: unknown;
}

/** A shipment of parcels that were made one by one. */
export function shipmentOf(
  common: Pick<Shipment, "exchange" | "source" | "sentAt" | "header">,
  parcels: readonly ParcelDraft[],
): Shipment {
  return {
    ...common,
    targets: Int32Array.from(parcels, ({ target }) => target),
    entryPorts: Int32Array.from(parcels, ({ entryPort }) => entryPort),
    exitPorts: Int32Array.from(parcels, ({ exitPort }) => exitPort),
    bytes: Float64Array.from(parcels, ({ bytes }) => bytes),
    bodies: parcels.map(({ body }) => body),
  };
}

interface PackedParcels {
  readonly rows: Payload;
  /** Each header once, and which of them each parcel has. */
  readonly headers: readonly unknown[];
  readonly headerOf: Payload;
  /** Shipments that cross, without their bodies; theirs stand behind those of the parcels. */
  readonly shipments: readonly (Omit<Shipment, "bodies"> & { readonly bodyCount: number })[];
  /** Bodies of other events, and for each event whether it is a shipment. */
  readonly others: readonly unknown[];
  readonly isShipment: readonly boolean[];
  readonly bodies: unknown;
}

export class ParcelTable implements Cargo {
  rows: Float64Array = new Float64Array(FIRST_CAPACITY * STRIDE);
  /** Of the fabric that a parcel is in: the parcel that leaves the same link next, and the number of its hop. */
  next: Int32Array = new Int32Array(FIRST_CAPACITY);
  sequence: Float64Array = new Float64Array(FIRST_CAPACITY);
  readonly #headers: unknown[] = [];
  readonly #bodies: unknown[] = [];
  readonly #codec: BodyCodec;
  #free: Int32Array = Int32Array.from({ length: FIRST_CAPACITY }, (_, slot) => slot);
  #count = 0;

  constructor(codec: BodyCodec = plainBodies) {
    this.#codec = codec;
  }

  /** Parcels that are on their way. */
  get count(): number {
    return this.#count;
  }

  /** A parcel of a shipment that enters a fabric now; nothing has happened to it yet. Its way is the fabric's to set. */
  put(shipment: Shipment, index: number, now: Instant): number {
    const slot = this.#take(shipment.header, shipment.bodies[index]);
    const at = slot * STRIDE;
    const { rows } = this;
    rows[at + SOURCE] = shipment.source;
    rows[at + TARGET] = shipment.targets[index]!;
    rows[at + EXCHANGE] = shipment.exchange;
    rows[at + SENT_AT] = shipment.sentAt;
    rows[at + BYTES] = shipment.bytes[index]!;
    rows[at + TAIL_AT] = now;
    rows[at + QUEUED] = 0;
    rows[at + PORT_QUEUED] = 0;
    rows[at + TRANSFER] = 0;
    rows[at + SLOWEST] = 0;
    rows[at + LIMITING] = 0;
    rows[at + LIMITING_QUEUE] = 0;
    rows[at + RELAYED_AT] = -1;
    return slot;
  }

  #take(header: unknown, body: unknown): number {
    if (this.#count === this.#free.length) this.#grow();
    const slot = this.#free[this.#count++]!;
    this.#headers[slot] = header;
    this.#bodies[slot] = body;
    return slot;
  }

  free(slot: number): void {
    this.#headers[slot] = undefined;
    this.#bodies[slot] = undefined;
    this.#free[--this.#count] = slot;
  }

  arrive(slot: number, at: Instant): void {
    this.rows[slot * STRIDE + HEAD_AT] = at;
  }

  bodyOf(slot: number): unknown {
    return this.#bodies[slot];
  }

  headerOf(slot: number): unknown {
    return this.#headers[slot];
  }

  arrivedAt(slot: number): Instant {
    return this.rows[slot * STRIDE + HEAD_AT]! as Instant;
  }

  /** What happened to a parcel that has arrived. */
  read(slot: number, into: Writable<ArrivedParcel>): void {
    const at = slot * STRIDE;
    const { rows } = this;
    const arrivedAt = rows[at + HEAD_AT]! as Instant;
    const [relayedAt, slowest, limiting] = [
      rows[at + RELAYED_AT]!,
      rows[at + SLOWEST]!,
      rows[at + LIMITING]!,
    ];
    into.source = rows[at + SOURCE]!;
    into.sentAt = rows[at + SENT_AT]! as Instant;
    into.arrivedAt = arrivedAt;
    into.bytes = rows[at + BYTES]!;
    into.queued = rows[at + QUEUED]!;
    into.portQueued = rows[at + PORT_QUEUED]!;
    into.relayed = relayedAt < 0 ? 0 : arrivedAt - relayedAt;
    into.transfer = rows[at + TRANSFER]!;
    into.slowestProcess = Math.floor(slowest / LINK_LIMIT);
    into.slowestLink = slowest % LINK_LIMIT;
    into.limitingProcess = Math.floor(limiting / LINK_LIMIT);
    into.limitingLink = limiting % LINK_LIMIT;
  }

  pack(slots: readonly number[], eventBodies: readonly unknown[]): PackedParcels {
    const rows = new Float64Array(slots.length * STRIDE);
    const headerOf = new Int32Array(slots.length);
    const headers = new Map<unknown, number>();
    const bodies: unknown[] = [];
    for (const [index, slot] of slots.entries()) {
      const at = slot * STRIDE;
      rows.set(this.rows.subarray(at, at + STRIDE), index * STRIDE);
      const header = this.#headers[slot];
      let known = headers.get(header);
      if (known === undefined) headers.set(header, (known = headers.size));
      headerOf[index] = known;
      bodies.push(this.#bodies[slot]);
      this.free(slot);
    }
    const shipments: PackedParcels["shipments"][number][] = [];
    const others: unknown[] = [];
    const isShipment = eventBodies.map(isShipmentBody);
    for (const [index, body] of eventBodies.entries()) {
      if (!isShipment[index]!) {
        others.push(body);
        continue;
      }
      const { bodies: ofShipment, ...shipment } = body as Shipment;
      shipments.push({ ...shipment, bodyCount: ofShipment.length });
      for (const each of ofShipment) bodies.push(each);
    }
    return {
      rows: new Payload(new Uint8Array(rows.buffer)),
      headers: [...headers.keys()],
      headerOf: new Payload(new Uint8Array(headerOf.buffer)),
      shipments,
      others,
      isShipment,
      bodies: this.#codec.pack(bodies),
    };
  }

  unpack(packed: unknown): { slots: number[]; bodies: unknown[] } {
    const { rows, headers, headerOf, shipments, others, isShipment, bodies } = packed as PackedParcels;
    const numbers = new Float64Array(rows.bytes.buffer, rows.bytes.byteOffset, rows.bytes.byteLength / 8);
    const headerIndex = new Int32Array(
      headerOf.bytes.buffer,
      headerOf.bytes.byteOffset,
      headerOf.bytes.byteLength / 4,
    );
    const carried = this.#codec.unpack(bodies);
    const slots: number[] = [];
    for (let index = 0; index < headerIndex.length; index++) {
      const slot = this.#take(headers[headerIndex[index]!], carried[index]);
      this.rows.set(numbers.subarray(index * STRIDE, (index + 1) * STRIDE), slot * STRIDE);
      slots.push(slot);
    }
    let nextBody = headerIndex.length;
    const whole = shipments.map(({ bodyCount, ...shipment }): Shipment => {
      nextBody += bodyCount;
      return { ...shipment, bodies: carried.slice(nextBody - bodyCount, nextBody) };
    });
    let [nextShipment, nextOther] = [0, 0];
    return {
      slots,
      bodies: isShipment.map((is) => (is ? whole[nextShipment++] : others[nextOther++])),
    };
  }

  #grow(): void {
    const before = this.#free.length;
    const rows = new Float64Array(before * 2 * STRIDE);
    rows.set(this.rows);
    this.rows = rows;
    const next = new Int32Array(before * 2);
    next.set(this.next);
    this.next = next;
    const sequence = new Float64Array(before * 2);
    sequence.set(this.sequence);
    this.sequence = sequence;
    const free = new Int32Array(before * 2);
    free.set(this.#free);
    for (let slot = before; slot < free.length; slot++) free[slot] = slot;
    this.#free = free;
  }
}

function isShipmentBody(body: unknown): boolean {
  return typeof body === "object" && body !== null && "targets" in body && "entryPorts" in body;
}
