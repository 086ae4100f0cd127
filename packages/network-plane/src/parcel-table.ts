// The parcels that are on their way on one host: 64 bytes each, side by side, so that a hop touches one cache line and
// makes no object; where a run is recorded, 64 more that say what happened to them. Fabrics hand a parcel on by its slot;
// whoever has the slot owns it, and its target frees it. For another host, rows are copied as they are.

import { floatsOf, type Instant, integersOf, type Payload, payloadOf } from "@windtunnel/base";
import type { Cargo } from "@windtunnel/virtual-time";
import type { Recorder } from "@windtunnel/trace";
import { ArrivalRecords, type EncodeHead } from "./arrival-records.ts";
import { FabricKernel } from "./fabric-kernel.ts";
import { Letters } from "./letters.ts";
import { LineMemory } from "./line-memory.ts";
import { type PackedShipments, packShipments, unpackShipments } from "./packed-shipments.ts";
import { SharedBody, type Shipment } from "./parcels.ts";
import { Slots, slotStreams } from "./slots.ts";

/** The record `Row` of kernels/records.ts in numbers of 8 and of 4 bytes; instants in picoseconds. */
export const STRIDE = 8;
export const WORDS = 16;
/** In words. */
export const TARGET = 0;
export const EXIT_PORT = 1;
/** Where its next link stands in its fabric's list of paths; between two fabrics, the port where it enters the next one. */
export const NEXT_LINK = 2;
const LETTER = 4;
const PLACE = 5;
/** In numbers of 8 bytes. */
export const EXCHANGE = 3;
export const BYTES = 4;
export const TAIL_AT = 5;
/** When its head reaches its next link, or the next fabric; at the end of its way, when it arrives. */
export const HEAD_AT = 6;
/** Of the fabric that it is in: its place among those of one instant. */
export const ORDER = 7;

/**
 * What happened to a parcel, so many numbers behind its row: the record `History`. Instants and durations in picoseconds;
 * links by process and number.
 */
const HISTORY = 64;
const SENT_AT = 0;
const QUEUED = 1;
const PORT_QUEUED = 2;
const TRANSFER = 3;
const SLOWEST = 4;
const LIMITING = 5;
/** When its tail was at its first relay; -1: it has met none. */
const RELAYED_AT = 7;

/** A link of a fabric process is one number, process times this and link. */
const LINK_LIMIT = 2 ** 21;

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
  /** [letters · 2]: the source of each, and whether its parcels share a body; and their headers. */
  readonly letters: Payload;
  readonly headers: readonly unknown[];
  /** For each parcel, which one is its own. */
  readonly letterOf: Payload;
  readonly events: PackedShipments;
  /** Of the parcels, then of the shipments. */
  readonly bodies: unknown;
}

export interface ParcelTableOptions {
  /** For what crosses to other hosts; plain bodies unless given. */
  readonly codec?: BodyCodec;
  /** Whether it is kept what happens to parcels. */
  readonly keepsHistory?: boolean;
  /** Where histories end as records of messages: how those of a sending begin. Absent: targets read them parcel by parcel. */
  readonly encodeHead?: EncodeHead;
}

/** What is left of a parcel whose record is written: this less its place. -1 is no slot. */
const RECORDED = -2;

export class ParcelTable implements Cargo {
  readonly memory: LineMemory = new LineMemory();
  readonly kernel: FabricKernel;
  /** Whether it is kept what happens to parcels. */
  readonly keepsHistory: boolean;
  readonly #codec: BodyCodec;
  readonly slots: Slots;
  readonly #letters = new Letters();
  /** For parcels of other hosts, and for those that enter no fabric. */
  readonly #arrivals = slotStreams(this.memory, 1);
  /** What `put` gives. */
  #placed = new Int32Array(0);
  #count = 0;
  readonly #records: ArrivalRecords | undefined;

  constructor({ codec = plainBodies, keepsHistory = false, encodeHead }: ParcelTableOptions = {}) {
    this.#codec = codec;
    this.keepsHistory = keepsHistory;
    this.slots = new Slots(this.memory, keepsHistory);
    this.kernel = new FabricKernel(this.memory, this.slots);
    this.#records = encodeHead && new ArrivalRecords(this.memory, this.kernel.functions, encodeHead);
  }

  /** Parcels that are on their way. */
  get count(): number {
    return this.#count;
  }

  /** For whoever puts a shipment's parcels into slots itself: what they carry, as the number of their letter. */
  open(shipment: Shipment): number {
    const count = shipment.targets.length;
    this.#count += count;
    return this.#openLetter(count, shipment);
  }

