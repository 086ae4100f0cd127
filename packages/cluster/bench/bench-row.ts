// What a benchmark reports: the work that was done, counted and not guessed, then its seconds, then what that makes in
// a second. It knows neither screens nor units beyond the names of its numbers.

import { invariant } from "@windtunnel/base";

export interface BenchRow {
  /** Rows that belong side by side share what stands before the first ": ". */
  readonly name: string;
  readonly work: Record<string, number>;
  readonly seconds: number;
  readonly rates: Record<string, number>;
  /** Each at most 78 characters. */
  readonly notes?: string[];
}

export function median(values: readonly number[]): number {
  invariant(values.length > 0, "the median of nothing");
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;
}

/** Seconds that `work` takes on this thread. */
export function secondsOf(work: () => void): number {
  const start = performance.now();
  work();
  return (performance.now() - start) / 1000;
}
