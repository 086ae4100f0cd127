// The total order of events, written here and nowhere else: by time, then kind, then source, then sequence.
// No two events share a key: a source numbers the events that it makes, at the moment it makes them.

/** Kinds and sources share one word of the key: kind in the upper bits, source below. */
const SOURCE_BITS = 21;
const SOURCE_LIMIT = 2 ** SOURCE_BITS;
const KIND_LIMIT = 2 ** 10;

/** The second word of an event's key. */
export function rankOfKey(kind: number, source: number): number {
  return kind * SOURCE_LIMIT + source;
}

export function kindOfKey(rank: number): number {
  return rank >> SOURCE_BITS;
}

export function sourceOfKey(rank: number): number {
  return rank & (SOURCE_LIMIT - 1);
}

export function isKind(kind: number): boolean {
  return Number.isInteger(kind) && kind >= 0 && kind < KIND_LIMIT;
}

export function isProcessNumber(process: number): boolean {
  return Number.isInteger(process) && process >= 0 && process < SOURCE_LIMIT;
}

/** Whether the event with the first key comes before the one with the second. */
export function comesBefore(
  time: number,
  rank: number,
  sequence: number,
  otherTime: number,
  otherRank: number,
  otherSequence: number,
): boolean {
  if (time !== otherTime) return time < otherTime;
  if (rank !== otherRank) return rank < otherRank;
  return sequence < otherSequence;
}
