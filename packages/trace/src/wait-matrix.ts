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

/** A row or a column. */
interface Line {
  readonly mean: number;
  readonly median: number;
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
    const size = this.ranks.length;
    const used = [...means.keys()].filter((index) => this.#counts[index]! > 0);
    const meanOf = (values: readonly number[]): number =>
      values.reduce((sum, each) => sum + each, 0) / Math.max(1, values.length);
    const overall = meanOf(used.map((index) => means[index]!));
    // By their medians, which a single slow path does not move.
    const lines = (of: (index: number) => number): Line[] => {
      const values = Array.from({ length: size }, (): number[] => []);
      for (const index of used) values[of(index)]!.push(means[index]!);
      return values.map((each) => ({ mean: meanOf(each), median: medianOf(each) }));
    };
    const columns = lines((index) => index % size);
    const rows = lines((index) => Math.floor(index / size));
    const findings: WaitFinding[] = [];
    const note = (kind: "column" | "row", found: readonly Line[]): void => {
      const usual = medianOf(found.map(({ median }) => median));
      const spread = medianOf(found.map(({ median }) => Math.abs(median - usual)));
      const least = Math.max(
        NOTABLE * Math.max(usual, overall),
        usual + NOTABLE_US,
        usual + NOTABLE_SPREADS * spread,
      );
      for (const [index, { median, mean: meanUs }] of found.entries()) {
        if (median < least) continue;
        const rank = this.ranks[index]!;
        findings.push({
          kind,
          ...(kind === "column" ? { source: rank } : { receiver: rank }),
          meanUs,
          overallUs: overall,
        });
      }
    };
    note("column", columns);
    note("row", rows);
    // Ranks send to the others in turn, and inside a node over NVLink, so the usual wait depends on how far a source is
    // behind its receiver, and on whether they share a node.
    const classes = new Map<string, number[]>();
    const classOf = (index: number): string => {
      const [row, column] = [Math.floor(index / size), index % size];
      return `${(column - row + size) % size} ${this.#nodes[row] === this.#nodes[column]}`;
    };
    for (const [index, meanUs] of means.entries()) {
      if (this.#counts[index] === 0) continue;
      const name = classOf(index);
      const known = classes.get(name);
      if (known === undefined) classes.set(name, [meanUs]);
      else known.push(meanUs);
    }
    const usualOf = new Map(
      [...classes].flatMap(([name, each]) =>
        each.length < LEAST_CLASS ? [] : [[name, medianOf(each)] as const],
      ),
    );
    const usualRow = medianOf(rows.map(({ median }) => median));
    const usualColumn = medianOf(columns.map(({ median }) => median));
    for (const [index, meanUs] of means.entries()) {
      const [row, column] = [Math.floor(index / size), index % size];
      const beside =
        Math.max(0, rows[row]!.median - usualRow) + Math.max(0, columns[column]!.median - usualColumn);
      const usual = usualOf.get(classOf(index));
      if (usual === undefined) continue;
      const expected = usual + beside;
      if (meanUs < NOTABLE_POINT * Math.max(expected, overall) || meanUs - expected < NOTABLE_US) continue;
      const [receiver, source] = [this.ranks[row]!, this.ranks[column]!];
      findings.push({ kind: "point", receiver, source, meanUs, overallUs: overall });
    }
    return findings.sort((a, b) => b.meanUs - b.overallUs - (a.meanUs - a.overallUs));
  }

  #index(rank: number): number {
    const index = this.#indexOf.get(rank);
    invariant(index !== undefined, `rank ${rank} is not in the wait matrix`);
    return index;
  }
}

export function medianOf(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >>> 1;
  if (sorted.length === 0) return 0;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
