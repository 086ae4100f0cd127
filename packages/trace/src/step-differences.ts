// What became of each step's time: before, after, and the change by cause. Means over ranks are integers of picoseconds
// that add up to the step, so the changes by cause add up to the step's change, to the picosecond.
// Both recordings are read side by side. Memory: one step of all ranks of each.

import { invariant } from "@windtunnel/base";
import { attributeStep, wiresOf } from "./attribution.ts";
import { addSegments, type CauseSums, noTime, STEP_CAUSES, type StepCause } from "./causes.ts";
import type { RecordingHeader } from "./records.ts";
import type { Recording } from "./recording-reader.ts";
import { type StepGraph, stepGraphs } from "./step-graph.ts";

/** Integers of picoseconds. */
export interface TimeChange {
  readonly beforePs: number;
  readonly afterPs: number;
  readonly changePs: number;
}

/** Means over ranks; the causes add up to the whole, in each of the three. */
export interface CausedChange extends TimeChange {
  readonly byCause: Readonly<Record<StepCause, TimeChange>>;
}

/** A step of both runs, from the first rank's start to the last rank's end. */
export interface StepDifference extends CausedChange {
  readonly kind: "prefill" | "decode";
  /** Its number in each run. */
  readonly before: number;
  readonly after: number;
}

export type SteppedPair =
  | { readonly before: StepGraph; readonly after: StepGraph }
  | { readonly before: StepGraph; readonly after?: undefined }
  | { readonly before?: undefined; readonly after: StepGraph };

/** The steps of both runs in their order: the n-th prefill of one with the n-th of the other, and so with decode. */
export function* pairedSteps(before: Recording, after: Recording): Generator<SteppedPair, void, undefined> {
  const readers = { before: stepGraphs(before), after: stepGraphs(after) };
  const next = (side: "before" | "after"): StepGraph | undefined => readers[side].next().value ?? undefined;
  try {
    let [a, b] = [next("before"), next("after")];
    while (a !== undefined || b !== undefined) {
      // Prefill comes first in every run: the one with more of it catches up.
      const isBehind = a !== undefined && b !== undefined && a.kind !== b.kind;
      if (a !== undefined && b !== undefined && !isBehind) {
        yield { before: a, after: b };
        [a, b] = [next("before"), next("after")];
      } else if (a !== undefined && (b === undefined || a.kind === "prefill")) {
        yield { before: a };
        a = next("before");
      } else if (b !== undefined) {
        yield { after: b };
        b = next("after");
      }
    }
  } finally {
    readers.before.return();
    readers.after.return();
  }
}

/** A rank's time spent waiting for other, slower ranks, by these ranks: picoseconds, mean over those that wait. */
export type WaitedFor = ReadonlyMap<number, number>;

export interface StepCauses {
  readonly byCause: CauseSums;
  readonly waitedFor: WaitedFor;
}

/** Means over ranks, integers that add up to the step's time. */
export function meanCauses(graph: StepGraph, header: RecordingHeader): StepCauses {
  const options = { sms: header.sms, wireOf: wiresOf(header) };
  const sums = noTime();
  const waitedFor = new Map<number, number>();
  for (const rank of graph.ranks) {
    const segments = attributeStep(graph, rank, options);
    addSegments(sums, segments);
    for (const { cause, from, to, rank: slower } of segments) {
      if (cause !== "slower-rank" || slower === undefined) continue;
      waitedFor.set(slower, (waitedFor.get(slower) ?? 0) + (to - from) / graph.ranks.length);
    }
  }
  return { byCause: integerMeans(sums, graph.ranks.length, graph.end - graph.start), waitedFor };
}

/** `sums` by `count`, rounded to integers of the given total: those with the largest remainders are rounded up. */
export function integerMeans(sums: CauseSums, count: number, total: number): CauseSums {
  const means = noTime();
  let rest = total;
  for (const cause of STEP_CAUSES) {
    means[cause] = Math.floor(sums[cause] / count);
    rest -= means[cause];
  }
  const byRemainder = STEP_CAUSES.toSorted(
    (a, b) => sums[b] / count - means[b] - (sums[a] / count - means[a]),
  );
  invariant(rest >= 0 && rest <= byRemainder.length, `causes add up to ${total - rest} ps of ${total} ps`);
  for (const cause of byRemainder.slice(0, rest)) means[cause] += 1;
  return means;
}

export function stepDifference(
  graphs: { readonly before: StepGraph; readonly after: StepGraph },
  causes: { readonly before: StepCauses; readonly after: StepCauses },
): StepDifference {
  const { before, after } = graphs;
  return {
    kind: before.kind,
    before: before.step,
    after: after.step,
    ...changeOf(before.end - before.start, after.end - after.start),
    byCause: causesChanged(causes.before.byCause, causes.after.byCause),
  };
}

/** Means over steps, with the same sums. */
export function meanOfSteps(steps: readonly StepDifference[]): CausedChange {
  invariant(steps.length > 0, "no steps to take a mean of");
  const meanSide = (side: "beforePs" | "afterPs"): { total: number; byCause: CauseSums } => {
    const sums = noTime();
    let total = 0;
    for (const step of steps) {
      total += step[side];
      for (const cause of STEP_CAUSES) sums[cause] += step.byCause[cause][side];
    }
    const mean = Math.round(total / steps.length);
    return { total: mean, byCause: integerMeans(sums, steps.length, mean) };
  };
  const [before, after] = [meanSide("beforePs"), meanSide("afterPs")];
  return {
    ...changeOf(before.total, after.total),
    byCause: causesChanged(before.byCause, after.byCause),
  };
}

function causesChanged(before: CauseSums, after: CauseSums): Record<StepCause, TimeChange> {
  return Object.fromEntries(
    STEP_CAUSES.map((cause) => [cause, changeOf(before[cause], after[cause])]),
  ) as Record<StepCause, TimeChange>;
}

function changeOf(beforePs: number, afterPs: number): TimeChange {
  return { beforePs, afterPs, changePs: afterPs - beforePs };
}
