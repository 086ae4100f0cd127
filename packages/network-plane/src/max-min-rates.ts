// Max-min fair rates of flows over links, kept up to date while flows come and go: progressive filling
// (mechanics §8.2). It knows no time and no bytes: see `fluid.ts`.
// Invariants: no link carries more than its capacity; no flow could get more without one that has no more getting
// less. The order of all sums follows from the order of the calls, so equal calls give equal bits.

import { invariant } from "@windtunnel/base";
import { KeyedHeap } from "./keyed-heap.ts";

const NONE = -1;

/**
 * Cost of an update, with F flows and L links in the part of the fabric that the changes reach (through flows that
 * share a link, and so on): F · path length, and about L · log L for the next limiting link. Nothing outside that
 * part is looked at.
 */
export class MaxMinRates {
  /** Of each flow, in bytes per nanosecond; 0 while the flow is not there. */
  readonly rates: Float64Array;
  readonly #capacities: Float64Array;
  /** The links of flow f are `#links[#pathStart[f]]` up to `#links[#pathStart[f + 1]]`: an entry each. */
  readonly #pathStart: Int32Array;
  readonly #links: Int32Array;
  readonly #flowOfEntry: Int32Array;
  /** The entries of the flows that are there, as a doubly linked list for each link. */
  readonly #firstEntry: Int32Array;
  readonly #nextEntry: Int32Array;
  readonly #previousEntry: Int32Array;
  readonly #flowsOnLink: Int32Array;
  readonly #isThere: Uint8Array;
  /** Links whose flows changed since the last update. */
  readonly #changedLinks: number[] = [];
  /** Scratch of an update: what each link has left, for how many flows without a rate. */
  readonly #left: Float64Array;
  readonly #unfixed: Int32Array;
  readonly #isReached: Uint8Array;
  readonly #isOpen: Uint8Array;
  readonly #reachedLinks: Int32Array;
  readonly #openFlows: Int32Array;
  readonly #changedFlows: Int32Array;
  readonly #heap: KeyedHeap;

  /** `capacities`: of each link, in bytes per nanosecond; `paths`: of each flow, as numbers of links. */
  constructor(capacities: ArrayLike<number>, paths: readonly (readonly number[])[]) {
    const [linkCount, flowCount] = [capacities.length, paths.length];
    this.#capacities = Float64Array.from(capacities);
    for (const [link, capacity] of this.#capacities.entries()) {
      invariant(capacity > 0 && Number.isFinite(capacity), `link ${link} has a capacity of ${capacity}`);
    }
    this.#pathStart = new Int32Array(flowCount + 1);
    for (const [flow, path] of paths.entries()) {
      invariant(path.length > 0, `flow ${flow} has no links`);
      this.#pathStart[flow + 1] = this.#pathStart[flow]! + path.length;
    }
    const entryCount = this.#pathStart[flowCount]!;
    this.#links = new Int32Array(entryCount);
    this.#flowOfEntry = new Int32Array(entryCount);
    for (const [flow, path] of paths.entries()) {
      for (const [hop, link] of path.entries()) {
        invariant(Number.isInteger(link) && link >= 0 && link < linkCount, `flow ${flow} over link ${link}`);
        this.#links[this.#pathStart[flow]! + hop] = link;
        this.#flowOfEntry[this.#pathStart[flow]! + hop] = flow;
      }
    }
    this.rates = new Float64Array(flowCount);
    this.#firstEntry = new Int32Array(linkCount).fill(NONE);
    this.#nextEntry = new Int32Array(entryCount);
    this.#previousEntry = new Int32Array(entryCount);
    this.#flowsOnLink = new Int32Array(linkCount);
    this.#isThere = new Uint8Array(flowCount);
    this.#left = new Float64Array(linkCount);
    this.#unfixed = new Int32Array(linkCount);
    this.#isReached = new Uint8Array(linkCount);
    this.#isOpen = new Uint8Array(flowCount);
    this.#reachedLinks = new Int32Array(linkCount);
    this.#openFlows = new Int32Array(flowCount);
    this.#changedFlows = new Int32Array(flowCount);
    this.#heap = new KeyedHeap(linkCount);
  }

