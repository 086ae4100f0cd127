// Trace and span ids: a hash of the seed, what the span is of, and its numbers. So ids are the same in every export,
// and a link's or parent's id is computed where it is needed instead of being looked up.

import { mix32, streamKey } from "@windtunnel/base";

/** What an id is of; with it go the numbers that the comment names. */
export type IdKind =
  | "step-trace" // step
  | "request-trace" // request
  | "step" // step
  | "rank" // rank, step
  | "layer" // rank, step, layer
  | "span" // process, sequence
  | "transfer" // rank, step, exchange key
  | "request" // request
  | "queue" // request
  | "request-step"; // request, step

export class SpanIds {
  readonly #seed: number;
  readonly #keys = new Map<string, readonly [number, number, number, number]>();

  constructor(seed: number) {
    this.#seed = seed;
  }

  /** 32 hexadecimal digits. */
  trace(kind: "step-trace" | "request-trace", number: number): string {
    const keys = this.#keysOf(kind);
    const words = keys.map((key) => hex(hashOf(key, number, 0, 0))).join("");
    return words === "0".repeat(32) ? `${"0".repeat(31)}1` : words;
  }

  /** 16 hexadecimal digits. */
  span(kind: IdKind, first: number, second = 0, third = 0): string {
    const keys = this.#keysOf(kind);
    const high = hashOf(keys[0], first, second, third);
    const low = hashOf(keys[1], first, second, third);
    return high === 0 && low === 0 ? `${"0".repeat(15)}1` : hex(high) + hex(low);
  }

  /** Four independent hash functions for each kind. */
  #keysOf(kind: IdKind): readonly [number, number, number, number] {
    const known = this.#keys.get(kind);
    if (known !== undefined) return known;
    const key = (lane: number): number => streamKey(this.#seed, `OpenTelemetry ${kind} ${lane}`);
    const keys = [key(0), key(1), key(2), key(3)] as const;
    this.#keys.set(kind, keys);
    return keys;
  }
}

/** The key goes into every round, so that two lanes don't collide for the same numbers. */
function hashOf(key: number, first: number, second: number, third: number): number {
  let hash = key;
  hash = round(hash, key, first);
  hash = round(hash, key, second);
  return round(hash, key, third);
}

/** Numbers may be up to 2^53: both halves count. */
function round(hash: number, key: number, number: number): number {
  const low = mix32((number >>> 0) + key);
  const high = Math.floor(number / 2 ** 32) | 0;
  return mix32(Math.imul(hash, 0x9e3779b1) ^ low ^ Math.imul(high, 0x85ebca6b));
}

function hex(word: number): string {
  return word.toString(16).padStart(8, "0");
}
