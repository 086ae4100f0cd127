// A four-ary heap of events in packed arrays. Keys and numbers lie in typed arrays, bodies in one list;
// an event that carries no body (a hop of a message) makes no object.

import { invariant, NEVER } from "@windtunnel/base";
import { comesBefore, kindOfKey, rankOfKey, sourceOfKey } from "./event-order.ts";
import type { ProcessEvent } from "./logical-process.ts";

const ARITY = 4;
const FIRST_CAPACITY = 256;

export class EventQueue {
  #heap = new Int32Array(FIRST_CAPACITY); // slots, ordered
  #time = new Float64Array(FIRST_CAPACITY);
  #rank = new Float64Array(FIRST_CAPACITY);
  #sequence = new Float64Array(FIRST_CAPACITY);
  #target = new Int32Array(FIRST_CAPACITY);
  #argument = new Float64Array(FIRST_CAPACITY);
  #size = new Float64Array(FIRST_CAPACITY);
  readonly #body: unknown[] = [];
  #free = Int32Array.from({ length: FIRST_CAPACITY }, (_, slot) => slot);
  #count = 0;

  get count(): number {
    return this.#count;
  }

  get earliestTime(): number {
    return this.#count === 0 ? NEVER : this.#time[this.#heap[0]!]!;
  }

  /** Whether the head of this queue comes before the head of the other. Both must hold events. */
  headComesBefore(other: EventQueue): boolean {
    const mine = this.#heap[0]!;
    const theirs = other.#heap[0]!;
    return comesBefore(
      this.#time[mine]!,
      this.#rank[mine]!,
      this.#sequence[mine]!,
      other.#time[theirs]!,
      other.#rank[theirs]!,
      other.#sequence[theirs]!,
    );
  }

  push(
    time: number,
    kind: number,
    source: number,
    sequence: number,
    target: number,
    argument: number,
    size: number,
    body: unknown,
  ): void {
    if (this.#count === this.#heap.length) this.#grow();
    const slot = this.#free[this.#count]!;
    this.#time[slot] = time;
    this.#rank[slot] = rankOfKey(kind, source);
    this.#sequence[slot] = sequence;
    this.#target[slot] = target;
    this.#argument[slot] = argument;
    this.#size[slot] = size;
    this.#body[slot] = body;
    let hole = this.#count++;
    while (hole > 0) {
      const parent = (hole - 1) >> 2;
      const parentSlot = this.#heap[parent]!;
      if (!this.#precedes(slot, parentSlot)) break;
      this.#heap[hole] = parentSlot;
      hole = parent;
    }
    this.#heap[hole] = slot;
  }

  /** Takes the first event out, into `event`. */
  popInto(event: ProcessEvent): void {
    invariant(this.#count > 0, "an event is taken from an empty queue");
    const slot = this.#heap[0]!;
    const rank = this.#rank[slot]!;
    event.time = this.#time[slot]! as ProcessEvent["time"];
    event.kind = kindOfKey(rank);
    event.source = sourceOfKey(rank);
    event.sequence = this.#sequence[slot]!;
    event.target = this.#target[slot]!;
    event.argument = this.#argument[slot]!;
    event.size = this.#size[slot]!;
    event.body = this.#body[slot];
    this.#body[slot] = undefined;
    this.#count--;
    this.#free[this.#count] = slot;
    if (this.#count > 0) this.#sink(this.#heap[this.#count]!);
  }

  /** Calls `visit` with time and target of every pending event, in no particular order. */
  forEach(visit: (time: number, target: number) => void): void {
    for (let i = 0; i < this.#count; i++) {
      const slot = this.#heap[i]!;
      visit(this.#time[slot]!, this.#target[slot]!);
    }
  }

  #precedes(slot: number, other: number): boolean {
    return comesBefore(
      this.#time[slot]!,
      this.#rank[slot]!,
      this.#sequence[slot]!,
      this.#time[other]!,
      this.#rank[other]!,
      this.#sequence[other]!,
    );
  }

  #sink(slot: number): void {
    let hole = 0;
    for (;;) {
      const first = hole * ARITY + 1;
      if (first >= this.#count) break;
      let best = first;
      const end = Math.min(first + ARITY, this.#count);
      for (let child = first + 1; child < end; child++) {
        if (this.#precedes(this.#heap[child]!, this.#heap[best]!)) best = child;
      }
      if (!this.#precedes(this.#heap[best]!, slot)) break;
      this.#heap[hole] = this.#heap[best]!;
      hole = best;
    }
    this.#heap[hole] = slot;
  }

  #grow(): void {
    const capacity = this.#heap.length * 2;
    const larger = <A extends Int32Array | Float64Array>(array: A, copy: A): A => {
      copy.set(array);
      return copy;
    };
    this.#heap = larger(this.#heap, new Int32Array(capacity));
    this.#time = larger(this.#time, new Float64Array(capacity));
    this.#rank = larger(this.#rank, new Float64Array(capacity));
    this.#sequence = larger(this.#sequence, new Float64Array(capacity));
    this.#target = larger(this.#target, new Int32Array(capacity));
    this.#argument = larger(this.#argument, new Float64Array(capacity));
    this.#size = larger(this.#size, new Float64Array(capacity));
    const free = larger(this.#free, new Int32Array(capacity));
    for (let slot = capacity / 2; slot < capacity; slot++) free[slot] = slot;
    this.#free = free;
  }
}