  /** A flow begins; it has its rate after the next update. */
  add(flow: number): void {
    invariant(this.#isThere[flow] === 0, `flow ${flow} begins twice`);
    this.#isThere[flow] = 1;
    for (let entry = this.#pathStart[flow]!; entry < this.#pathStart[flow + 1]!; entry++) {
      const link = this.#links[entry]!;
      const first = this.#firstEntry[link]!;
      this.#nextEntry[entry] = first;
      this.#previousEntry[entry] = NONE;
      if (first !== NONE) this.#previousEntry[first] = entry;
      this.#firstEntry[link] = entry;
      this.#flowsOnLink[link] = this.#flowsOnLink[link]! + 1;
      this.#changedLinks.push(link);
    }
  }

  /** A flow ends: its rate is 0 at once, that of others after the next update. */
  remove(flow: number): void {
    invariant(this.#isThere[flow] === 1, `flow ${flow} ends and is not there`);
    this.#isThere[flow] = 0;
    this.rates[flow] = 0;
    for (let entry = this.#pathStart[flow]!; entry < this.#pathStart[flow + 1]!; entry++) {
      const link = this.#links[entry]!;
      const next = this.#nextEntry[entry]!;
      const previous = this.#previousEntry[entry]!;
      if (next !== NONE) this.#previousEntry[next] = previous;
      if (previous === NONE) this.#firstEntry[link] = next;
      else this.#nextEntry[previous] = next;
      this.#flowsOnLink[link] = this.#flowsOnLink[link]! - 1;
      this.#changedLinks.push(link);
    }
  }

  /** Fills the links that the changes reach anew. Returns the flows with another rate than before: a view, valid until the next update. */
  update(): Int32Array {
    const linkCount = this.#reach();
    return this.#changedFlows.subarray(0, this.#fill(linkCount));
  }

  /** Marks the links and flows that the changed links have to do with; returns the number of links. */
  #reach(): number {
    let linkCount = 0;
    let flowCount = 0;
    const reachLink = (link: number): void => {
      if (this.#isReached[link] === 1 || this.#flowsOnLink[link] === 0) return;
      this.#isReached[link] = 1;
      this.#left[link] = this.#capacities[link]!;
      this.#unfixed[link] = this.#flowsOnLink[link]!;
      this.#reachedLinks[linkCount++] = link;
    };
    for (const link of this.#changedLinks) reachLink(link);
    this.#changedLinks.length = 0;
    for (let i = 0; i < linkCount; i++) {
      let entry = this.#firstEntry[this.#reachedLinks[i]!]!;
      for (; entry !== NONE; entry = this.#nextEntry[entry]!) {
        const flow = this.#flowOfEntry[entry]!;
        if (this.#isOpen[flow] === 1) continue;
        this.#isOpen[flow] = 1;
        this.#openFlows[flowCount++] = flow;
        for (let other = this.#pathStart[flow]!; other < this.#pathStart[flow + 1]!; other++) {
          reachLink(this.#links[other]!);
        }
      }
    }
    return linkCount;
  }

  /**
   * Again and again, the link with the least share left for each of its flows gives them that rate. Fixing flows at
   * the least rate never lowers another link's share: shares in the heap are too low at worst, and are raised when
   * they come first.
   */
  #fill(linkCount: number): number {
    const heap = this.#heap;
    for (let i = 0; i < linkCount; i++) {
      const link = this.#reachedLinks[i]!;
      this.#isReached[link] = 0;
      heap.push(link, this.#left[link]! / this.#unfixed[link]!);
    }
    let changedCount = 0;
    let level = 0;
    while (heap.count > 0) {
      const link = heap.firstItem;
      if (this.#unfixed[link] === 0) {
        heap.pop();
        continue;
      }
      const share = this.#left[link]! / this.#unfixed[link]!;
      if (share > heap.leastKey) {
        heap.raiseFirst(share);
        continue;
      }
      heap.pop();
      // Rounding must not let the rate fall from round to round, or even below zero.
      level = Math.max(level, share);
      for (let entry = this.#firstEntry[link]!; entry !== NONE; entry = this.#nextEntry[entry]!) {
        const flow = this.#flowOfEntry[entry]!;
        if (this.#isOpen[flow] === 0) continue;
        if (this.rates[flow] !== level) this.#changedFlows[changedCount++] = flow;
        this.#fix(flow, level);
      }
    }
    return changedCount;
  }

  #fix(flow: number, rate: number): void {
    this.#isOpen[flow] = 0;
    this.rates[flow] = rate;
    for (let entry = this.#pathStart[flow]!; entry < this.#pathStart[flow + 1]!; entry++) {
      const link = this.#links[entry]!;
      this.#left[link] = this.#left[link]! - rate;
      this.#unfixed[link] = this.#unfixed[link]! - 1;
    }
  }
}
