// Numbers with keys, the least key first: a binary heap in packed arrays. It knows not what the numbers stand for
// (links with their shares, flows with their turns). Order: by key, then by number, so that no two are equal.

import { invariant } from "@windtunnel/base";

export class KeyedHeap {
  readonly #items: Int32Array;
  readonly #keys: Float64Array;
  #count = 0;

  constructor(capacity: number) {
    this.#items = new Int32Array(capacity);
    this.#keys = new Float64Array(capacity);
  }

  get count(): number {
    return this.#count;
  }

  get firstItem(): number {
    return this.#items[0]!;
  }

  get leastKey(): number {
    return this.#keys[0]!;
  }

  push(item: number, key: number): void {
    invariant(this.#count < this.#items.length, "more items than the heap was made for");
    let hole = this.#count++;
    while (hole > 0) {
      const parent = (hole - 1) >> 1;
      if (!this.#precedes(item, key, parent)) break;
      this.#items[hole] = this.#items[parent]!;
      this.#keys[hole] = this.#keys[parent]!;
      hole = parent;
    }
    this.#items[hole] = item;
    this.#keys[hole] = key;
  }

  /** Takes the first item out. */
  pop(): void {
    invariant(this.#count > 0, "an item is taken from an empty heap");
    this.#count--;
    this.#sink(this.#items[this.#count]!, this.#keys[this.#count]!);
  }

  /** The first item gets a larger key than it had when it was put in. */
  raiseFirst(key: number): void {
    this.#sink(this.#items[0]!, key);
  }

  #sink(item: number, key: number): void {
    let hole = 0;
    for (;;) {
      let child = 2 * hole + 1;
      if (child >= this.#count) break;
      const other = child + 1;
      if (other < this.#count && this.#precedes(this.#items[other]!, this.#keys[other]!, child))
        child = other;
      if (this.#precedes(item, key, child)) break;
      this.#items[hole] = this.#items[child]!;
      this.#keys[hole] = this.#keys[child]!;
      hole = child;
    }
    this.#items[hole] = item;
    this.#keys[hole] = key;
  }

  #precedes(item: number, key: number, place: number): boolean {
    const other = this.#keys[place]!;
    return key < other || (key === other && item < this.#items[place]!);
  }
}
