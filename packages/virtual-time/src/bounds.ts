// What hosts know of each class after a pass over its events, as numbers side by side: least instants and durations, `NEVER`
// where there are none.

import { invariant, NEVER } from "@windtunnel/base";
import type { Reach } from "./horizons.ts";

/** Of a class, first: the earliest event that was sent to other hosts since the last round, … */
const JUST_SENT = 0;
/** … and that carriers handed on, … */
const JUST_HANDED = 1;
/** … the earliest pending event, … */
const PENDING = 2;
/** … the latest answer that it awaits before it sends, negated, … */
const AWAITED = 3;
/** … and the earliest part of a gather that was announced to other hosts, by the class that it goes to first. */
const JUST_ANNOUNCED = 4;

/**
 * Then the earliest send that follows from what is known, and what waits promise: not before, and not sooner than this after
 * what ends them. First towards all classes, then what holds towards each one besides.
 */
export const PROMISE = {
  /** After pending events, and after waits of which it is known when they end. */
  known: 0,
  /** After waits that anything may end that arrives. */
  open: 1,
  /** After waits that only what is sent ends, and not what is handed on. */
  told: 3,
  /** After waits for gathers whose parts are all on their way. */
  gathered: 5,
  /**
   * After waits for gathers of which a part has still to be sent, by the class that it will go to first: nothing ends them that
   * is on its way.
   */
  unsent: 7,
} as const;
export const QUIET = 1;

/** Numbers of a promise. */
export function promiseLength(classCount: number): number {
  return PROMISE.unsent + 2 * classCount;
}

export class Bounds {
  readonly #numbers: Float64Array;
  readonly #classCount: number;
  readonly #promiseLength: number;
  readonly #stride: number;

  constructor(classCount: number) {
    this.#classCount = classCount;
    this.#promiseLength = promiseLength(classCount);
    this.#stride = JUST_ANNOUNCED + classCount + (1 + classCount) * this.#promiseLength;
    this.#numbers = new Float64Array(classCount * this.#stride).fill(NEVER);
  }

  /** As new. */
  clear(): void {
    this.#numbers.fill(NEVER);
  }

  /** [numbers · 2]: for another host, where each number stands that is not `NEVER`, and the number. */
  pack(): Float64Array {
    const pairs: number[] = [];
    for (const [at, number] of this.#numbers.entries()) if (number !== NEVER) pairs.push(at, number);
    return Float64Array.from(pairs);
  }

  /** Takes another host's in: the least of both. */
  lowerTo(packed: Float64Array): void {
    for (let pair = 0; pair < packed.length; pair += 2) {
      const at = packed[pair]!;
      invariant(at < this.#numbers.length, "bounds of two hosts have as many classes");
      this.#lower(at, packed[pair + 1]!);
    }
  }

  /** An event for a class on another host, sent or handed on. */
  sent(toClass: number, time: number, isHanded: boolean): void {
    this.#lower(toClass * this.#stride + (isHanded ? JUST_HANDED : JUST_SENT), time);
  }

  /** A part for a class on another host, which goes to class `by` first. */
  announced(toClass: number, by: number, notBefore: number): void {
    this.#lower(toClass * this.#stride + JUST_ANNOUNCED + by, notBefore);
  }

  /** An event that a process of this class has still to handle. */
  pending(inClass: number, time: number): void {
    this.#lower(inClass * this.#stride + PENDING, time);
  }

  /** The only process of `by` awaits an answer, which does not arrive before `time`. */
  awaits(by: number, time: number): void {
    this.#lower(by * this.#stride + AWAITED, -time);
  }

  /** A promise of a process of `from`, as of `PROMISE` from `at` on, towards one class or all; an event pends at `earliestTime`. */
  promised(
    from: number,
    to: number | undefined,
    promise: Float64Array,
    at: number,
    earliestTime: number,
  ): void {
    const start = this.#promiseOf(from, to);
    for (let index = 0; index < this.#promiseLength; index++)
      this.#lower(start + index, promise[at + index]!);
    // An event that ends none of the waits that it may end is a gather's, and known.
    if (earliestTime === NEVER) return;
    for (const wait of [PROMISE.open, PROMISE.told]) {
      const quiet = promise[at + wait + QUIET]!;
      if (quiet !== NEVER)
        this.#lower(start + PROMISE.known, Math.max(promise[at + wait]!, earliestTime + quiet));
    }
  }

  /** Nothing is pending anywhere. */
  get isIdle(): boolean {
    for (let index = 0; index < this.#classCount; index++) {
      const head = index * this.#stride;
      for (const number of [JUST_SENT, JUST_HANDED, PENDING])
        if (this.#numbers[head + number] !== NEVER) return false;
    }
    return true;
  }

  /** The least instant at which a process of `from` may send to one of `to`, where this reaches it. */
  earliestSend(from: number, to: number, reach: Reach): number {
    return Math.max(
      -this.#numbers[from * this.#stride + AWAITED]!,
      Math.min(
        this.#earliestSend(from, this.#promiseOf(from, undefined), reach),
        this.#earliestSend(from, this.#promiseOf(from, to), reach),
      ),
    );
  }

  #earliestSend(from: number, promise: number, { any, sent, announced }: Reach): number {
    const numbers = this.#numbers;
    const head = from * this.#stride;
    const after = (wait: number, instant: number): number =>
      instant === NEVER
        ? NEVER
        : Math.max(numbers[promise + wait]!, instant + numbers[promise + wait + QUIET]!);
    const told = Math.min(sent[from]!, numbers[head + JUST_SENT]!);
    const arrival = Math.min(told, any[from]!, numbers[head + JUST_HANDED]!);
    let earliest = Math.min(
      numbers[promise + PROMISE.known]!,
      after(PROMISE.open, arrival),
      after(PROMISE.told, told),
      after(PROMISE.gathered, arrival),
    );
    for (let by = 0; by < this.#classCount; by++) {
      const announcement = Math.min(announced[by]![from]!, numbers[head + JUST_ANNOUNCED + by]!);
      earliest = Math.min(earliest, after(PROMISE.unsent + 2 * by, announcement));
    }
    return earliest;
  }

  #promiseOf(from: number, to: number | undefined): number {
    const first = from * this.#stride + JUST_ANNOUNCED + this.#classCount;
    return first + (to === undefined ? 0 : 1 + to) * this.#promiseLength;
  }

  #lower(at: number, value: number): void {
    if (value < this.#numbers[at]!) this.#numbers[at] = value;
  }
}
