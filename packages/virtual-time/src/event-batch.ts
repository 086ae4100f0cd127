// Events for another host: keys in one packed array, slots and bodies beside it, packed by the cargo once a round.

import { floatsOf, type Payload, payloadOf } from "@windtunnel/base";
import type { Cargo } from "./cargo.ts";

/** Numbers of an event: time, rank of its key, sequence, target, size, gather, what it carries, label or lane. */
const STRIDE = 8;
const FIRST_CAPACITY = 64;
const NO_GATHER = -1;
const CARRIES = { nothing: 0, slot: 1, body: 2 } as const;

/** A batch as it crosses: plain data. */
export interface PackedEvents {
  readonly keys: Payload;
  readonly cargo: unknown;
  /** [announcements · 4]: target, gather, parts on their way, the instant before which the last does not arrive. */
  readonly announcements: Float64Array;
}

/** An event of a batch; `gather` is undefined where it is no part of one. The object is reused for the next. */
export interface BatchedEvent {
  time: number;
  rank: number;
  sequence: number;
  target: number;
  size: number;
  gather: number | undefined;
  /** Of a part; of a slot that is handed over, its lane. */
  label: number;
  /** -1: none. */
  slot: number;
  body: unknown;
}

export class EventBatch {
  #keys = new Float64Array(FIRST_CAPACITY * STRIDE);
  #count = 0;
  #slots: number[] = [];
  #bodies: unknown[] = [];
  /** By gather; and the one of the last announcement, since those of a gather come one after the other. */
  readonly #announced = new Map<number, Announced>();
  #lastGather = -1;
  #lastAnnounced: Announced | undefined;

  addEvent(time: number, rank: number, sequence: number, target: number, size: number, body: unknown): void {
    const carries = body === undefined ? CARRIES.nothing : CARRIES.body;
    this.#add(time, rank, sequence, target, size, NO_GATHER, carries, 0);
    if (carries === CARRIES.body) this.#bodies.push(body);
  }

  addHanded(
    time: number,
    rank: number,
    sequence: number,
    target: number,
    size: number,
    slot: number,
    lane: number,
  ): void {
    this.#add(time, rank, sequence, target, size, NO_GATHER, CARRIES.slot, lane);
    this.#slots.push(slot);
  }

  addPart(
    time: number,
    rank: number,
    sequence: number,
    target: number,
    size: number,
    gather: number,
    slot: number,
    label: number,
  ): void {
    this.#add(time, rank, sequence, target, size, gather, CARRIES.slot, label);
    this.#slots.push(slot);
  }

  announce(target: number, gather: number, count: number, notBefore: number): void {
    if (gather !== this.#lastGather) {
      this.#lastAnnounced = this.#announced.get(gather);
      if (this.#lastAnnounced === undefined)
        this.#announced.set(gather, (this.#lastAnnounced = new Announced()));
      this.#lastGather = gather;
    }
    this.#lastAnnounced!.add(target, count, notBefore);
  }

  /** Everything so far, for the other host; the batch is empty afterwards. */
  pack(cargo: Cargo): PackedEvents | undefined {
    if (this.#count === 0 && this.#announced.size === 0) return undefined;
    const keys = payloadOf(this.#keys.slice(0, this.#count * STRIDE));
    const announcements = this.#takeAnnouncements();
    const packed = { keys, cargo: cargo.pack(this.#slots, this.#bodies), announcements };
    this.#count = 0;
    this.#slots = [];
    this.#bodies = [];
    return packed;
  }

  #takeAnnouncements(): Float64Array {
    const numbers: number[] = [];
    for (const [gather, announced] of this.#announced) announced.list(gather, numbers);
    this.#announced.clear();
    this.#lastGather = -1;
    return Float64Array.from(numbers);
  }

  #add(
    time: number,
    rank: number,
    sequence: number,
    target: number,
    size: number,
    gather: number,
    carries: number,
    label: number,
  ): void {
    const at = this.#count++ * STRIDE;
    if (at === this.#keys.length) {
      const keys = new Float64Array(at * 2);
      keys.set(this.#keys);
      this.#keys = keys;
    }
    const keys = this.#keys;
    keys[at] = time;
    keys[at + 1] = rank;
    keys[at + 2] = sequence;
    keys[at + 3] = target;
    keys[at + 4] = size;
    keys[at + 5] = gather;
    keys[at + 6] = carries;
    keys[at + 7] = label;
  }
}

/** What is announced of a gather, by target. */
class Announced {
  readonly #targets: number[] = [];
  readonly #counts: number[] = [];
  readonly #notBefore: number[] = [];
  /** Where a target stands in these. */
  readonly #places: (number | undefined)[] = [];

  add(target: number, count: number, notBefore: number): void {
    const place = this.#places[target];
    if (place === undefined) {
      this.#places[target] = this.#targets.length;
      this.#targets.push(target);
      this.#counts.push(count);
      this.#notBefore.push(notBefore);
      return;
    }
    this.#counts[place]! += count;
    if (notBefore > this.#notBefore[place]!) this.#notBefore[place] = notBefore;
  }

  list(gather: number, into: number[]): void {
    for (const [place, target] of this.#targets.entries())
      into.push(target, gather, this.#counts[place]!, this.#notBefore[place]!);
  }
}

/** Gives every event of a batch to `take`, in the order in which they were added. */
export function unpackEvents(
  { keys: packedKeys, cargo: packed }: PackedEvents,
  cargo: Cargo,
  take: (event: Readonly<BatchedEvent>) => void,
): void {
  const keys = floatsOf(packedKeys);
  const { slots, bodies } = cargo.unpack(packed);
  const event: BatchedEvent = {
    time: 0,
    rank: 0,
    sequence: 0,
    target: 0,
    size: 0,
    gather: undefined,
    label: 0,
    slot: -1,
    body: undefined,
  };
  let [slotsTaken, bodiesTaken] = [0, 0];
  for (let at = 0; at < keys.length; at += STRIDE) {
    const carries = keys[at + 6]!;
    const gather = keys[at + 5]!;
    event.time = keys[at]!;
    event.rank = keys[at + 1]!;
    event.sequence = keys[at + 2]!;
    event.target = keys[at + 3]!;
    event.size = keys[at + 4]!;
    event.gather = gather === NO_GATHER ? undefined : gather;
    event.label = keys[at + 7]!;
    event.slot = carries === CARRIES.slot ? slots[slotsTaken++]! : -1;
    event.body = carries === CARRIES.body ? bodies[bodiesTaken++] : undefined;
    take(event);
  }
}
