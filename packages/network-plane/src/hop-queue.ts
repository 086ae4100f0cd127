// Parcels of one fabric that wait for their next event: the hop to a further link, or the entry of what another fabric hands
// over. What leaves a link leaves it in order, so parcels form chains, one for each link, and a four-ary heap holds the
// first of each chain. Their times stand in the parcels' rows: no number is handed from function to function, where it would
// become an object.

import { HEAD_AT, NEXT, ORDER, type ParcelTable, STRIDE, WORDS } from "./parcel-table.ts";

const NONE = -1;
const FIRST_LOOSE = 8;

export class HopQueue {
  readonly #parcels: ParcelTable;
  /** Chains that are given; further ones hold a parcel each that fits no chain. */
  readonly #chainCount: number;
  readonly #loose: number[] = [];
  /** Chains in the heap, the times of their first parcels beside them. */
  #heap: Int32Array;
  #heapTime: Float64Array;
  /** By chain: its first and last parcel. */
  #first: Int32Array;
  #last: Int32Array;
  #heads = 0;

  constructor(chainCount: number, parcels: ParcelTable) {
    this.#parcels = parcels;
    this.#chainCount = chainCount;
    const size = chainCount + FIRST_LOOSE;
    this.#heap = new Int32Array(size);
    this.#heapTime = new Float64Array(size);
    this.#first = new Int32Array(size).fill(NONE);
    this.#last = new Int32Array(size).fill(NONE);
    for (let chain = chainCount; chain < size; chain++) this.#loose.push(chain);
  }

  get isEmpty(): boolean {
    return this.#heads === 0;
  }

  /** The time of the first parcel's event; there must be one. */
  get earliestTime(): number {
    return this.#heapTime[0]!;
  }

  /** A parcel whose event comes after that of the last one of its chain. Its `ORDER` tells events of one instant apart. */
  append(chain: number, slot: number): void {
    const { words } = this.#parcels;
    words[slot * WORDS + NEXT] = NONE;
    const last = this.#last[chain]!;
    this.#last[chain] = slot;
    if (last !== NONE) {
      words[last * WORDS + NEXT] = slot;
      return;
    }
    this.#first[chain] = slot;
    this.#rise(chain, slot);
  }

  /** The same for a parcel whose event may come before that of others of its chain. */
  insert(chain: number, slot: number): void {
    const { rows } = this.#parcels;
    const last = this.#last[chain]!;
    if (last !== NONE) {
      const [at, lastAt] = [slot * STRIDE, last * STRIDE];
      const isLater =
        rows[at + HEAD_AT]! > rows[lastAt + HEAD_AT]! ||
        (rows[at + HEAD_AT] === rows[lastAt + HEAD_AT] && rows[at + ORDER]! > rows[lastAt + ORDER]!);
      if (!isLater) {
        if (this.#loose.length === 0) this.#addLoose();
        this.append(this.#loose.pop()!, slot);
        return;
      }
    }
    this.append(chain, slot);
  }

  /** Takes the first parcel of all out. */
  pop(): number {
    const { rows, words } = this.#parcels;
    const chain = this.#heap[0]!;
    const slot = this.#first[chain]!;
    const following = words[slot * WORDS + NEXT]!;
    this.#first[chain] = following;
    if (following !== NONE) this.#sink(chain, following, rows);
    else {
      this.#last[chain] = NONE;
      if (chain >= this.#chainCount) this.#loose.push(chain);
      this.#heads--;
      if (this.#heads > 0) {
        const moved = this.#heap[this.#heads]!;
        this.#sink(moved, this.#first[moved]!, rows);
      }
    }
    return slot;
  }

  #rise(chain: number, slot: number): void {
    const heap = this.#heap;
    const times = this.#heapTime;
    const time = this.#parcels.rows[slot * STRIDE + HEAD_AT]!;
    let hole = this.#heads++;
    while (hole > 0) {
      const parent = (hole - 1) >> 2;
      const parentTime = times[parent]!;
      if (parentTime < time || (parentTime === time && !this.#isBefore(chain, heap[parent]!))) break;
      heap[hole] = heap[parent]!;
      times[hole] = parentTime;
      hole = parent;
    }
    heap[hole] = chain;
    times[hole] = time;
  }

  #sink(chain: number, slot: number, rows: Float64Array): void {
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
      if (time < bestTime || (time === bestTime && this.#isBefore(chain, heap[best]!))) break;
      heap[hole] = heap[best]!;
      times[hole] = bestTime;
      hole = best;
    }
    heap[hole] = chain;
    times[hole] = time;
  }

  /** Of two chains whose first parcels' events have the same time. */
  #isBefore(chain: number, other: number): boolean {
    const { rows } = this.#parcels;
    return rows[this.#first[chain]! * STRIDE + ORDER]! < rows[this.#first[other]! * STRIDE + ORDER]!;
  }

  #addLoose(): void {
    const before = this.#heap.length;
    const size = 2 * before;
    const longer = (array: Int32Array): Int32Array => {
      const copy = new Int32Array(size).fill(NONE);
      copy.set(array);
      return copy;
    };
    this.#heap = longer(this.#heap);
    this.#first = longer(this.#first);
    this.#last = longer(this.#last);
    const times = new Float64Array(size);
    times.set(this.#heapTime);
    this.#heapTime = times;
    for (let chain = before; chain < size; chain++) this.#loose.push(chain);
  }
}
