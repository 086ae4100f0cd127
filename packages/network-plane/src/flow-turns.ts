// Whose turn it is to send: a source hands its link one train at a time, of its flows in rounds. It knows flows by
// number, and their order is that of the numbers; no time, no bytes.
// Invariant: in a round, each flow sends one train at most; a flow that comes late joins the round under way.

import { KeyedHeap } from "./keyed-heap.ts";

export class FlowTurns {
  /** Of each flow, the link that it enters first. */
  readonly #firstLinks: Int32Array;
  /** Of each flow, the round in which it sends next, if it is ready by then. */
  readonly #nextRounds: Float64Array;
  /** For each first link: flows that are ready, by round, and the round under way. */
  readonly #ready = new Map<number, KeyedHeap>();
  readonly #rounds = new Map<number, number>();

  constructor(firstLinks: Int32Array) {
    this.#firstLinks = firstLinks;
    this.#nextRounds = new Float64Array(firstLinks.length);
    const flowCounts = new Map<number, number>();
    for (const link of firstLinks) flowCounts.set(link, (flowCounts.get(link) ?? 0) + 1);
    for (const [link, count] of flowCounts) this.#ready.set(link, new KeyedHeap(count));
  }

  /** A flow has a train to send. */
  add(flow: number): void {
    const link = this.#firstLinks[flow]!;
    const round = Math.max(this.#nextRounds[flow]!, this.#rounds.get(link) ?? 0);
    this.#ready.get(link)!.push(flow, round);
  }

  /** The flow whose turn it is at a link; it has to be added again for the next one. Undefined: none is ready. */
  take(link: number): number | undefined {
    const ready = this.#ready.get(link)!;
    if (ready.count === 0) return undefined;
    const [flow, round] = [ready.firstItem, ready.leastKey];
    ready.pop();
    this.#rounds.set(link, round);
    this.#nextRounds[flow] = round + 1;
    return flow;
  }
}
