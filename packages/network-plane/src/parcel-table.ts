// The parcels that are on their way on one host: eight numbers each, side by side, so that a hop touches one cache line and
// makes no object; where a run is recorded, eight more that say what happened to them. The parcels of a shipment lie side
// by side, as they leave their sender one behind the other. Fabrics hand a parcel on by its slot; whoever has the slot owns
// it, and its target frees it. For another host, rows are copied as they are.

import { type Instant, Payload } from "@windtunnel/base";
import type { Cargo } from "@windtunnel/virtual-time";
import { type PackedShipments, packShipments, unpackShipments } from "./packed-shipments.ts";
import { ParcelBlocks } from "./parcel-blocks.ts";
import type { Shipment } from "./parcels.ts";

/** Numbers of a parcel; instants in picoseconds. */
export const STRIDE = 8;
export const SOURCE = 0;
export const TARGET = 1;
export const EXCHANGE = 2;
export const BYTES = 3;
export const EXIT_PORT = 4;
/** Where its next link stands in its fabric's list of paths; between two fabrics, the port where it enters the next one. */
export const NEXT_LINK = 5;
export const TAIL_AT = 6;
/** When its head reaches its next link, or the next fabric; at the end of its way, when it arrives. */
export const HEAD_AT = 7;

/** What happened to a parcel; instants and durations in picoseconds. */
export const HISTORY_STRIDE = 8;
export const SENT_AT = 0;
export const QUEUED = 1;
export const PORT_QUEUED = 2;
export const TRANSFER = 3;
/** Links of any fabric process: `linkKey`. */
export const SLOWEST = 4;
export const LIMITING = 5;
/** The longest wait at one link beyond the sender's port so far. */
export const LIMITING_QUEUE = 6;
/** When its tail was at its first relay; -1: it has met none. */
export const RELAYED_AT = 7;

/** Parcels of another host come in blocks of so many: rounds bring any number, and blocks of every size would fill the memory. */
const ARRIVAL_BLOCK = 64;
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
const plainBodies: BodyCodec = {
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
  readonly history: Payload | undefined;
  /** Each header once, and which of them each parcel has. */
  readonly headers: readonly unknown[];
  readonly headerOf: Payload;
  readonly events: PackedShipments;
  /** Of the parcels, then of the shipments. */
  readonly bodies: unknown;
}

export interface ParcelTableOptions {
  /** For what crosses to other hosts; plain bodies unless given. */
  readonly codec?: BodyCodec;
  /** Whether it is kept what happens to parcels. */
  readonly keepsHistory?: boolean;
}

export class ParcelTable implements Cargo {
  rows: Float64Array = new Float64Array(0);
  /** Undefined where nobody asks what happened to parcels. */
  history: Float64Array | undefined;
  /** Of the fabric that a parcel is in: the parcel that comes next in its chain, and its place among those of one instant. */
  next: Int32Array = new Int32Array(0);
  order: Float64Array = new Float64Array(0);
  readonly #codec: BodyCodec;
  readonly #blocks: ParcelBlocks;
  #count = 0;

  constructor({ codec = plainBodies, keepsHistory = false }: ParcelTableOptions = {}) {
    this.#codec = codec;
    this.history = keepsHistory ? new Float64Array(0) : undefined;
    this.#blocks = new ParcelBlocks((capacity) => this.#grow(capacity));
  }

  /** Parcels that are on their way. */
  get count(): number {
    return this.#count;
  }

  /**
   * The parcels of a shipment that enters a fabric now, in consecutive slots; gives the first. Nothing has happened to
   * them yet. Their way is the fabric's to set.
   */
  put(shipment: Shipment, now: Instant): number {
    const { source, exchange, sentAt, targets, bytes, bodies } = shipment;
    const count = targets.length;
    const first = this.#blocks.take(count, bodies, shipment.header);
    this.#count += count;
    const { rows, history } = this;
    for (let index = 0; index < count; index++) {
      const at = (first + index) * STRIDE;
      rows[at + SOURCE] = source;
      rows[at + TARGET] = targets[index]!;
      rows[at + EXCHANGE] = exchange;
      rows[at + BYTES] = bytes[index]!;
      rows[at + TAIL_AT] = now;
    }
    if (history !== undefined) {
      history.fill(0, first * HISTORY_STRIDE, (first + count) * HISTORY_STRIDE);
      for (let index = 0; index < count; index++) {
        const at = (first + index) * HISTORY_STRIDE;
        history[at + SENT_AT] = sentAt;
        history[at + RELAYED_AT] = -1;
      }
    }
    return first;
  }

  free(slot: number): void {
    this.#count--;
    this.#blocks.release(slot);
  }

  arrive(slot: number, at: Instant): void {
    this.rows[slot * STRIDE + HEAD_AT] = at;
  }

  arrivedAt(slot: number): Instant {
    return this.rows[slot * STRIDE + HEAD_AT]! as Instant;
  }

