// Who waited for whom: for every message, how long after the end of the receiver's own send it arrived, summed by receiver
// and source (as DeepEP's wait_recv_cost_stats, mechanics §2.3). A slow rank is a column, a slow receiver a row, a slow
// path a point. Memory: a number for each pair of ranks.

import { invariant } from "@windtunnel/base";
import { exchangeKey, type RankStep } from "./rank-steps.ts";
import { phaseOf } from "./records.ts";

/** A part of the matrix that stands out, and by how much its mean exceeds that of all. */
export interface WaitFinding {
  readonly kind: "column" | "row" | "point";
  /** Undefined for a column. */
  readonly receiver?: number;
  /** Undefined for a row. */
  readonly source?: number;
  /** Mean wait of a message there, in microseconds, and of all messages. */
  readonly meanUs: number;
  readonly overallUs: number;
}

/**
 * A finding must exceed the median of its kind by this factor, by a microsecond, and, for rows and columns, by so many
 * median deviations: six are four standard ones, so that uneven gates name nobody.
 */
const NOTABLE = 1.25;
const NOTABLE_SPREADS = 6;
const NOTABLE_POINT = 2.5;
const NOTABLE_US = 1;

/** Classes of fewer pairs of ranks say nothing of what is usual. */
const LEAST_CLASS = 3;

/** A row or a column: what is usual there is the median, which a single slow path does not move. */
interface Line {
  readonly mean: number;
  readonly median: number;
}

interface MeasuredMatrix {
  readonly means: Float64Array;
  /** Places with messages. */
  readonly used: readonly number[];
  readonly overall: number;
  readonly rows: readonly Line[];
  readonly columns: readonly Line[];
}

export class WaitMatrix {
  readonly ranks: readonly number[];
  readonly #nodes: readonly number[];
  readonly #indexOf: ReadonlyMap<number, number>;
  /** [receiver, source], in picoseconds, and the number of messages. */
  readonly #waits: Float64Array;
  readonly #counts: Float64Array;

  /** In the order of ranks. */
  constructor(gpus: readonly { readonly rank: number; readonly node: number }[]) {
    this.ranks = gpus.map(({ rank }) => rank);
    this.#nodes = gpus.map(({ node }) => node);
    this.#indexOf = new Map(this.ranks.map((rank, index) => [rank, index]));
    this.#waits = new Float64Array(gpus.length ** 2);
    this.#counts = new Float64Array(gpus.length ** 2);
  }

  /** A rank's step: messages that relays handed on count for the rank that handed them over. */
  add(receiver: number, { spans, messages }: RankStep): void {
    const row = this.#index(receiver);
    const sendEnds = new Map<number, number>();
    for (const span of spans) {
      const phase = phaseOf(span.name);
      if (phase === undefined || !span.name.endsWith(".send")) continue;
      const key = exchangeKey({ ...span, phase });
      sendEnds.set(key, Math.max(sendEnds.get(key) ?? 0, span.end));
    }
    for (const message of messages) {
      const at = row * this.ranks.length + this.#index(message.source);
      const ready = sendEnds.get(exchangeKey(message));
      if (ready === undefined) continue;
      this.#waits[at]! += Math.max(0, message.arrivedAt - ready);
      this.#counts[at]! += 1;
    }
  }

  /** Mean wait of a receiver for a message of a source, in microseconds: row-major, 0 where there was none. */
  means(): Float64Array {
    return this.#waits.map((wait, index) =>
      this.#counts[index] === 0 ? 0 : wait / this.#counts[index]! / 1e6,
    );
  }

  /** What stands out, strongest first. */
  findings(): WaitFinding[] {
    const means = this.means();
    const used = [...means.keys()].filter((index) => this.#counts[index]! > 0);
    const size = this.ranks.length;
    const lines = (of: (index: number) => number): Line[] => {
      const values = Array.from({ length: size }, (): number[] => []);
      for (const index of used) values[of(index)]!.push(means[index]!);
      return values.map((each) => ({ mean: meanOf(each), median: medianOf(each) }));
    };
    const matrix: MeasuredMatrix = {
      means,
      used,
      overall: meanOf(used.map((index) => means[index]!)),
      columns: lines((index) => index % size),
      rows: lines((index) => Math.floor(index / size)),
    };
    return [
      ...this.#notableLines("column", matrix.columns, matrix),
      ...this.#notableLines("row", matrix.rows, matrix),
      ...this.#notablePoints(matrix),
    ].sort((a, b) => b.meanUs - b.overallUs - (a.meanUs - a.overallUs));
  }

  #notableLines(kind: "column" | "row", found: readonly Line[], { overall }: MeasuredMatrix): WaitFinding[] {
    const usual = medianOf(found.map(({ median }) => median));
    const spread = medianOf(found.map(({ median }) => Math.abs(median - usual)));
    const least = Math.max(
      NOTABLE * Math.max(usual, overall),
      usual + NOTABLE_US,
      usual + NOTABLE_SPREADS * spread,
    );
    return found.flatMap(({ median, mean: meanUs }, index): WaitFinding[] => {
      const rank = this.ranks[index]!;
      const place = kind === "column" ? { source: rank } : { receiver: rank };
      return median < least ? [] : [{ kind, ...place, meanUs, overallUs: overall }];
    });
  }

  /** Beyond what its row and its column add to what is usual for a pair of ranks like it. */
  #notablePoints({ means, used, overall, rows, columns }: MeasuredMatrix): WaitFinding[] {
    const size = this.ranks.length;
    const usualOf = this.#usualByClass(means, used);
    const beyond = (lines: readonly Line[], index: number): number =>
      Math.max(0, lines[index]!.median - medianOf(lines.map(({ median }) => median)));
    return used.flatMap((index): WaitFinding[] => {
      const meanUs = means[index]!;
      const [row, column] = [Math.floor(index / size), index % size];
      const usual = usualOf.get(this.#classOf(index));
      if (usual === undefined || meanUs < NOTABLE_POINT * Math.max(usual, overall)) return [];
      const expected = usual + beyond(rows, row) + beyond(columns, column);
      if (meanUs < NOTABLE_POINT * expected || meanUs - expected < NOTABLE_US) return [];
      const [receiver, source] = [this.ranks[row]!, this.ranks[column]!];
      return [{ kind: "point", receiver, source, meanUs, overallUs: overall }];
    });
  }

  #usualByClass(means: Float64Array, used: readonly number[]): Map<string, number> {
    const classes = new Map<string, number[]>();
    for (const index of used) {
      const known = classes.get(this.#classOf(index));
      if (known === undefined) classes.set(this.#classOf(index), [means[index]!]);
      else known.push(means[index]!);
    }
    return new Map(
      [...classes].flatMap(([name, each]) => (each.length < LEAST_CLASS ? [] : [[name, medianOf(each)]])),
    );
  }

  /**
   * Ranks send to the others in turn, and inside a node over NVLink, so the usual wait depends on how far a source is behind
   * its receiver, and on whether they share a node.
   */
  #classOf(index: number): string {
    const size = this.ranks.length;
    const [row, column] = [Math.floor(index / size), index % size];
    return `${(column - row + size) % size} ${this.#nodes[row] === this.#nodes[column]}`;
  }

  #index(rank: number): number {
    const index = this.#indexOf.get(rank);
    invariant(index !== undefined, `rank ${rank} is not in the wait matrix`);
    return index;
  }
}

function meanOf(values: readonly number[]): number {
  return values.reduce((sum, each) => sum + each, 0) / Math.max(1, values.length);
}

export function medianOf(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >>> 1;
  if (sorted.length === 0) return 0;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
