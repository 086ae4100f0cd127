// What a process promises other hosts between two rounds: the earliest instant at which it may send something.
//
// A wait ends at once with whatever arrives, unless it is for a gather: that one is complete only when its last part is
// there. Once all its parts are on their way, it ends no sooner than the latest of them can arrive; and once all have been
// filed, it is known when it ends.

import { NEVER } from "@windtunnel/base";
import type { ClassBound } from "./class-graph.ts";
import type { Gather } from "./gather.ts";
import type { LogicalProcess } from "./logical-process.ts";

export class StandingPromise {
  /** The process may wait for something else than before, or a gather of it may have changed. */
  isStale = true;
  readonly #process: LogicalProcess;
  readonly #gatherOf: (gather: number) => Gather | undefined;
  /** The least promises of waits that anything may end, and of those that all parts of a gather on their way end. */
  readonly #open = { notBefore: 0, quiet: 0 };
  readonly #gathered = { notBefore: 0, quiet: 0 };
  /** The earliest send after waits of which it is known when they end. */
  #known: number = NEVER;

  constructor(process: LogicalProcess, gatherOf: (gather: number) => Gather | undefined) {
    this.#process = process;
    this.#gatherOf = gatherOf;
  }

  /** Takes it into the bound of the process's class; `earliestTime`: of its pending events. */
  lower(bound: ClassBound, earliestTime: number): void {
    if (this.isStale) this.#renew();
    this.isStale = false;
    bound.notBefore = Math.min(bound.notBefore, this.#open.notBefore);
    bound.quiet = Math.min(bound.quiet, this.#open.quiet);
    bound.gatheredNotBefore = Math.min(bound.gatheredNotBefore, this.#gathered.notBefore);
    bound.gatheredQuiet = Math.min(bound.gatheredQuiet, this.#gathered.quiet);
    bound.pendingSend = Math.min(bound.pendingSend, this.#known);
    // An event that ends none of the waits that anything may end is a gather's, and known.
    if (earliestTime === NEVER || this.#open.quiet === NEVER) return;
    bound.pendingSend = Math.min(
      bound.pendingSend,
      Math.max(this.#open.notBefore, earliestTime + this.#open.quiet),
    );
  }

  #renew(): void {
    const { waits, outlook } = this.#process;
    const [open, gathered] = [this.#open, this.#gathered];
    this.#known = NEVER;
    gathered.notBefore = NEVER;
    gathered.quiet = NEVER;
    if (waits === undefined) {
      open.notBefore = outlook?.notBefore ?? 0;
      open.quiet = outlook?.quiet ?? 0;
      return;
    }
    open.notBefore = NEVER;
    open.quiet = NEVER;
    /** The earliest end of the waits for gathers, and whether one of them is complete. */
    let firstEnd: number = NEVER;
    let isKnown = false;
    for (const wait of waits) {
      if (wait.inner) continue;
      const gather = wait.gather === undefined ? undefined : this.#gatherOf(wait.gather);
      const end = gather?.completeAfter;
      if (end === undefined) {
        lowerTo(open, wait.notBefore, wait.quiet);
        continue;
      }
      const send = Math.max(wait.notBefore, end + wait.quiet);
      if (gather!.isComplete) {
        isKnown = true;
        this.#known = Math.min(this.#known, send);
      } else lowerTo(gathered, send, wait.quiet);
      firstEnd = Math.min(firstEnd, end);
    }
    const [anythingEndsOne, partsEndOne] = [open.quiet !== NEVER, gathered.quiet !== NEVER];
    for (const { inner, notBefore, quiet } of waits) {
      if (!inner) continue;
      const send = Math.max(notBefore, firstEnd + quiet);
      if (anythingEndsOne) lowerTo(open, notBefore, quiet);
      if (partsEndOne) lowerTo(gathered, send, quiet);
      if (isKnown) this.#known = Math.min(this.#known, send);
    }
  }
}

function lowerTo(promise: { notBefore: number; quiet: number }, notBefore: number, quiet: number): void {
  promise.notBefore = Math.min(promise.notBefore, notBefore);
  promise.quiet = Math.min(promise.quiet, quiet);
}
