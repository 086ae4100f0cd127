// Which rows a batch has: for each request a stretch of consecutive positions, its cache, and the form in which
// these positions attend. Rows stand in the order of the segments.

import { invariant } from "@windtunnel/base";
import type { KvCache } from "./kv-cache.ts";

/**
 * A position keeps its form for good: prompts are expanded, generated positions absorbed, also when they are
 * computed again. The forms are equal in exact arithmetic and differ in their rounding.
 */
export type AttentionForm = "expanded" | "absorbed";

export interface AttentionSegment {
  readonly cache: KvCache;
  /** Position of the segment's first row; everything before it is in the cache. */
  readonly startPosition: number;
  readonly rowCount: number;
  readonly form: AttentionForm;
}

export interface AttentionBatch {
  readonly segments: readonly AttentionSegment[];
  readonly rowCount: number;
  /** By row. */
  readonly positions: Int32Array;
}

export function attentionBatch(segments: readonly AttentionSegment[]): AttentionBatch {
  const rowCount = segments.reduce((sum, segment) => sum + segment.rowCount, 0);
  const positions = new Int32Array(rowCount);
  forEachRow(segments, (row, position) => {
    positions[row] = position;
  });
  return { segments, rowCount, positions };
}

/** Visits the rows of all segments in order. */
export function forEachRow(
  segments: readonly AttentionSegment[],
  visit: (row: number, position: number, segment: AttentionSegment) => void,
): void {
  let row = 0;
  for (const segment of segments) {
    invariant(segment.rowCount >= 0 && segment.startPosition >= 0, "a segment has positions from 0 on");
    for (let i = 0; i < segment.rowCount; i++) visit(row++, segment.startPosition + i, segment);
  }
}
