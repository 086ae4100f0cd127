// Two running 32-bit hashes over the keys of the events that a process handled, in order, and two sums of hashes over the
// parts of its gathers, which have no order until all are there. Cheap enough to stay on; equal digests of two placements
// mean equal histories.

import { mix32 } from "@windtunnel/base";

const FIRST_LOW = 0x9e3779b9;
const FIRST_HIGH = 0x85ebca6b;

/** A part of a gather, as far as it counts here; an object, since V8 makes one of every such number that is handed on. */
type Part = Readonly<{ time: number; sequence: number; size: number }>;

export class EventDigest {
  #low = FIRST_LOW | 0;
  #high = FIRST_HIGH | 0;
  #partsLow = 0;
  #partsHigh = 0;
  #count = 0;

  add(time: number, rank: number, sequence: number, size: number): void {
    const timeHigh = (time / 4_294_967_296) | 0;
    let low = Math.imul(this.#low ^ (time | 0), 0xcc9e2d51 | 0);
    low = Math.imul(((low << 15) | (low >>> 17)) ^ timeHigh, 0x1b873593);
    let high = Math.imul(this.#high ^ (rank | 0) ^ low, 0x85ebca6b | 0);
    high = Math.imul(((high << 13) | (high >>> 19)) ^ (sequence | 0), 0xc2b2ae35 | 0);
    this.#low = low ^ (high >>> 16) ^ (size | 0);
    this.#high = high ^ (low >>> 13) ^ ((size / 4_294_967_296) | 0);
    this.#count++;
  }

  /** Both hashes as they are, for a process that takes its own events into them as `add` does … */
  get low(): number {
    return this.#low;
  }

  get high(): number {
    return this.#high;
  }

  /** … and says how they are after so many. */
  goOn(low: number, high: number, count: number): void {
    this.#low = low;
    this.#high = high;
    this.#count += count;
  }

  addPart({ time, sequence, size }: Part, rank: number): void {
    const timeHigh = (time / 4_294_967_296) | 0;
    let low = Math.imul(FIRST_LOW ^ (time | 0), 0xcc9e2d51 | 0);
    low = Math.imul(((low << 15) | (low >>> 17)) ^ timeHigh ^ (size | 0), 0x1b873593);
    let high = Math.imul(FIRST_HIGH ^ (rank | 0) ^ low, 0x85ebca6b | 0);
    high = Math.imul(((high << 13) | (high >>> 19)) ^ (sequence | 0), 0xc2b2ae35 | 0);
    low ^= high >>> 16;
    this.#partsLow = (this.#partsLow + low) | 0;
    this.#partsHigh = (this.#partsHigh + (high ^ (low >>> 13))) | 0;
    this.#count++;
  }

  /** Sixteen hexadecimal digits, and the number of events and parts. */
  toString(): string {
    const word = (value: number): string => mix32(value).toString(16).padStart(8, "0");
    const [low, high] = [this.#low ^ mix32(this.#partsLow), this.#high ^ mix32(this.#partsHigh)];
    return `${word(low)}${word(high)}:${this.#count}`;
  }
}
