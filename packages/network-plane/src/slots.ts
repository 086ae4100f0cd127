// Slots for parcels in a line memory: a slot is the number of its line. They come in chunks of one size; who fills a stream of
// slots gets them one behind the other, so that parcels which leave a fabric at one port lie side by side where the next
// fabric reads them. Where histories are kept, those of a chunk follow its rows.

import type { LineMemory } from "./line-memory.ts";

/** Slots of a chunk, a power of two. */
const CHUNK = 8;
const CHUNK_BITS = 3;
const CHUNKS_AT_ONCE = 32;
const LINE_BYTES = 64;
const NONE = -1;

export class Slots {
  readonly #memory: LineMemory;
  readonly #chunkLines: number;
  readonly #onGrow: (capacity: number) => void;
  /** By the first slot of a chunk over `CHUNK`: slots that are taken, or still to be given to the chunk's stream. */
  #held = new Uint8Array(0);
  readonly #spare: number[] = [];

  /** `onGrow` is told below which number all slots are from now on. */
  constructor(memory: LineMemory, keepsHistory: boolean, onGrow: (capacity: number) => void) {
    this.#memory = memory;
    this.#chunkLines = keepsHistory ? 2 * CHUNK : CHUNK;
    this.#onGrow = onGrow;
  }

  /** The first of a chunk of slots, for a stream. */
  takeChunk(): number {
    if (this.#spare.length === 0) this.#carve();
    const first = this.#spare.pop()!;
    this.#held[first >> CHUNK_BITS] = CHUNK;
    return first;
  }

  release(slot: number): void {
    const chunk = slot >> CHUNK_BITS;
    const held = this.#held[chunk]! - 1;
    this.#held[chunk] = held;
    if (held === 0) this.#spare.push(chunk << CHUNK_BITS);
  }

  #carve(): void {
    const bytes = this.#chunkLines * LINE_BYTES;
    // Chunks begin at a multiple of their slots.
    const alignment = CHUNK * LINE_BYTES;
    const start = this.#memory.take(CHUNKS_AT_ONCE * bytes + alignment);
    const first = Math.ceil(start / alignment) * alignment;
    for (let chunk = CHUNKS_AT_ONCE - 1; chunk >= 0; chunk--)
      this.#spare.push((first + chunk * bytes) / LINE_BYTES);
    const chunks = this.#memory.byteLength / alignment;
    if (chunks <= this.#held.length) return;
    const held = new Uint8Array(chunks);
    held.set(this.#held);
    this.#held = held;
    this.#onGrow(chunks * CHUNK);
  }
}

/** Streams of slots by number; each holds a chunk that it has begun. */
export class SlotStreams {
  /** By stream: its next slot; `NONE` where it needs a chunk. */
  #next = new Int32Array(0);

  take(stream: number, slots: Slots): number {
    if (stream >= this.#next.length) this.#grow(stream);
    let slot = this.#next[stream]!;
    if (slot === NONE) slot = slots.takeChunk();
    this.#next[stream] = ((slot + 1) & (CHUNK - 1)) === 0 ? NONE : slot + 1;
    return slot;
  }

  #grow(stream: number): void {
    const next = new Int32Array(Math.max(8, 2 * (stream + 1))).fill(NONE);
    next.set(this.#next);
    this.#next = next;
  }
}
