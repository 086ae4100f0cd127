// Slots for parcels in a line memory: a slot is the number of its line. They come in chunks of one size; who fills a stream of
// slots gets them one behind the other, so that parcels which are needed one after the other lie side by side. Where histories
// are kept, those of a chunk follow its rows. Here they are made; the kernel takes and gives them back (kernels/slots.ts).

import type { LineMemory } from "./line-memory.ts";

/** Slots of a chunk, a power of two. */
const CHUNK = 8;
const CHUNKS_AT_ONCE = 32;
const LINE_BYTES = 64;
/** A stream that needs a chunk. */
const NO_SLOT = -1;

/** The record `Pool` of kernels/records.ts. */
const POOL_BYTES = 12;
const SPARE = 0;
const SPARE_COUNT = 1;
const HELD = 2;

export class Slots {
  /** Of the record, for the kernel. */
  readonly address: number;
  readonly #memory: LineMemory;
  readonly #chunkLines: number;
  /** Chunks below which all are; a chunk is the first of its slots over `CHUNK`. */
  #limit = 0;

  constructor(memory: LineMemory, keepsHistory: boolean) {
    this.#memory = memory;
    this.#chunkLines = keepsHistory ? 2 * CHUNK : CHUNK;
    this.address = memory.take(POOL_BYTES);
  }

  /** For the kernel, when no chunk is free. */
  addChunks(): void {
    const bytes = this.#chunkLines * LINE_BYTES;
    // Chunks begin at a multiple of their slots.
    const alignment = CHUNK * LINE_BYTES;
    const start = this.#memory.take(CHUNKS_AT_ONCE * bytes + alignment);
    const first = Math.ceil(start / alignment) * alignment;
    const limit = (first + CHUNKS_AT_ONCE * bytes) / alignment;
    if (limit > this.#limit) this.#grow(Math.max(limit, 2 * this.#limit));
    const pool = this.address / 4;
    const { words } = this.#memory;
    const spare = words[pool + SPARE]! / 4;
    let count = words[pool + SPARE_COUNT]!;
    for (let chunk = CHUNKS_AT_ONCE - 1; chunk >= 0; chunk--)
      words[spare + count++] = (first + chunk * bytes) / LINE_BYTES;
    words[pool + SPARE_COUNT] = count;
  }

  /** Room for the counts of so many chunks, and for all of them on the stack. */
  #grow(limit: number): void {
    const held = this.#memory.take(limit);
    const spare = this.#memory.take(limit * 4);
    const { words, bytes } = this.#memory;
    const pool = this.address / 4;
    const [heldBefore, spareBefore] = [words[pool + HELD]!, words[pool + SPARE]!];
    bytes.copyWithin(held, heldBefore, heldBefore + this.#limit);
    bytes.copyWithin(spare, spareBefore, spareBefore + 4 * this.#limit);
    words[pool + HELD] = held;
    words[pool + SPARE] = spare;
    this.#limit = limit;
  }
}

/** Streams of slots, side by side; gives the address of the first. */
export function slotStreams(memory: LineMemory, count: number): number {
  const address = memory.take(count * 4);
  memory.words.fill(NO_SLOT, address / 4, address / 4 + count);
  return address;
}
