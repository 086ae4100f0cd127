// Rows on their way to experts, and outputs on their way back. What arrives is read only; blocks of a layout share its
// offsets, so that a block of a message is a few numbers.

import type { Payload } from "@windtunnel/base";
import type { DispatchLayout } from "@windtunnel/router";

/** Rows of one rank for the experts of another, by expert, then token: a copy of a token for each of its choices. */
export class RowBlock {
  /** The rank of the unit whose tokens they are, and the one whose experts they are for. */
  readonly source: number;
  readonly target: number;
  readonly rows: number;
  /** Absent where nothing is executed. */
  readonly payload?: Payload;
  /** Rows of local expert i are offsets[first + i] … offsets[first + i + 1]. */
  readonly #offsets: Int32Array;
  readonly #first: number;
  readonly #experts: number;

  constructor(
    ends: { readonly source: number; readonly target: number },
    offsets: Int32Array,
    first: number,
    experts: number,
    payload: Payload | undefined,
  ) {
    this.source = ends.source;
    this.target = ends.target;
    this.rows = offsets[first + experts]! - offsets[first]!;
    this.#offsets = offsets;
    this.#first = first;
    this.#experts = experts;
    if (payload !== undefined) this.payload = payload;
  }

  /** Rows for each expert of the target: [experts]. */
  get counts(): Int32Array {
    return Int32Array.from({ length: this.#experts }, (_, expert) => this.countOf(expert));
  }

  get expertCount(): number {
    return this.#experts;
  }

  countOf(expert: number): number {
    const at = this.#first + expert;
    return this.#offsets[at + 1]! - this.#offsets[at]!;
  }
}

/** Outputs for the rows of a block, in their order; source and target are the block's. */
export class OutputBlock {
  readonly source: number;
  readonly target: number;
  readonly rows: number;
  readonly payload?: Payload;

  constructor(
    { source, target, rows }: Pick<RowBlock, "source" | "target" | "rows">,
    payload: Payload | undefined,
  ) {
    this.source = source;
    this.target = target;
    this.rows = rows;
    if (payload !== undefined) this.payload = payload;
  }
}

/** Blocks of a layout without payload follow from the layout alone: they are made once. */
const blocksOf = new WeakMap<DispatchLayout, Map<number, readonly RowBlock[]>>();

/** For each rank of the unit the rows of `source` that are for its experts. */
export function rowBlocks(
  layout: DispatchLayout,
  source: number,
  shape: { readonly degree: number; readonly expertsPerRank: number },
  payloads: readonly Payload[] | undefined,
): readonly RowBlock[] {
  const { degree, expertsPerRank } = shape;
  const make = (): readonly RowBlock[] =>
    Array.from({ length: degree }, (_, target) => {
      const first = target * expertsPerRank;
      return new RowBlock({ source, target }, layout.rowOffsets, first, expertsPerRank, payloads?.[target]);
    });
  if (payloads !== undefined) return make();
  let bySource = blocksOf.get(layout);
  if (bySource === undefined) blocksOf.set(layout, (bySource = new Map()));
  let blocks = bySource.get(source);
  if (blocks === undefined) bySource.set(source, (blocks = make()));
  return blocks;
}

/** All rows of a rank without payload, for whichever target: what all messages of its dispatch share. */
export class CountedRows {
  readonly source: number;
  /** Rows of physical expert p are offsets[p] … offsets[p + 1]. */
  readonly offsets: Int32Array;
  readonly expertsPerRank: number;

  constructor(source: number, offsets: Int32Array, expertsPerRank: number) {
    this.source = source;
    this.offsets = offsets;
    this.expertsPerRank = expertsPerRank;
  }

  rowsFor(target: number): number {
    const first = target * this.expertsPerRank;
    return this.offsets[first + this.expertsPerRank]! - this.offsets[first]!;
  }
}

/** The outputs of a rank without payload, for whichever source: what all messages of its combine share. */
export class CountedOutputs {
  readonly target: number;

  constructor(target: number) {
    this.target = target;
  }
}
