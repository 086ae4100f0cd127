// One shared WebAssembly memory per process holds every tensor: weights once, and an arena for each host.
// Threads attach to the same memory. Nothing is freed but what an arena releases, last in first out.
// Limit: 32-bit addresses, so a process holds at most 4 GiB of tensors.

import { invariant, WorldError } from "@windtunnel/base";
import { elementCount, type Tensor } from "./tensor.ts";

const PAGE_BYTES = 65_536;
/** WebAssembly's limit with 32-bit addresses, less a page: the end of a tensor must be an address too. */
export const MAX_MEMORY_BYTES: number = 4 * 1024 ** 3 - PAGE_BYTES;
const ALIGNMENT = 64;
/** The first bytes hold the shared allocation pointer and, from 512 on, the kernels' constants; address 0 stays unused. */
const BREAK_INDEX = 4; // of 32-bit words
const RESERVED_BYTES = 1024;

export class TensorMemory {
  readonly memory: WebAssembly.Memory;
  readonly #buffer: ArrayBufferLike;
  readonly #words: Int32Array;

  private constructor(memory: WebAssembly.Memory) {
    this.memory = memory;
    this.#buffer = memory.buffer;
    this.#words = new Int32Array(memory.buffer, 0, RESERVED_BYTES / 4);
  }

  /** Reserves address space; pages take real memory when they are first written. */
  static create(bytes: number): TensorMemory {
    if (bytes + RESERVED_BYTES > MAX_MEMORY_BYTES) {
      throw new WorldError(
        "input",
        `tensors need ${(bytes / 1024 ** 3).toFixed(1)} GiB in one process; WebAssembly addresses at most 4 GiB. ` +
          "Use more hosts with --placement processes:N, so that each holds its share of the experts, or a smaller model.",
      );
    }
    const pages = Math.ceil((bytes + RESERVED_BYTES) / PAGE_BYTES);
    const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
    new Int32Array(memory.buffer)[BREAK_INDEX] = RESERVED_BYTES / ALIGNMENT;
    return new TensorMemory(memory);
  }

  /** The same memory, seen from another thread. */
  static attach(memory: WebAssembly.Memory): TensorMemory {
    return new TensorMemory(memory);
  }

  /** Takes bytes for good; safe from several threads at once. Returns the address. */
  allocate(bytes: number): number {
    const units = Math.ceil(bytes / ALIGNMENT);
    const start = Atomics.add(this.#words, BREAK_INDEX, units) * ALIGNMENT;
    invariant(
      start + units * ALIGNMENT <= this.#buffer.byteLength,
      `tensor memory of ${this.#buffer.byteLength} bytes is full: ${start} taken, ${bytes} more asked for`,
    );
    return start;
  }

  /** A tensor that lives as long as the memory. */
  tensor(shape: readonly number[]): Tensor {
    return this.at(this.allocate(elementCount(shape) * 4), shape);
  }

  /** The tensor at an address that another thread allocated. */
  at(address: number, shape: readonly number[]): Tensor {
    return { shape, address, data: new Float32Array(this.#buffer, address, elementCount(shape)) };
  }

  bytesAt(address: number, length: number): Uint8Array {
    return new Uint8Array(this.#buffer, address, length);
  }

  halvesAt(address: number, length: number): Uint16Array {
    return new Uint16Array(this.#buffer, address, length);
  }

  integersAt(address: number, length: number): Int32Array {
    return new Int32Array(this.#buffer, address, length);
  }

  arena(bytes: number): Arena {
    return new Arena(this, this.allocate(bytes), bytes);
  }
}

/** Scratch space of one host: tensors are taken in order and released back to a mark. */
export class Arena {
  readonly #memory: TensorMemory;
  readonly #start: number;
  readonly #bytes: number;
  #used = 0;

  constructor(memory: TensorMemory, start: number, bytes: number) {
    this.#memory = memory;
    this.#start = start;
    this.#bytes = bytes;
  }

  /** Takes a tensor whose elements are not cleared. */
  tensor(shape: readonly number[]): Tensor {
    return this.#memory.at(this.#take(elementCount(shape) * 4), shape);
  }

  zeros(shape: readonly number[]): Tensor {
    const tensor = this.tensor(shape);
    tensor.data.fill(0);
    return tensor;
  }

  bytes(length: number): Uint8Array {
    return this.#memory.bytesAt(this.#take(length), length);
  }

  halves(length: number): Uint16Array {
    return this.#memory.halvesAt(this.#take(length * 2), length);
  }

  integers(length: number): Int32Array {
    return this.#memory.integersAt(this.#take(length * 4), length);
  }

  /** Runs `body` and gives back everything that it took. */
  scope<Result>(body: () => Result): Result {
    const mark = this.#used;
    try {
      return body();
    } finally {
      this.#used = mark;
    }
  }

  #take(bytes: number): number {
    const address = this.#start + this.#used;
    this.#used += Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
    invariant(
      this.#used <= this.#bytes,
      `scratch arena of ${this.#bytes} bytes is full: ${this.#used} needed`,
    );
    return address;
  }
}
