// Memory of the fabrics of one host: it grows in place, and 64 bytes at a multiple of 64 are one cache line, which an
// `ArrayBuffer` of its own does not promise. What is taken is never given back; tables that outgrow theirs take twice as much.

import { invariant } from "@windtunnel/base";

const PAGE_BYTES = 65_536;
const LINE_BYTES = 64;

export class LineMemory {
  readonly memory: WebAssembly.Memory = new WebAssembly.Memory({ initial: 1 });
  /** All of it, as numbers of 8 and of 4 bytes, and as bytes. Made anew when it grows: read them again after every call that may take some. */
  numbers: Float64Array = new Float64Array(this.memory.buffer);
  words: Int32Array = new Int32Array(this.memory.buffer);
  bytes: Uint8Array = new Uint8Array(this.memory.buffer);
  /** Nothing stands at address 0. */
  #end = LINE_BYTES;

  /** The address of so many bytes, all 0. */
  take(byteLength: number): number {
    const address = this.#end;
    this.#end = Math.ceil((address + byteLength) / LINE_BYTES) * LINE_BYTES;
    const missing = this.#end - this.memory.buffer.byteLength;
    if (missing > 0) this.#grow(missing);
    return address;
  }

  get byteLength(): number {
    return this.memory.buffer.byteLength;
  }

  #grow(missing: number): void {
    const pages = this.memory.buffer.byteLength / PAGE_BYTES;
    const needed = Math.ceil(missing / PAGE_BYTES);
    const most = 65_536 - pages;
    invariant(needed <= most, "the parcels and fabrics of one host need more than 4 GiB");
    this.memory.grow(Math.min(most, Math.max(needed, Math.ceil(pages / 2))));
    this.numbers = new Float64Array(this.memory.buffer);
    this.words = new Int32Array(this.memory.buffer);
    this.bytes = new Uint8Array(this.memory.buffer);
  }
}

/** Addresses or numbers by row and column, 0 where nothing is set: a word for each row says where its columns stand. */
export class WordTable {
  readonly #memory: LineMemory;
  address = 0;
  rowLimit = 0;
  columnLimit = 0;

  constructor(memory: LineMemory) {
    this.#memory = memory;
  }

  get(row: number, column: number): number {
    if (row >= this.rowLimit || column >= this.columnLimit) return 0;
    const { words } = this.#memory;
    const columns = words[this.address / 4 + row]!;
    return columns === 0 ? 0 : words[columns / 4 + column]!;
  }

  set(row: number, column: number, value: number): void {
    if (row >= this.rowLimit) this.#growRows(row + 1);
    if (column >= this.columnLimit) this.#growColumns(column + 1);
    const at = this.address / 4 + row;
    if (this.#memory.words[at] === 0) {
      const columns = this.#memory.take(this.columnLimit * 4);
      this.#memory.words[at] = columns;
    }
    const { words } = this.#memory;
    words[words[at]! / 4 + column] = value;
  }

  #growRows(least: number): void {
    const limit = Math.max(least, 2 * this.rowLimit);
    this.address = this.#moved(this.address, this.rowLimit, limit);
    this.rowLimit = limit;
  }

  #growColumns(least: number): void {
    const limit = Math.max(least, 2 * this.columnLimit);
    for (let row = 0; row < this.rowLimit; row++) {
      const at = this.address / 4 + row;
      const columns = this.#memory.words[at]!;
      if (columns === 0) continue;
      const moved = this.#moved(columns, this.columnLimit, limit);
      this.#memory.words[at] = moved;
    }
    this.columnLimit = limit;
  }

  #moved(from: number, count: number, limit: number): number {
    const to = this.#memory.take(limit * 4);
    this.#memory.words.copyWithin(to / 4, from / 4, from / 4 + count);
    return to;
  }
}
