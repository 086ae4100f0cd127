// What parcels carry: their bodies, and a header for all parcels of a shipment or one for each. It is kept by shipment, and
// as long as a parcel of it is on its way.

import { type Bodies, SharedBody } from "./parcels.ts";

export class Letters {
  /** By slot: its letter, and which of the letter's bodies it has. */
  #letterOf = new Int32Array(0);
  #placeOf = new Int32Array(0);
  /** By letter. */
  readonly #bodies: (Bodies | undefined)[] = [];
  readonly #header: unknown[] = [];
  readonly #headers: (readonly unknown[] | undefined)[] = [];
  readonly #left: number[] = [];
  readonly #spare: number[] = [];

  grow(capacity: number): void {
    const longer = (array: Int32Array): Int32Array<ArrayBuffer> => {
      const copy = new Int32Array(capacity);
      copy.set(array);
      return copy;
    };
    this.#letterOf = longer(this.#letterOf);
    this.#placeOf = longer(this.#placeOf);
  }

  /** A letter for `count` parcels, each of which is attached once. */
  open(count: number, bodies: Bodies, header: unknown, headers?: readonly unknown[]): number {
    const letter = this.#spare.pop() ?? this.#left.length;
    this.#left[letter] = count;
    this.#bodies[letter] = bodies;
    this.#header[letter] = header;
    this.#headers[letter] = headers;
    return letter;
  }

  attach(slot: number, letter: number, place: number): void {
    this.#letterOf[slot] = letter;
    this.#placeOf[slot] = place;
  }

  release(slot: number): void {
    const letter = this.#letterOf[slot]!;
    const left = this.#left[letter]! - 1;
    this.#left[letter] = left;
    if (left > 0) return;
    this.#bodies[letter] = undefined;
    this.#header[letter] = undefined;
    this.#headers[letter] = undefined;
    this.#spare.push(letter);
  }

  bodyOf(slot: number): unknown {
    const bodies = this.#bodies[this.#letterOf[slot]!]!;
    return bodies instanceof SharedBody ? bodies.body : bodies[this.#placeOf[slot]!];
  }

  headerOf(slot: number): unknown {
    const letter = this.#letterOf[slot]!;
    const headers = this.#headers[letter];
    return headers === undefined ? this.#header[letter] : headers[this.#placeOf[slot]!];
  }
}
