// What is due between a process that awaits answers of all processes of a class (`ClassGraph.awaitsAll`) and each of those.

import type { Bounds } from "./bounds.ts";
import type { ClassGraph } from "./class-graph.ts";
import type { EventQueue } from "./event-queue.ts";
import type { StandingPromise } from "./standing-promise.ts";

export class Answers {
  readonly #own: number;
  /** The class that awaits answers of this process, and the one whose answers it awaits; -1: none. */
  readonly #asker: number;
  readonly #asked: number;
  readonly #latency: number;
  readonly #classOf: (process: number) => number;
  /** Answers that it owes, or that it awaits. */
  #due = 0;

  constructor({ names, latency, awaitsAll }: ClassGraph, own: number, classOf: (process: number) => number) {
    this.#own = own;
    this.#classOf = classOf;
    this.#asker = names.findIndex((_, by) => awaitsAll?.(by, own) === true);
    this.#asked = names.findIndex((_, of) => awaitsAll?.(own, of) === true);
    this.#latency = latency[own]![this.#asker] ?? 0;
  }

  /** Undefined where nobody awaits any. */
  static of(graph: ClassGraph, own: number, classOf: (process: number) => number): Answers | undefined {
    const answers = new Answers(graph, own, classOf);
    return answers.#asker < 0 && answers.#asked < 0 ? undefined : answers;
  }

  sentTo(process: number): void {
    const classIndex = this.#classOf(process);
    if (classIndex === this.#asker) this.#due = 0;
    else if (classIndex === this.#asked) this.#due++;
  }

  receivedFrom(process: number): void {
    const classIndex = this.#classOf(process);
    if (classIndex === this.#asker) this.#due = 1;
    else if (classIndex === this.#asked) this.#due--;
  }

  /** What follows from the answers that are due: from the process's promise, or from those that have set out to it. */
  lower(bounds: Bounds, promise: StandingPromise, queue: EventQueue): void {
    if (this.#due === 0) return;
    if (this.#asker >= 0) bounds.awaits(this.#asker, promise.notBeforeTo(this.#asker) + this.#latency);
    else
      bounds.awaits(
        this.#own,
        queue.latestTimeOf((source) => this.#classOf(source) === this.#asked),
      );
  }
}
