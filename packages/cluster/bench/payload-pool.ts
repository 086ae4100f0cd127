// Bytes for the payloads of a phase, used again for the next one: fresh arrays of megabytes a layer would keep the
// garbage collector's threads busy on cores that should compute. Measured: a tenth of both cores.

export class PayloadPool {
  #bytes = new Uint8Array();
  #used = 0;

  /** Gives back everything that was taken; whoever reads it must be done. */
  reset(): void {
    if (this.#used > this.#bytes.byteLength) this.#bytes = new Uint8Array(Math.ceil(1.25 * this.#used));
    this.#used = 0;
  }

  /** Bytes that hold anything. Fresh ones where the pool is too small; it grows at the next reset. */
  readonly take = (byteLength: number): Uint8Array => {
    const start = this.#used;
    this.#used += Math.ceil(byteLength / 8) * 8;
    if (this.#used > this.#bytes.byteLength) return new Uint8Array(byteLength);
    return this.#bytes.subarray(start, start + byteLength);
  };
}
