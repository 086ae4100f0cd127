// What parcels carry: their bodies, and the header of their sending. It is kept by shipment, and as long as a parcel of it is
// on its way. Where every sender of an exchange has one body for all, a target finds the bodies of all of them side by side.

import { type Bodies, SharedBody, type Shipment } from "./parcels.ts";

/** Bodies of an exchange by the rank that sent them; each is for every target. */
interface SharedBodies {
  readonly bySource: unknown[];
  /** Parcels that carry one of them and whose targets have not taken it. */
  left: number;
}

/** By letter. */
export class Letters {
  readonly #bodies: (Bodies | undefined)[] = [];
  readonly #header: unknown[] = [];
  readonly #source: number[] = [];
  readonly #left: number[] = [];
  readonly #spare: number[] = [];
  readonly #shared = new Map<number, SharedBodies>();

  /** A letter for `count` parcels, each of which releases it once. */
  open(count: number, shipment: Pick<Shipment, "exchange" | "source" | "bodies" | "header">): number {
    const { exchange, source, bodies, header } = shipment;
    const letter = this.#spare.pop() ?? this.#left.length;
    this.#left[letter] = count;
    this.#bodies[letter] = bodies;
    this.#header[letter] = header;
    this.#source[letter] = source;
    if (bodies instanceof SharedBody) {
      let shared = this.#shared.get(exchange);
      if (shared === undefined) this.#shared.set(exchange, (shared = { bySource: [], left: 0 }));
      shared.bySource[source] = bodies.body;
      shared.left += count;
    }
    return letter;
  }

  release(letter: number): void {
    const left = this.#left[letter]! - 1;
    this.#left[letter] = left;
    if (left > 0) return;
    this.#bodies[letter] = undefined;
    this.#header[letter] = undefined;
    this.#spare.push(letter);
  }

  sourceOf(letter: number): number {
    return this.#source[letter]!;
  }

  headerOf(letter: number): unknown {
    return this.#header[letter];
  }

  bodyOf(letter: number, place: number): unknown {
    const bodies = this.#bodies[letter]!;
    return bodies instanceof SharedBody ? bodies.body : bodies[place];
  }

  isShared(letter: number): boolean {
    return this.#bodies[letter] instanceof SharedBody;
  }

  /**
   * By source, the bodies of an exchange whose senders have one each, for a target that has got so many; undefined where they
   * have one for each target. They are kept until all that were sent are taken.
   */
  takeShared(exchange: number, count: number): readonly unknown[] | undefined {
    const shared = this.#shared.get(exchange);
    if (shared === undefined) return undefined;
    shared.left -= count;
    if (shared.left === 0) this.#shared.delete(exchange);
    return shared.bySource;
  }
}
