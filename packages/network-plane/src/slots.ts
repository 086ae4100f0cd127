// Slots of a table in chunks of one size. Who fills a stream of slots gets them one behind the other in memory, so that
// parcels which leave a fabric at one port lie side by side where the next fabric reads them.

/** Slots of a chunk, a power of two. */
const CHUNK = 8;
const CHUNK_BITS = 3;
const FIRST_CAPACITY = 256;
const NONE = -1;

export class Slots {
  readonly #onGrow: (capacity: number) => void;
  /** By chunk: slots that are taken, or still to be given to the chunk's stream. */
  #held = new Uint8Array(0);
  #chunkCount = 0;
  readonly #spare: number[] = [];

  /** `onGrow` is told how many slots there are from now on. */
  constructor(onGrow: (capacity: number) => void) {
    this.#onGrow = onGrow;
  }

  /** The first of a chunk of slots, for a stream. */
  takeChunk(): number {
    const chunk = this.#spare.pop() ?? this.#carve();
    this.#held[chunk] = CHUNK;
    return chunk << CHUNK_BITS;
  }

  release(slot: number): void {
    const chunk = slot >> CHUNK_BITS;
    const held = this.#held[chunk]! - 1;
    this.#held[chunk] = held;
    if (held === 0) this.#spare.push(chunk);
  }

  #carve(): number {
    const chunk = this.#chunkCount++;
    if (chunk === this.#held.length) {
      const held = new Uint8Array(Math.max(FIRST_CAPACITY / CHUNK, 2 * chunk));
      held.set(this.#held);
      this.#held = held;
      this.#onGrow(held.length * CHUNK);
    }
    return chunk;
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
