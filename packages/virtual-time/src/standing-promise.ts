// What a process promises other hosts between two rounds: the earliest instant at which it may send something.
//
// A wait ends at once with whatever arrives, unless it is for a gather: that one is complete only when its last part is
// there. Once all its parts are on their way, it ends no sooner than the latest of them can arrive; and once all have been
// filed, it is known when it ends.

import { NEVER } from "@windtunnel/base";
import type { ClassBound } from "./class-graph.ts";
import type { Gather } from "./gather.ts";
import type { LogicalProcess } from "./logical-process.ts";

/**
 * Numbers of a promise. Those of all processes of a host lie side by side, since a round reads every one: the least `notBefore`
 * and `quiet` of waits that anything may end, those of waits that all parts of a gather on their way end, and the earliest
 * send after waits of which it is known when they end.
 */
export const PROMISE_STRIDE = 8;
const OPEN = 0;
const GATHERED = 2;
const KNOWN = 4;
const QUIET = 1;

export class StandingPromise {
  /** The process may wait for something else than before, or a gather of it may have changed. */
  isStale = true;
  readonly #process: LogicalProcess;
  readonly #gatherOf: (gather: number) => Gather | undefined;
  readonly #numbers: Float64Array;
  readonly #at: number;

  /** `numbers` has room for it from `at` on. */
  constructor(
    process: LogicalProcess,
    gatherOf: (gather: number) => Gather | undefined,
    numbers: Float64Array,
    at: number,
  ) {
    this.#process = process;
    this.#gatherOf = gatherOf;
    this.#numbers = numbers;
    this.#at = at;
  }

  /** Takes it into the bound of the process's class; `earliestTime`: of its pending events. */
  lower(bound: ClassBound, earliestTime: number): void {
    if (this.isStale) this.#renew();
    this.isStale = false;
    const numbers = this.#numbers;
    const [open, gathered] = [this.#at + OPEN, this.#at + GATHERED];
    const [openNotBefore, openQuiet] = [numbers[open]!, numbers[open + QUIET]!];
    bound.notBefore = Math.min(bound.notBefore, openNotBefore);
    bound.quiet = Math.min(bound.quiet, openQuiet);
    bound.gatheredNotBefore = Math.min(bound.gatheredNotBefore, numbers[gathered]!);
    bound.gatheredQuiet = Math.min(bound.gatheredQuiet, numbers[gathered + QUIET]!);
    bound.pendingSend = Math.min(bound.pendingSend, numbers[this.#at + KNOWN]!);
    // An event that ends none of the waits that anything may end is a gather's, and known.
    if (earliestTime === NEVER || openQuiet === NEVER) return;
    bound.pendingSend = Math.min(bound.pendingSend, Math.max(openNotBefore, earliestTime + openQuiet));
  }

  #renew(): void {
    const { waits, outlook } = this.#process;
    const numbers = this.#numbers;
    const [open, gathered, known] = [this.#at + OPEN, this.#at + GATHERED, this.#at + KNOWN];
    numbers.fill(NEVER, this.#at, this.#at + PROMISE_STRIDE);
    if (waits === undefined) {
      numbers[open] = outlook?.notBefore ?? 0;
      numbers[open + QUIET] = outlook?.quiet ?? 0;
      return;
    }
    /** The earliest end of the waits for gathers, and whether one of them is complete. */
    let firstEnd: number = NEVER;
    let isKnown = false;
    for (const wait of waits) {
      if (wait.inner) continue;
      const gather = wait.gather === undefined ? undefined : this.#gatherOf(wait.gather);
      const end = gather?.completeAfter;
      if (end === undefined) {
        this.#lowerTo(open, wait.notBefore, wait.quiet);
        continue;
      }
      const send = Math.max(wait.notBefore, end + wait.quiet);
      if (gather!.isComplete) {
        isKnown = true;
        numbers[known] = Math.min(numbers[known]!, send);
      } else this.#lowerTo(gathered, send, wait.quiet);
      firstEnd = Math.min(firstEnd, end);
    }
    const [anythingEndsOne, partsEndOne] = [
      numbers[open + QUIET] !== NEVER,
      numbers[gathered + QUIET] !== NEVER,
    ];
    for (const { inner, notBefore, quiet } of waits) {
      if (!inner) continue;
      const send = Math.max(notBefore, firstEnd + quiet);
      if (anythingEndsOne) this.#lowerTo(open, notBefore, quiet);
      if (partsEndOne) this.#lowerTo(gathered, send, quiet);
      if (isKnown) numbers[known] = Math.min(numbers[known]!, send);
    }
  }

  #lowerTo(promise: number, notBefore: number, quiet: number): void {
    const numbers = this.#numbers;
    numbers[promise] = Math.min(numbers[promise]!, notBefore);
    numbers[promise + QUIET] = Math.min(numbers[promise + QUIET]!, quiet);
  }
}