  #openLetter(count: number, shipment: Pick<Shipment, "exchange" | "source" | "bodies" | "header">): number {
    const letter = this.#letters.open(count, shipment);
    if (shipment.bodies instanceof SharedBody) this.#records?.begin(letter, shipment.header, shipment.source);
    return letter;
  }

  /** Slots for the parcels of a shipment that enters no fabric, as in networks without links; valid until the next call. */
  put(shipment: Shipment, now: Instant): Int32Array {
    const { exchange, sentAt, targets, bytes, places } = shipment;
    const count = targets.length;
    if (count > this.#placed.length) this.#placed = new Int32Array(2 * count);
    const placed = this.#placed;
    const letter = this.open(shipment);
    for (let index = 0; index < count; index++) placed[index] = this.#takeSlot();
    const { numbers, words } = this.memory;
    for (let index = 0; index < count; index++) {
      const slot = placed[index]!;
      const word = slot * WORDS;
      words[word + TARGET] = targets[index]!;
      words[word + LETTER] = letter;
      words[word + PLACE] = index;
      const at = slot * STRIDE;
      numbers[at + EXCHANGE] = exchange;
      numbers[at + BYTES] = bytes[places === undefined ? index : places[index]!]!;
      numbers[at + TAIL_AT] = now;
      if (!this.keepsHistory) continue;
      const past = at + HISTORY;
      numbers.fill(0, past, past + STRIDE);
      numbers[past + SENT_AT] = sentAt;
      numbers[past + RELAYED_AT] = -1;
    }
    return placed;
  }

  /** A parcel has come to a rank of this host, and the kernel has freed its slot, since nothing of it is needed any more. */
  settled(letter: number): void {
    this.#count--;
    this.#letters.release(letter);
  }

  /**
   * The same where histories are kept: writes its record and frees its slot, if all targets of its sender get the same. Gives what
   * is left of it: its slot, or what `recordOf` takes.
   */
  settle(slot: number, target: number): number {
    const letter = this.#letterOf(slot);
    if (this.#records === undefined || !this.#letters.isShared(letter)) return slot;
    const exchange = this.memory.numbers[slot * STRIDE + EXCHANGE]!;
    const place = this.#records.file(slot, letter, target, exchange);
    this.free(slot);
    return RECORDED - place;
  }

  /** Of what `settle` gave: the place of its record; undefined where it has none. */
  recordOf(settled: number): number | undefined {
    return settled <= RECORDED ? RECORDED - settled : undefined;
  }

  /** Gives records of an exchange to its target's recorder, in the order of these places. */
  writeRecords(recorder: Recorder, target: number, exchange: number, places: Int32Array): void {
    this.#records!.write(recorder, target, exchange, places);
  }

  /** A target has opened an exchange: its records are written. */
  closeRecords(target: number, exchange: number): void {
    this.#records?.close(target, exchange);
  }

  free(slot: number): void {
    this.#count--;
    this.#letters.release(this.#letterOf(slot));
    this.kernel.functions.releaseSlot(this.slots.address, slot);
  }

  arrive(slot: number, at: Instant): void {
    this.memory.numbers[slot * STRIDE + HEAD_AT] = at;
  }

  arrivedAt(slot: number): Instant {
    return this.memory.numbers[slot * STRIDE + HEAD_AT]! as Instant;
  }

  bodyOf(slot: number): unknown {
    return this.#letters.bodyOf(this.#letterOf(slot), this.memory.words[slot * WORDS + PLACE]!);
  }

  /**
   * By source, what all parcels of an exchange carry, if each sender has one body for all its targets; for a target that has
   * got so many of them.
   */
  takeSharedBodies(exchange: number, count: number): readonly unknown[] | undefined {
    return this.#letters.takeShared(exchange, count);
  }

  headerOf(slot: number): unknown {
    return this.#letters.headerOf(this.#letterOf(slot));
  }

  sourceOf(slot: number): number {
    return this.#letters.sourceOf(this.#letterOf(slot));
  }

  /** Of a parcel whose letter is known. */
  sourceOfLetter(letter: number): number {
    return this.#letters.sourceOf(letter);
  }

  #takeSlot(): number {
    return this.kernel.functions.takeSlot(this.slots.address, this.#arrivals);
  }

  #letterOf(slot: number): number {
    return this.memory.words[slot * WORDS + LETTER]!;
  }

  /** What happened to a parcel that has arrived; where no history is kept, what its numbers say. */
  read(slot: number, into: Writable<ArrivedParcel>): void {
    const { numbers } = this.memory;
    const arrivedAt = this.arrivedAt(slot);
    into.source = this.sourceOf(slot);
    into.arrivedAt = arrivedAt;
    into.bytes = numbers[slot * STRIDE + BYTES]!;
    if (!this.keepsHistory) return;
    const past = slot * STRIDE + HISTORY;
    const [relayedAt, slowest] = [numbers[past + RELAYED_AT]!, numbers[past + SLOWEST]!];
    const limiting = numbers[past + LIMITING]!;
    into.sentAt = numbers[past + SENT_AT]! as Instant;
    into.queued = numbers[past + QUEUED]!;
    into.portQueued = numbers[past + PORT_QUEUED]!;
    into.relayed = relayedAt < 0 ? 0 : arrivedAt - relayedAt;
    into.transfer = numbers[past + TRANSFER]!;
    into.slowestProcess = Math.floor(slowest / LINK_LIMIT);
    into.slowestLink = slowest % LINK_LIMIT;
    into.limitingProcess = Math.floor(limiting / LINK_LIMIT);
    into.limitingLink = limiting % LINK_LIMIT;
  }

  pack(slots: readonly number[], eventBodies: readonly unknown[]): PackedParcels {
    const rows = new Float64Array(slots.length * STRIDE);
    const history = this.keepsHistory ? new Float64Array(slots.length * STRIDE) : undefined;
    const letterOf = new Int32Array(slots.length);
    const indexOf = new Map<number, number>();
    const letters: number[] = [];
    const headers: unknown[] = [];
    const bodies: unknown[] = [];
    for (let index = 0; index < slots.length; index++) {
      const slot = slots[index]!;
      const { numbers } = this.memory;
      copyLine(numbers, slot * STRIDE, rows, index * STRIDE);
      if (history !== undefined) copyLine(numbers, slot * STRIDE + HISTORY, history, index * STRIDE);
      const letter = this.#letterOf(slot);
      const isShared = this.#letters.isShared(letter);
      let known = indexOf.get(letter);
      if (known === undefined) {
        indexOf.set(letter, (known = indexOf.size));
        letters.push(this.sourceOf(slot), isShared ? 1 : 0);
        headers.push(this.headerOf(slot));
      }
      letterOf[index] = known;
      bodies.push(this.bodyOf(slot));
      if (isShared) this.#letters.takeShared(numbers[slot * STRIDE + EXCHANGE]!, 1);
      this.free(slot);
    }
    const events = packShipments(eventBodies, bodies);
    return {
      rows: payloadOf(rows),
      history: history === undefined ? undefined : payloadOf(history),
      letters: payloadOf(Int32Array.from(letters)),
      headers,
      letterOf: payloadOf(letterOf),
      events,
      bodies: this.#codec.pack(bodies),
    };
  }

  unpack(packed: unknown): { slots: number[]; bodies: unknown[] } {
    const { rows, history, letters, headers, letterOf, events, bodies } = packed as PackedParcels;
    const carried = this.#codec.unpack(bodies);
    const [letterNumbers, indices] = [integersOf(letters), integersOf(letterOf)];
    const count = indices.length;
    const slots: number[] = [];
    const [lines, past] = [floatsOf(rows), history === undefined ? undefined : floatsOf(history)];
    const countOf = new Int32Array(headers.length);
    for (const index of indices) countOf[index]!++;
    const opened = new Int32Array(headers.length).fill(-1);
    for (let index = 0; index < count; index++) {
      const slot = this.#takeSlot();
      const { numbers, words } = this.memory;
      copyLine(lines, index * STRIDE, numbers, slot * STRIDE);
      if (past !== undefined && this.keepsHistory)
        copyLine(past, index * STRIDE, numbers, slot * STRIDE + HISTORY);
      const of = indices[index]!;
      if (opened[of] === -1) {
        const [source, isShared] = [letterNumbers[2 * of]!, letterNumbers[2 * of + 1] === 1];
        const ofLetter = isShared ? new SharedBody(carried[index]) : carried;
        const exchange = numbers[slot * STRIDE + EXCHANGE]!;
        opened[of] = this.#openLetter(countOf[of]!, {
          exchange,
          source,
          header: headers[of],
          bodies: ofLetter,
        });
      }
      words[slot * WORDS + LETTER] = opened[of]!;
      words[slot * WORDS + PLACE] = letterNumbers[2 * of + 1] === 1 ? -1 : index;
      slots.push(slot);
    }
    this.#count += count;
    return { slots, bodies: unpackShipments(events, carried.slice(count)) };
  }
}

/** Numbers of a row, or of a history. */
function copyLine(from: Float64Array, fromAt: number, to: Float64Array, toAt: number): void {
  for (let field = 0; field < STRIDE; field++) to[toAt + field] = from[fromAt + field]!;
}
