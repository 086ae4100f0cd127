// The pending events of one process: a four-ary heap in packed arrays. Keys and numbers lie side by side in one typed array,
// bodies in a list; an event that carries no body makes no object.

import { invariant, NEVER } from "@windtunnel/base";
import { comesBefore, kindOfKey, rankOfKey, sourceOfKey } from "./event-order.ts";
import type { ProcessEvent } from "./logical-process.ts";

const FIRST_CAPACITY = 16;
/** Numbers of an event: time, rank, sequence, argument, size. */
const STRIDE = 5;
const TIME = 0;
const RANK = 1;
const SEQUENCE = 2;
const ARGUMENT = 3;
const SIZE = 4;

export class EventQueue {
  /** Slots, ordered, and their times. */
  #heap = new Int32Array(FIRST_CAPACITY);
  #heapTime = new Float64Array(FIRST_CAPACITY);
  #numbers = new Float64Array(FIRST_CAPACITY * STRIDE);
  readonly #body: unknown[] = [];
  #free = Int32Array.from({ length: FIRST_CAPACITY }, (_, slot) => slot);
  #count = 0;

  get count(): number {
    return this.#count;
  }

  get earliestTime(): number {
    return this.#count === 0 ? NEVER : this.#heapTime[0]!;
  }

  /** The time of the last event of such sources; -Infinity if there is none. */
  latestTimeOf(isWanted: (source: number) => boolean): number {
    let latest = Number.NEGATIVE_INFINITY;
    for (let place = 0; place < this.#count; place++) {
      const source = sourceOfKey(this.#numbers[this.#heap[place]! * STRIDE + RANK]!);
      if (isWanted(source)) latest = Math.max(latest, this.#heapTime[place]!);
    }
    return latest;
  }

  push(
    time: number,
    kind: number,
    source: number,
    sequence: number,
    argument: number,
    size: number,
    body: unknown,
  ): void {
    if (this.#count === this.#free.length) this.#grow();
    const slot = this.#free[this.#count]!;
    const at = slot * STRIDE;
    const numbers = this.#numbers;
    numbers[at + TIME] = time;
    numbers[at + RANK] = rankOfKey(kind, source);
    numbers[at + SEQUENCE] = sequence;
    numbers[at + ARGUMENT] = argument;
    numbers[at + SIZE] = size;
    if (body !== undefined) this.#body[slot] = body;
    const heap = this.#heap;
    const times = this.#heapTime;
    let hole = this.#count++;
    while (hole > 0) {
      const parent = (hole - 1) >> 2;
      const parentTime = times[parent]!;
      if (parentTime < time || (parentTime === time && !this.#precedes(slot, heap[parent]!))) break;
      heap[hole] = heap[parent]!;
      times[hole] = parentTime;
      hole = parent;
    }
    heap[hole] = slot;
    times[hole] = time;
  }

  /** Takes the first event out, into `event`. */
  popInto(event: ProcessEvent): void {
    invariant(this.#count > 0, "an event is taken from an empty queue");
    const slot = this.#heap[0]!;
    const at = slot * STRIDE;
    const numbers = this.#numbers;
    const rank = numbers[at + RANK]!;
    event.time = numbers[at + TIME]! as ProcessEvent["time"];
    event.kind = kindOfKey(rank);
    event.source = sourceOfKey(rank);
    event.sequence = numbers[at + SEQUENCE]!;
    event.argument = numbers[at + ARGUMENT]!;
    event.size = numbers[at + SIZE]!;
    event.body = this.#body[slot];
    if (event.body !== undefined) this.#body[slot] = undefined;
    this.#free[--this.#count] = slot;
    if (this.#count > 0) this.#sink(this.#heap[this.#count]!, this.#heapTime[this.#count]!);
  }

  #precedes(slot: number, other: number): boolean {
    const numbers = this.#numbers;
    const [mine, theirs] = [slot * STRIDE, other * STRIDE];
    return comesBefore(
      numbers[mine]!,
      numbers[mine + RANK]!,
      numbers[mine + SEQUENCE]!,
      numbers[theirs]!,
      numbers[theirs + RANK]!,
      numbers[theirs + SEQUENCE]!,
    );
  }

  /** The last event takes the first place and goes down to its own. */
  #sink(slot: number, time: number): void {
    const heap = this.#heap;
    const times = this.#heapTime;
    const count = this.#count;
    let hole = 0;
    for (;;) {
      const first = hole * 4 + 1;
      if (first >= count) break;
      let best = first;
      let bestTime = times[first]!;
      const end = first + 4 < count ? first + 4 : count;
      for (let child = first + 1; child < end; child++) {
        const childTime = times[child]!;
        if (childTime < bestTime || (childTime === bestTime && this.#precedes(heap[child]!, heap[best]!))) {
          best = child;
          bestTime = childTime;
        }
      }
      if (time < bestTime || (time === bestTime && this.#precedes(slot, heap[best]!))) break;
      heap[hole] = heap[best]!;
      times[hole] = bestTime;
      hole = best;
    }
    heap[hole] = slot;
    times[hole] = time;
  }

  #grow(): void {
    const before = this.#free.length;
    const larger = <A extends Int32Array | Float64Array>(array: A, copy: A): A => {
      copy.set(array);
      return copy;
    };
    this.#heap = larger(this.#heap, new Int32Array(before * 2));
    this.#heapTime = larger(this.#heapTime, new Float64Array(before * 2));
    this.#numbers = larger(this.#numbers, new Float64Array(before * 2 * STRIDE));
    const free = larger(this.#free, new Int32Array(before * 2));
    for (let slot = before; slot < free.length; slot++) free[slot] = slot;
    this.#free = free;
  }
}
