// The four-lane sum: lane l adds the elements with index ≡ l (mod 4) in order, from +0; the result is
// (l0 + l1) + (l2 + l3). It is what one vector accumulator computes; the order is part of every kernel's answer.

const { fround } = Math;

export class FourLaneSum {
  readonly #lanes = new Float32Array(4);

  clear(): void {
    this.#lanes.fill(0);
  }

  /** Adds the element with this index; indices come in ascending order. */
  add(index: number, element: number): void {
    const lane = index % 4;
    this.#lanes[lane] = fround(this.#lanes[lane]! + element);
  }

  result(): number {
    const [l0, l1, l2, l3] = this.#lanes;
    return fround(fround(l0! + l1!) + fround(l2! + l3!));
  }
}
