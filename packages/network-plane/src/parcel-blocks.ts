// Consecutive slots for parcels that set out together: where they lie, what they carry, and when all of them are free again.

import { type Bodies, SharedBody } from "./parcels.ts";

/** Slots of a block are a multiple of this, so that blocks of nearly equal shipments serve each other. */
const GRAIN = 8;
const FIRST_CAPACITY = 256;

export class ParcelBlocks {
  readonly #onGrow: (capacity: number) => void;
  /** By slot: its block. */
  #blockOf = new Int32Array(0);
  #length = 0;
  /** By block: its first slot, its slots, and how many of them are taken. */
  readonly #first: number[] = [];
  readonly #size: number[] = [];
  readonly #taken: number[] = [];
  /** By block: what its parcels carry, and one header for all or one for each. */
  readonly #bodies: (Bodies | undefined)[] = [];
  readonly #header: unknown[] = [];
  readonly #headers: (readonly unknown[] | undefined)[] = [];
  /** Free blocks by size. */
  readonly #spare = new Map<number, number[]>();

  /** `onGrow` is told how many slots there are from now on. */
  constructor(onGrow: (capacity: number) => void) {
    this.#onGrow = onGrow;
  }

  /** Gives the first of `count` slots. */
  take(count: number, bodies: Bodies, header: unknown, headers?: readonly unknown[]): number {
    const size = Math.ceil(count / GRAIN) * GRAIN;
    const block = this.#spare.get(size)?.pop() ?? this.#carve(size);
    this.#taken[block] = count;
    this.#bodies[block] = bodies;
    this.#header[block] = header;
    this.#headers[block] = headers;
    return this.#first[block]!;
  }

  release(slot: number): void {
    const block = this.#blockOf[slot]!;
    const left = this.#taken[block]! - 1;
    this.#taken[block] = left;
    if (left > 0) return;
    this.#bodies[block] = undefined;
    this.#header[block] = undefined;
    this.#headers[block] = undefined;
    const size = this.#size[block]!;
    const spare = this.#spare.get(size);
    if (spare === undefined) this.#spare.set(size, [block]);
    else spare.push(block);
  }

  bodyOf(slot: number): unknown {
    const block = this.#blockOf[slot]!;
    const bodies = this.#bodies[block]!;
    return bodies instanceof SharedBody ? bodies.body : bodies[slot - this.#first[block]!];
  }

  headerOf(slot: number): unknown {
    const block = this.#blockOf[slot]!;
    const headers = this.#headers[block];
    return headers === undefined ? this.#header[block] : headers[slot - this.#first[block]!];
  }

  #carve(size: number): number {
    const first = this.#length;
    this.#length += size;
    if (this.#length > this.#blockOf.length) {
      const capacity = Math.max(FIRST_CAPACITY, 2 * this.#blockOf.length, this.#length);
      const blockOf = new Int32Array(capacity);
      blockOf.set(this.#blockOf);
      this.#blockOf = blockOf;
      this.#onGrow(capacity);
    }
    const block = this.#first.length;
    this.#first.push(first);
    this.#size.push(size);
    this.#blockOf.fill(block, first, this.#length);
    return block;
  }
}
