// Arithmetic of sets of instants. A set is a flat list [start, end, start, end, …] of half-open intervals,
// ascending, disjoint and not touching, none empty; so equal sets are equal lists. Values are integers (picoseconds),
// so every result is exact. It knows nothing of what the intervals mean.

export type Intervals = readonly number[];

export const NO_INTERVALS: Intervals = [];

/** The union of any intervals, given as flat pairs in any order; empty ones count for nothing. */
export function unionOf(pairs: readonly number[]): Intervals {
  // Starts and ends sorted apart: sweeping both, an instant is covered while more have started than ended.
  const count = pairs.length / 2;
  const starts = new Float64Array(count);
  const ends = new Float64Array(count);
  let length = 0;
  for (let i = 0; i < count; i++) {
    const start = pairs[2 * i]!;
    const end = pairs[2 * i + 1]!;
    if (end <= start) continue;
    starts[length] = start;
    ends[length] = end;
    length += 1;
  }
  const sortedStarts = starts.subarray(0, length).sort();
  const sortedEnds = ends.subarray(0, length).sort();
  const result: number[] = [];
  let started = 0;
  for (let ended = 0; ended < length; ended++) {
    if (started === ended) result.push(sortedStarts[started]!);
    // All that start up to this end, also exactly there, belong to the same interval.
    while (started < length && sortedStarts[started]! <= sortedEnds[ended]!) started += 1;
    if (started === ended + 1) result.push(sortedEnds[ended]!);
  }
  return result;
}

/** The union of sets. */
export function unionOfSets(sets: readonly Intervals[]): Intervals {
  return sets.length === 1 ? sets[0]! : unionOf(sets.flat());
}

/** What is in both sets. */
export function intersectionOf(a: Intervals, b: Intervals): Intervals {
  const result: number[] = [];
  let i = 0;
  let j = 0;
  while (i < a.length && j < b.length) {
    const start = Math.max(a[i]!, b[j]!);
    const end = Math.min(a[i + 1]!, b[j + 1]!);
    if (start < end) result.push(start, end);
    if (a[i + 1]! <= b[j + 1]!) i += 2;
    else j += 2;
  }
  return result;
}

/** What is in `a` and not in `b`. */
export function differenceOf(a: Intervals, b: Intervals): Intervals {
  const result: number[] = [];
  let j = 0;
  for (let i = 0; i < a.length; i += 2) {
    let start = a[i]!;
    const end = a[i + 1]!;
    while (j < b.length && b[j + 1]! <= start) j += 2;
    for (let k = j; k < b.length && b[k]! < end; k += 2) {
      if (b[k]! > start) result.push(start, b[k]!);
      start = Math.max(start, b[k + 1]!);
    }
    if (start < end) result.push(start, end);
  }
  return result;
}

/** The summed length of a set's intervals. */
export function lengthOf(set: Intervals): number {
  let sum = 0;
  for (let i = 0; i < set.length; i += 2) sum += set[i + 1]! - set[i]!;
  return sum;
}
