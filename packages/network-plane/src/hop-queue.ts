// Parcels of one fabric on their way to a further link. What leaves a link leaves it in order, so each link has a chain of
// parcels, and a four-ary heap holds the first of each chain by when its head reaches the next link. Times stand in the
// parcels' rows: no number is handed from function to function, where it would become an object.

import { HEAD_AT, type ParcelTable, STRIDE } from "./parcel-table.ts";

const NONE = -1;

export class HopQueue {
  readonly #parcels: ParcelTable;
  /** Links in the heap, the times of their first parcels beside them. */
  readonly #heap: Int32Array;
  readonly #heapTime: Float64Array;
  /** By link: its chain's first and last parcel. */
  readonly #first: Int32Array;
  readonly #last: Int32Array;
  #heads = 0;
  #nextSequence = 0;

  constructor(linkCount: number, parcels: ParcelTable) {
    this.#parcels = parcels;
    this.#heap = new Int32Array(linkCount);
    this.#heapTime = new Float64Array(linkCount);
    this.#first = new Int32Array(linkCount).fill(NONE);
    this.#last = new Int32Array(linkCount).fill(NONE);
  }

  get isEmpty(): boolean {
    return this.#heads === 0;
  }

  /** When the first parcel's head reaches its link; there must be one. */
  get earliestTime(): number {
    return this.#heapTime[0]!;
  }

  /** A parcel leaves a link; its row says when its head reaches the next one, not before those that left it earlier. */
  append(link: number, slot: number): void {
    const { next, sequence } = this.#parcels;
    next[slot] = NONE;
    sequence[slot] = this.#nextSequence++;
    const last = this.#last[link]!;
    this.#last[link] = slot;
    if (last !== NONE) {
      next[last] = slot;
      return;
    }
    this.#first[link] = slot;
    this.#rise(link, slot);
  }

  /** Takes the first parcel of all out. */
  pop(): number {
    const { next, rows } = this.#parcels;
    const link = this.#heap[0]!;
    const slot = this.#first[link]!;
    const following = next[slot]!;
    this.#first[link] = following;
    if (following !== NONE) this.#sink(link, following, rows);
    else {
      this.#last[link] = NONE;
      this.#heads--;
      if (this.#heads > 0) {
        const moved = this.#heap[this.#heads]!;
        this.#sink(moved, this.#first[moved]!, rows);
      }
    }
    return slot;
  }

  /** The number of a parcel's hop, in the order in which parcels left links; it breaks ties of time. */
  sequenceOf(slot: number): number {
    return this.#parcels.sequence[slot]!;
  }

  #rise(link: number, slot: number): void {
    const heap = this.#heap;
    const times = this.#heapTime;
    const time = this.#parcels.rows[slot * STRIDE + HEAD_AT]!;
    let hole = this.#heads++;
    while (hole > 0) {
      const parent = (hole - 1) >> 2;
      const parentTime = times[parent]!;
      // At a tie the other one left its link before.
      if (parentTime <= time) break;
      heap[hole] = heap[parent]!;
      times[hole] = parentTime;
      hole = parent;
    }
    heap[hole] = link;
    times[hole] = time;
  }

  #sink(link: number, slot: number, rows: Float64Array): void {
    const heap = this.#heap;
    const times = this.#heapTime;
    const heads = this.#heads;
    const time = rows[slot * STRIDE + HEAD_AT]!;
    let hole = 0;
    for (;;) {
      const first = hole * 4 + 1;
      if (first >= heads) break;
      const end = first + 4 < heads ? first + 4 : heads;
      let best = first;
      let bestTime = times[first]!;
      for (let child = first + 1; child < end; child++) {
        const childTime = times[child]!;
        if (childTime < bestTime || (childTime === bestTime && this.#isBefore(heap[child]!, heap[best]!))) {
          best = child;
          bestTime = childTime;
        }
      }
      if (time < bestTime || (time === bestTime && this.#isBefore(link, heap[best]!))) break;
      heap[hole] = heap[best]!;
      times[hole] = bestTime;
      hole = best;
    }
    heap[hole] = link;
    times[hole] = time;
  }

  /** Of two links whose first parcels go on at the same time. */
  #isBefore(link: number, other: number): boolean {
    const { sequence } = this.#parcels;
    return sequence[this.#first[link]!]! < sequence[this.#first[other]!]!;
  }
}
