// What a process waits for from many others: parts, of which each arrives at an instant of its own, and which matter
// when all are there. A part is filed when it is sent, with its instant, and is no event: the last one makes one.

import { type Instant, invariant } from "@windtunnel/base";

const FIRST_PARTS = 16;

export class Gather {
  /** Slots of the parts in the cargo, in no particular order, and what their senders call them. */
  #slots = new Int32Array(FIRST_PARTS);
  #labels = new Int32Array(FIRST_PARTS);
  #count = 0;
  /** Parts that complete it; unknown until its process asks. */
  #expected = Number.POSITIVE_INFINITY;
  #latest = 0;
  #latestLabel = -1;
  #announced = 0;
  #notBefore = 0;
  #kind = 0;

  get count(): number {
    return this.#count;
  }

  slotOf(part: number): number {
    return this.#slots[part]!;
  }

  labelOf(part: number): number {
    return this.#labels[part]!;
  }

  get isComplete(): boolean {
    return this.#count >= this.#expected;
  }

  /** When the last of the parts that are filed arrives; RUN_START if there are none. */
  get latest(): Instant {
    return this.#latest as Instant;
  }

  /** The label of the part that arrives last, the largest one of several; -1 if there are none. */
  get latestLabel(): number {
    return this.#latestLabel;
  }

  /** Of the event that says that it is complete. */
  get kind(): number {
    return this.#kind;
  }

  /** As new, with the memory that it has. */
  clear(): void {
    this.#count = 0;
    this.#expected = Number.POSITIVE_INFINITY;
    this.#latest = 0;
    this.#latestLabel = -1;
    this.#announced = 0;
    this.#notBefore = 0;
  }

  expect(count: number, kind: number): void {
    invariant(this.#expected === Number.POSITIVE_INFINITY, "a process asks for a gather twice");
    this.#expected = count;
    this.#kind = kind;
  }

  /** So many parts are on their way, of which one does not arrive before `notBefore`. */
  announce(count: number, notBefore: number): void {
    this.#announced += count;
    if (notBefore > this.#notBefore) this.#notBefore = notBefore;
  }

  /** Parts that were announced. */
  get announced(): number {
    return this.#announced;
  }

  /** The least instant at which it may be complete; undefined while parts may still set out. */
  get completeAfter(): number | undefined {
    if (this.isComplete) return this.#latest;
    return this.#announced >= this.#expected ? Math.max(this.#notBefore, this.#latest) : undefined;
  }

  /** Files a part; whether it is the one that completes the gather. */
  add({ slot, time }: { readonly slot: number; readonly time: number }, label: number): boolean {
    const part = this.#count++;
    if (part === this.#slots.length) this.#grow();
    this.#slots[part] = slot;
    this.#labels[part] = label;
    if (time > this.#latest || (time === this.#latest && label > this.#latestLabel)) {
      this.#latest = time;
      this.#latestLabel = label;
    }
    return this.#count === this.#expected;
  }

  #grow(): void {
    const larger = (array: Int32Array): Int32Array<ArrayBuffer> => {
      const copy = new Int32Array(array.length * 2);
      copy.set(array);
      return copy;
    };
    this.#slots = larger(this.#slots);
    this.#labels = larger(this.#labels);
  }
}
