// How far a process that runs programs may go beyond the horizon of its class. Parts of gathers are no events: where a process
// waits for gathers, the next thing that can become an event for it is the first of them to be complete, or what it is sent.
// There it may ask for a gather of which nobody knows yet whether it is complete by then. It stops, and goes on once that is
// known, at the same instant and without an event, as if the gather had been complete when it asked.

import { invariant, NEVER } from "@windtunnel/base";
import type { Gather } from "./gather.ts";
import type { Reach } from "./horizons.ts";
import type { WaitOutlook } from "./logical-process.ts";

/** A gather that was asked for, and the kind of the event that says that it is complete. */
export interface AskedGather {
  readonly number: number;
  readonly kind: number;
  readonly announcedBy: readonly number[] | undefined;
}

export class RunAhead {
  readonly #classIndex: number;
  readonly #gatherOf: (number: number) => Gather | undefined;
  /** What may still reach the process's class: of the pass that is under way. */
  #reach: Reach | undefined;
  #undecided: AskedGather | undefined;

  constructor(classIndex: number, gatherOf: (number: number) => Gather | undefined) {
    this.#classIndex = classIndex;
    this.#gatherOf = gatherOf;
  }

  /** A pass begins. */
  begin(reach: Reach): void {
    this.#reach = reach;
  }

  get horizon(): number {
    return this.#reach!.any[this.#classIndex]!;
  }

  /** Below which a process with these waits may handle its events. */
  horizonOf(waits: readonly WaitOutlook[]): number {
    if (this.#undecided !== undefined) return this.horizon;
    let earliest = this.#reach!.sent[this.#classIndex]!;
    for (const { gather, announcedBy, inner } of waits) {
      if (gather === undefined || inner !== undefined) continue;
      earliest = Math.min(earliest, this.#incompleteUntil(gather, announcedBy));
    }
    return Math.max(this.horizon, earliest);
  }

  /** A process asks, at `now`, for a gather that is not complete. */
  ask(gather: AskedGather, now: number): void {
    if (this.#reach === undefined || now < this.horizon) return;
    if (this.#incompleteUntil(gather.number, gather.announcedBy) > now) return;
    invariant(this.#undecided === undefined, "a process asks for a gather behind one that is not decided");
    this.#undecided = gather;
  }

  /** Whether the process has stopped. */
  get isStopped(): boolean {
    return this.#undecided !== undefined;
  }

  /** Whether it is this gather for which the process has stopped. */
  stopsFor(number: number): boolean {
    return this.#undecided?.number === number;
  }

  /** The gather for which the process stopped at `now`, when it is complete: then or later. */
  decided(now: number): AskedGather | undefined {
    const asked = this.#undecided;
    if (asked === undefined) return undefined;
    const isComplete = this.#gatherOf(asked.number)?.isComplete === true;
    if (isComplete || this.#incompleteUntil(asked.number, asked.announcedBy) > now)
      this.#undecided = undefined;
    return isComplete ? asked : undefined;
  }

  /** The least instant at which a gather becomes complete; `NEVER` if it is. */
  #incompleteUntil(number: number, announcedBy: readonly number[] | undefined): number {
    const gather = this.#gatherOf(number);
    if (gather?.isComplete === true) return NEVER;
    const { completeAfter } = gather ?? {};
    if (completeAfter !== undefined) return Math.max(this.horizon, completeAfter);
    const { announced } = this.#reach!;
    let least: number = NEVER;
    for (const by of announcedBy ?? announced.keys())
      least = Math.min(least, announced[by]![this.#classIndex]!);
    return Math.max(this.horizon, least);
  }
}
