// Processes belong to classes; the graph says which class may send to which, and how long that takes at least.
// From the earliest pending events and the programs' promises follows, for each class, the horizon below which
// nothing more can arrive.

import { type Duration, type Instant, invariant, NEVER } from "@windtunnel/base";

export interface ClassGraph {
  readonly names: readonly string[];
  /** latency[from][to]: the least time from sending to arrival; undefined where nothing is ever sent. */
  readonly latency: readonly (readonly (Duration | undefined)[])[];
}

/** What a host knows of one class after a pass over its events. */
export interface ClassBound {
  /** The earliest send that pending events can cause: for each, the later of its process's notBefore and its time + quiet. */
  pendingSend: number;
  /** The earliest event that this host has sent to other hosts since the last round. */
  justSent: number;
  /** Least promises over the class's processes on this host. */
  notBefore: number;
  quiet: number;
  /**
   * The same of waits for gathers whose parts are all on their way: nothing is sent before, whatever arrives, and not sooner
   * than this after an arrival.
   */
  gatheredNotBefore: number;
  gatheredQuiet: number;
}

export function emptyBounds(classCount: number): ClassBound[] {
  return Array.from({ length: classCount }, () => ({
    pendingSend: NEVER,
    justSent: NEVER,
    notBefore: NEVER,
    quiet: NEVER,
    gatheredNotBefore: NEVER,
    gatheredQuiet: NEVER,
  }));
}

const NUMBERS = 6;

/** Bounds as numbers side by side: for a frame, the same length whatever they are. */
export function packBounds(bounds: readonly ClassBound[]): Float64Array {
  const packed = new Float64Array(bounds.length * NUMBERS);
  for (const [index, bound] of bounds.entries()) {
    const { pendingSend, justSent, notBefore, quiet, gatheredNotBefore, gatheredQuiet } = bound;
    packed.set([pendingSend, justSent, notBefore, quiet, gatheredNotBefore, gatheredQuiet], index * NUMBERS);
  }
  return packed;
}

/** The least of a host's bounds and another's, into the first. */
export function lowerBounds(into: readonly ClassBound[], other: Float64Array): void {
  for (const [index, bound] of into.entries()) {
    const at = index * NUMBERS;
    bound.pendingSend = Math.min(bound.pendingSend, other[at]!);
    bound.justSent = Math.min(bound.justSent, other[at + 1]!);
    bound.notBefore = Math.min(bound.notBefore, other[at + 2]!);
    bound.quiet = Math.min(bound.quiet, other[at + 3]!);
    bound.gatheredNotBefore = Math.min(bound.gatheredNotBefore, other[at + 4]!);
    bound.gatheredQuiet = Math.min(bound.gatheredQuiet, other[at + 5]!);
  }
}

/** Nothing is pending anywhere. */
export function isIdle(bounds: readonly ClassBound[]): boolean {
  return bounds.every(({ pendingSend, justSent }) => pendingSend === NEVER && justSent === NEVER);
}

/**
 * The horizon of each class: no event that is not pending yet reaches it below. NEVER for a class nobody can reach.
 * Shortest paths over the class graph: an earliest send of one class, plus latency, plus the next one's promise.
 */
export function horizons(graph: ClassGraph, bounds: readonly ClassBound[]): Instant[] {
  const classCount = graph.names.length;
  invariant(bounds.length === classCount, `${bounds.length} bounds for ${classCount} classes`);
  const response = (index: number, arrival: number): number => {
    if (arrival === NEVER) return NEVER;
    const { notBefore, quiet, gatheredNotBefore, gatheredQuiet } = bounds[index]!;
    return Math.min(
      Math.max(notBefore, arrival + quiet),
      Math.max(gatheredNotBefore, arrival + gatheredQuiet),
    );
  };
  const earliestSend = bounds.map((bound, index) =>
    Math.min(bound.pendingSend, response(index, bound.justSent)),
  );
  const arrival: number[] = Array.from({ length: classCount }, () => NEVER);
  // Each pass settles at least one class, since every latency is positive.
  for (let pass = 0; pass <= classCount; pass++) {
    for (let from = 0; from < classCount; from++) {
      for (let to = 0; to < classCount; to++) {
        const latency = graph.latency[from]![to];
        if (latency === undefined) continue;
        arrival[to] = Math.min(arrival[to]!, earliestSend[from]! + latency);
        earliestSend[to] = Math.min(earliestSend[to]!, response(to, arrival[to]!));
      }
    }
  }
  return arrival as Instant[];
}
