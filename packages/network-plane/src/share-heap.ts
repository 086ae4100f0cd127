// The links that still have something to share, the least share first: a binary heap in packed arrays.
// It knows no flows. Order: by share, then by link, so that no two are equal.

import { invariant } from "@windtunnel/base";

export class ShareHeap {
  readonly #links: Int32Array;
  readonly #shares: Float64Array;
  #count = 0;

  constructor(capacity: number) {
    this.#links = new Int32Array(capacity);
    this.#shares = new Float64Array(capacity);
  }

  get count(): number {
    return this.#count;
  }

  get firstLink(): number {
    return this.#links[0]!;
  }

  get leastShare(): number {
    return this.#shares[0]!;
  }

  push(link: number, share: number): void {
    invariant(this.#count < this.#links.length, "more links than the heap was made for");
    let hole = this.#count++;
    while (hole > 0) {
      const parent = (hole - 1) >> 1;
      if (!this.#precedes(link, share, parent)) break;
      this.#links[hole] = this.#links[parent]!;
      this.#shares[hole] = this.#shares[parent]!;
      hole = parent;
    }
    this.#links[hole] = link;
    this.#shares[hole] = share;
  }

  /** Takes the first link out. */
  pop(): void {
    invariant(this.#count > 0, "a link is taken from an empty heap");
    this.#count--;
    this.#sink(this.#links[this.#count]!, this.#shares[this.#count]!);
  }

  /** The first link has more to share than it had when it was put in. */
  raiseFirst(share: number): void {
    this.#sink(this.#links[0]!, share);
  }

  #sink(link: number, share: number): void {
    let hole = 0;
    for (;;) {
      let child = 2 * hole + 1;
      if (child >= this.#count) break;
      const other = child + 1;
      if (other < this.#count && this.#precedes(this.#links[other]!, this.#shares[other]!, child))
        child = other;
      if (this.#precedes(link, share, child)) break;
      this.#links[hole] = this.#links[child]!;
      this.#shares[hole] = this.#shares[child]!;
      hole = child;
    }
    this.#links[hole] = link;
    this.#shares[hole] = share;
  }

  #precedes(link: number, share: number, place: number): boolean {
    const other = this.#shares[place]!;
    return share < other || (share === other && link < this.#links[place]!);
  }
}
