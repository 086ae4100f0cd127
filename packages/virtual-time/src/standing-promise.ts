// What a process promises other hosts between two rounds: the earliest instant at which it may send something.
//
// A wait ends at once with whatever arrives, unless it is for a gather: that one is complete only when its last part is
// there. While a part has still to set out, nothing ends it that is on its way. Once all its parts are, it ends no sooner than
// the latest of them can arrive; and once all have been filed, it is known when it ends.

import { NEVER } from "@windtunnel/base";
import { type Bounds, PROMISE, promiseLength, QUIET } from "./bounds.ts";
import type { Gather } from "./gather.ts";
import type { LogicalProcess, WaitOutlook } from "./logical-process.ts";

export class StandingPromise {
  /** The process may wait for something else than before, or a gather of it may have changed. */
  isStale = true;
  readonly #process: LogicalProcess;
  readonly #classIndex: number;
  readonly #gatherOf: (gather: number) => Gather | undefined;
  readonly #announces: boolean;
  readonly #classCount: number;
  readonly #numbers: Float64Array;
  readonly #at: number;
  /** Towards some classes only, by their index. */
  #to: (Float64Array | undefined)[] = [];

  /**
   * `announces`: parts of gathers are announced. Promises of all processes of a host lie side by side in `numbers`, since a
   * round reads every one; this one at `at`.
   */
  constructor(
    process: LogicalProcess,
    classes: { readonly own: number; readonly count: number },
    gathers: { readonly of: (gather: number) => Gather | undefined; readonly announces: boolean },
    numbers: Float64Array,
    at: number,
  ) {
    this.#process = process;
    this.#classIndex = classes.own;
    this.#classCount = classes.count;
    this.#gatherOf = gathers.of;
    this.#announces = gathers.announces;
    this.#numbers = numbers;
    this.#at = at;
  }

  /** Takes it into the bounds; `earliestTime`: of the process's pending events. */
  lower(bounds: Bounds, earliestTime: number): void {
    if (this.isStale) this.#renew();
    this.isStale = false;
    bounds.promised(this.#classIndex, undefined, this.#numbers, this.#at, earliestTime);
    for (const [to, numbers] of this.#to.entries())
      if (numbers !== undefined) bounds.promised(this.#classIndex, to, numbers, 0, earliestTime);
  }

  /** Nothing is sent to processes of a class before this instant, whatever arrives. */
  notBeforeTo(to: number): number {
    const least = (numbers: Float64Array, at: number): number => {
      let instant = numbers[at + PROMISE.known]!;
      for (let kind: number = PROMISE.open; kind < promiseLength(this.#classCount); kind += 2)
        instant = Math.min(instant, numbers[at + kind]!);
      return instant;
    };
    const towards = this.#to[to];
    return Math.min(least(this.#numbers, this.#at), towards === undefined ? NEVER : least(towards, 0));
  }

  #renew(): void {
    const { waits, outlook } = this.#process;
    this.#numbers.fill(NEVER, this.#at, this.#at + promiseLength(this.#classCount));
    this.#to = [];
    if (waits === undefined) {
      const { notBefore = 0, quiet = 0 } = outlook ?? {};
      lower(this.#numbers, this.#at, PROMISE.open, notBefore, quiet);
      return;
    }
    const own = waits.filter(({ inner }) => inner === undefined);
    for (const wait of own) this.#lowerAfter(wait, wait, 0);
    for (const wait of waits) {
      if (wait.inner === undefined) continue;
      const before = own.filter(({ end }) => end?.of === wait.inner);
      for (const each of before) this.#lowerAfter(wait, each, each.end!.quiet);
      // The program may wait for the end of another one itself.
      if (before.length === 0) for (const each of own) this.#lowerAfter(wait, each, 0);
    }
  }

  /** A wait that ends no sooner than so long after another, or with itself. */
  #lowerAfter(wait: WaitOutlook, before: WaitOutlook, quietMore: number): void {
    const gather = before.gather === undefined ? undefined : this.#gatherOf(before.gather);
    for (const kind of this.#kindsOf(before, gather))
      this.#lowerTo(wait, kind, gather?.completeAfter, quietMore);
  }

  /** What may end a wait. */
  #kindsOf(
    { gather: number, announcedBy, isTold }: WaitOutlook,
    gather: Gather | undefined,
  ): readonly number[] {
    if (number === undefined) return [isTold === true ? PROMISE.told : PROMISE.open];
    if (gather?.isComplete === true) return [PROMISE.known];
    if (gather?.completeAfter !== undefined) return [PROMISE.gathered];
    if (!this.#announces) return [PROMISE.open];
    const by = announcedBy ?? Array.from({ length: this.#classCount }, (_, index) => index);
    return by.map((each) => PROMISE.unsent + 2 * each);
  }

  /** A wait of a kind, which does not end before `end`; it is quiet for so long more. */
  #lowerTo(
    { notBefore, quiet, towards }: WaitOutlook,
    kind: number,
    end: number | undefined,
    quietMore: number,
  ): void {
    const least = (quietAfter: number): number =>
      end === undefined ? notBefore : Math.max(notBefore, end + quietAfter);
    const lowerIn = (numbers: Float64Array, start: number, quietAfter: number): void =>
      lower(numbers, start, kind, least(quietAfter), quietAfter);
    const beyond = towards === undefined ? quiet : towards.quietBeyond;
    if (typeof beyond === "number") lowerIn(this.#numbers, this.#at, beyond + quietMore);
    if (towards === undefined) return;
    for (let to = 0; to < this.#classCount; to++) {
      const numbers = (): Float64Array => (this.#to[to] ??= this.#noPromise());
      if (towards.classes.includes(to)) lowerIn(numbers(), 0, quiet + quietMore);
      else if (beyond === "told") lower(numbers(), 0, PROMISE.told, least(quietMore), 0);
    }
  }

  #noPromise(): Float64Array {
    return new Float64Array(promiseLength(this.#classCount)).fill(NEVER);
  }
}

function lower(numbers: Float64Array, start: number, kind: number, notBefore: number, quiet: number): void {
  const at = start + kind;
  numbers[at] = Math.min(numbers[at]!, notBefore);
  if (kind !== PROMISE.known) numbers[at + QUIET] = Math.min(numbers[at + QUIET]!, quiet);
}
