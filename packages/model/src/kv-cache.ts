// The latent KV cache of one request: for every layer and position the normalised latent and the rotated key that
// all heads share (mechanics §1.3, MLA). It does not know who computes them.
// Invariant: a layer's rows are written in order of position, without gaps, up to a capacity fixed at creation.

import { invariant } from "@windtunnel/base";
import type { StridedRows, Tensor } from "@windtunnel/tensor";
import { cacheRowSize, type ModelConfig } from "./config.ts";
import { stridedRows } from "./layer-context.ts";

export class KvCache {
  /** Positions that fit: prompt and new tokens. */
  readonly capacity: number;
  /** Floats of a row: [latent, rope]. */
  readonly rowSize: number;
  readonly #layers: readonly Tensor[];
  readonly #lengths: Int32Array;

  /** Takes [capacity, latent + rope] for each layer from `allocate`. */
  constructor(config: ModelConfig, capacity: number, allocate: (shape: readonly number[]) => Tensor) {
    invariant(capacity >= 1 && capacity <= config.maxPositions, `a cache of ${capacity} positions`);
    this.capacity = capacity;
    this.rowSize = cacheRowSize(config);
    this.#layers = Array.from({ length: config.layerCount }, () => allocate([capacity, this.rowSize]));
    this.#lengths = new Int32Array(config.layerCount);
  }

  /** Positions that layer `layer` holds. */
  lengthOf(layer: number): number {
    return this.#lengths[layer]!;
  }

  /** Makes room for the row of `position`, which must be the next one, and gives it to be written. */
  append(layer: number, position: number): Float32Array {
    const length = this.lengthOf(layer);
    invariant(position === length, `layer ${layer} of the cache expects position ${length}, not ${position}`);
    invariant(
      position < this.capacity,
      `the cache holds ${this.capacity} positions; ${position} does not fit`,
    );
    this.#lengths[layer] = length + 1;
    const start = position * this.rowSize;
    return this.#layers[layer]!.data.subarray(start, start + this.rowSize);
  }

  /** The first `count` rows from element `offset` on: 0 for latents, latentSize for keys. */
  rows(layer: number, count: number, offset: number): StridedRows {
    invariant(count <= this.lengthOf(layer), `${count} of ${this.lengthOf(layer)} cached positions`);
    return stridedRows(this.#layers[layer]!, { offset, stride: this.rowSize, rows: count });
  }

  /** All rows that layer `layer` holds, as one matrix [positions, latent + rope]: to send or to compare. */
  contents(layer: number): Float32Array {
    return this.#layers[layer]!.data.subarray(0, this.lengthOf(layer) * this.rowSize);
  }

  /** Forgets every position from `length` on, in all layers. */
  truncate(length: number): void {
    invariant(length >= 0, `a cache of ${length} positions`);
    for (let layer = 0; layer < this.#lengths.length; layer++) {
      this.#lengths[layer] = Math.min(this.#lengths[layer]!, length);
    }
  }
}

/** Bytes of a cache with that capacity. */
export function kvCacheBytes(config: ModelConfig, capacity: number): number {
  return config.layerCount * capacity * cacheRowSize(config) * Float32Array.BYTES_PER_ELEMENT;
}
