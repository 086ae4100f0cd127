// Arrays of a call that live outside the shared memory (a frame's bytes, a caller's Int32Array) pass through here:
// arguments are copied in, results copied out. Arrays inside the memory cost nothing. The area belongs to one
// instance of the kernels; it is taken from the memory when first needed and doubles, so it ends below twice
// the largest such array for each of a call's array arguments. Lists of addresses and decoded rows lie here too.

import type { TensorMemory } from "../memory.ts";

type OutsideArray = Uint8Array | Uint16Array | Int32Array | Float32Array;

interface Slot {
  readonly address: number;
  readonly bytes: number;
}

const SMALLEST_SLOT_BYTES = 4096;

export class Staging {
  readonly #memory: TensorMemory;
  readonly #buffer: ArrayBufferLike;
  readonly #slots: Slot[] = [];

  constructor(memory: TensorMemory) {
    this.#memory = memory;
    this.#buffer = memory.memory.buffer;
  }

  /** The address of an argument's elements; `slot` numbers the arrays of one call from 0. */
  input(slot: number, array: OutsideArray): number {
    if (array.buffer === this.#buffer) return array.byteOffset;
    const address = this.#reserve(slot, array.byteLength);
    this.#bytesAt(address, array).set(bytesOf(array));
    return address;
  }

  /** Where the kernel shall write a result; `finish` brings it to the array afterwards. */
  output(slot: number, array: OutsideArray): number {
    return array.buffer === this.#buffer ? array.byteOffset : this.#reserve(slot, array.byteLength);
  }

  /** Room for what a kernel reads or writes on the way and nobody keeps, with whatever it held before. */
  integers(slot: number, length: number): Int32Array {
    return this.#memory.integersAt(this.scratch(slot, length * Int32Array.BYTES_PER_ELEMENT), length);
  }

  /** The address of `bytes` bytes of such room. */
  scratch(slot: number, bytes: number): number {
    return this.#reserve(slot, bytes);
  }

  /** Copies a result that was written to `address` to its array, if it does not stand there already. */
  finish(address: number, array: OutsideArray): void {
    if (array.buffer !== this.#buffer) bytesOf(array).set(this.#bytesAt(address, array));
  }

  #bytesAt(address: number, array: OutsideArray): Uint8Array {
    return this.#memory.bytesAt(address, array.byteLength);
  }

  #reserve(slot: number, bytes: number): number {
    const present = this.#slots[slot];
    if (present !== undefined && present.bytes >= bytes) return present.address;
    let size = SMALLEST_SLOT_BYTES;
    while (size < bytes) size *= 2;
    const made = { address: this.#memory.allocate(size), bytes: size };
    this.#slots[slot] = made;
    return made.address;
  }
}

function bytesOf(array: OutsideArray): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}
