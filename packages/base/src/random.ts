// Seeded random streams: counter-based, so a draw depends on (seed, stream name, index) and on nothing else.
// Every component has its own named stream; one more draw here shifts nothing there.

import { cos, log } from "./transcendental.ts";

/** Mixes 32 bits so that every input bit reaches every output bit (Ellis, "lowbias32"). */
export function mix32(value: number): number {
  let x = value | 0;
  x = Math.imul(x ^ (x >>> 16), 0x7feb352d);
  x = Math.imul(x ^ (x >>> 15), 0x846ca68b);
  return (x ^ (x >>> 16)) >>> 0;
}

/** A 32-bit key of a seed and a name (FNV-1a over the name's UTF-16 units, then mixed). */
export function streamKey(seed: number, name: string): number {
  let hash = (0x811c9dc5 ^ mix32(seed)) >>> 0;
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193);
  return mix32(hash);
}

export class RandomStream {
  readonly #key: number;
  #index = 0;

  constructor(seed: number, name: string) {
    this.#key = streamKey(seed, name);
  }

  /** An integer in [0, 2^32). */
  uint32(): number {
    const index = this.#index++;
    return mix32(mix32(index ^ this.#key) + Math.imul(this.#key, 0x9e3779b1) + index);
  }

  /** A multiple of 2^-32 in [0, 1). */
  uniform(): number {
    return this.uint32() / 2 ** 32;
  }

  /** An integer in [0, count). */
  below(count: number): number {
    return Math.floor(this.uniform() * count);
  }

  /** A standard normal value (Box and Muller), from two draws. */
  normal(): number {
    const radius = Math.sqrt(-2 * log(1 - this.uniform()));
    return radius * cos(2 * Math.PI * this.uniform());
  }
}
