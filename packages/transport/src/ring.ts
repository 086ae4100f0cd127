// A ring of bytes in shared memory for one writer and one reader. It takes and gives what fits; the rest comes later.
// Invariant: 0 <= written - read <= capacity; both counters wrap at 2^32.

const WRITTEN = 0;
const READ = 1;
const COUNTERS_BYTES = 64;

export function ringBytes(capacity: number): number {
  return COUNTERS_BYTES + capacity;
}

export class Ring {
  readonly #counters: Int32Array;
  readonly #data: Uint8Array;
  readonly #capacity: number;

  /** `capacity` must be a power of two. */
  constructor(buffer: SharedArrayBuffer, offset: number, capacity: number) {
    this.#counters = new Int32Array(buffer, offset, COUNTERS_BYTES / 4);
    this.#data = new Uint8Array(buffer, offset + COUNTERS_BYTES, capacity);
    this.#capacity = capacity;
  }

  /** Writes as much of `source` as fits; returns how much. */
  write(source: Uint8Array): number {
    const written = Atomics.load(this.#counters, WRITTEN);
    const free = this.#capacity - ((written - Atomics.load(this.#counters, READ)) >>> 0);
    const count = Math.min(free, source.byteLength);
    if (count === 0) return 0;
    const at = (written >>> 0) & (this.#capacity - 1);
    const first = Math.min(count, this.#capacity - at);
    this.#data.set(source.subarray(0, first), at);
    if (count > first) this.#data.set(source.subarray(first, count), 0);
    Atomics.store(this.#counters, WRITTEN, (written + count) | 0);
    return count;
  }

  /** Fills as much of `target` as there is; returns how much. */
  read(target: Uint8Array): number {
    const read = Atomics.load(this.#counters, READ);
    const available = (Atomics.load(this.#counters, WRITTEN) - read) >>> 0;
    const count = Math.min(available, target.byteLength);
    if (count === 0) return 0;
    const at = (read >>> 0) & (this.#capacity - 1);
    const first = Math.min(count, this.#capacity - at);
    target.set(this.#data.subarray(at, at + first), 0);
    if (count > first) target.set(this.#data.subarray(0, count - first), first);
    Atomics.store(this.#counters, READ, (read + count) | 0);
    return count;
  }
}