  bodyOf(slot: number): unknown {
    return this.#blocks.bodyOf(slot);
  }

  headerOf(slot: number): unknown {
    return this.#blocks.headerOf(slot);
  }

  /** What happened to a parcel that has arrived; where no history is kept, what its numbers say. */
  read(slot: number, into: Writable<ArrivedParcel>): void {
    const { rows, history } = this;
    const at = slot * STRIDE;
    const arrivedAt = this.arrivedAt(slot);
    into.source = rows[at + SOURCE]!;
    into.arrivedAt = arrivedAt;
    into.bytes = rows[at + BYTES]!;
    if (history === undefined) return;
    const past = slot * HISTORY_STRIDE;
    const [relayedAt, slowest] = [history[past + RELAYED_AT]!, history[past + SLOWEST]!];
    const limiting = history[past + LIMITING]!;
    into.sentAt = history[past + SENT_AT]! as Instant;
    into.queued = history[past + QUEUED]!;
    into.portQueued = history[past + PORT_QUEUED]!;
    into.relayed = relayedAt < 0 ? 0 : arrivedAt - relayedAt;
    into.transfer = history[past + TRANSFER]!;
    into.slowestProcess = Math.floor(slowest / LINK_LIMIT);
    into.slowestLink = slowest % LINK_LIMIT;
    into.limitingProcess = Math.floor(limiting / LINK_LIMIT);
    into.limitingLink = limiting % LINK_LIMIT;
  }

  pack(slots: readonly number[], eventBodies: readonly unknown[]): PackedParcels {
    const rows = new Float64Array(slots.length * STRIDE);
    const history = this.history === undefined ? undefined : new Float64Array(slots.length * HISTORY_STRIDE);
    const headerOf = new Int32Array(slots.length);
    const headers = new Map<unknown, number>();
    const bodies: unknown[] = [];
    for (let index = 0; index < slots.length; index++) {
      const slot = slots[index]!;
      copyRow(this.rows, slot, rows, index);
      if (history !== undefined) copyRow(this.history!, slot, history, index);
      const header = this.headerOf(slot);
      let known = headers.get(header);
      if (known === undefined) headers.set(header, (known = headers.size));
      headerOf[index] = known;
      bodies.push(this.bodyOf(slot));
      this.free(slot);
    }
    const events = packShipments(eventBodies, bodies);
    return {
      rows: payloadOf(rows),
      history: history === undefined ? undefined : payloadOf(history),
      headers: [...headers.keys()],
      headerOf: payloadOf(headerOf),
      events,
      bodies: this.#codec.pack(bodies),
    };
  }

  unpack(packed: unknown): { slots: number[]; bodies: unknown[] } {
    const { rows, history, headers, headerOf, events, bodies } = packed as PackedParcels;
    const carried = this.#codec.unpack(bodies);
    const headerIndex = new Int32Array(
      headerOf.bytes.buffer,
      headerOf.bytes.byteOffset,
      headerOf.bytes.byteLength / 4,
    );
    const count = headerIndex.length;
    const slots: number[] = [];
    const [numbers, past] = [floatsOf(rows), history === undefined ? undefined : floatsOf(history)];
    for (let from = 0; from < count; from += ARRIVAL_BLOCK) {
      const to = Math.min(count, from + ARRIVAL_BLOCK);
      const own = Array.from(headerIndex.subarray(from, to), (index) => headers[index]);
      const first = this.#blocks.take(to - from, carried.slice(from, to), undefined, own);
      this.rows.set(numbers.subarray(from * STRIDE, to * STRIDE), first * STRIDE);
      if (past !== undefined)
        this.history?.set(past.subarray(from * HISTORY_STRIDE, to * HISTORY_STRIDE), first * HISTORY_STRIDE);
      for (let index = from; index < to; index++) slots.push(first + index - from);
    }
    this.#count += count;
    return { slots, bodies: unpackShipments(events, carried.slice(count)) };
  }

  #grow(capacity: number): void {
    this.rows = larger(this.rows, new Float64Array(capacity * STRIDE));
    if (this.history !== undefined)
      this.history = larger(this.history, new Float64Array(capacity * HISTORY_STRIDE));
    this.next = larger(this.next, new Int32Array(capacity));
    this.order = larger(this.order, new Float64Array(capacity));
  }
}

/** Rows and histories are equally long. */
function copyRow(from: Float64Array, slot: number, to: Float64Array, index: number): void {
  for (let field = 0; field < STRIDE; field++) to[index * STRIDE + field] = from[slot * STRIDE + field]!;
}

function larger<Numbers extends Int32Array | Float64Array>(from: Numbers, to: Numbers): Numbers {
  to.set(from);
  return to;
}

function payloadOf({ buffer }: Float64Array<ArrayBuffer> | Int32Array<ArrayBuffer>): Payload {
  return new Payload(new Uint8Array(buffer));
}

function floatsOf({ bytes }: Payload): Float64Array {
  return new Float64Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 8);
}
