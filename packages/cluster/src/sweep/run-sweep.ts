// A planned sweep to its rows: what is stored is taken as it is, the rest is run, and each point is stored as soon as it is
// finished. Rows follow from points alone, never from the number of workers or from who was first.

import { deserializeError, WorldError } from "@windtunnel/base";
import { type AxisValue, describePlace, type SweepAxis } from "./axes.ts";
import type { SweepMeasures } from "./measures.ts";
import type { SweepPlan, SweepPoint } from "./plan-sweep.ts";
import type { PointOutcome } from "./point-thread.ts";
import { storedMeasures, storeMeasures } from "./store.ts";

export interface SweepRow {
  readonly place: readonly AxisValue[];
  /** Null where the run failed. */
  readonly measures: SweepMeasures | null;
  readonly failure: SweepFailure | null;
}

export interface SweepFailure {
  /** The code of the error, or "bug". */
  readonly code: string;
  readonly message: string;
}

export interface SweepResult {
  readonly name: string;
  readonly axes: readonly SweepAxis[];
  /** In the order of the plan's points. */
  readonly rows: readonly SweepRow[];
}

export interface SweepProgress {
  readonly pointCount: number;
  /** Points that were stored before. */
  readonly storedCount: number;
  /** Points that this call has finished. */
  readonly doneCount: number;
  /** What is done of points at work, in points: two that are half done make 1. */
  readonly partsDone: number;
}

export interface SweepOptions {
  /** Finished points are kept in a folder inside it. */
  readonly folder: string;
  /** Threads at most; no more are started than there are points to run. */
  readonly workerCount: number;
  readonly onProgress?: (progress: SweepProgress) => void;
  /** Ends the sweep: threads go down and the promise rejects. Finished points stay stored. */
  readonly signal?: AbortSignal;
}

/** How many points of a plan are stored in a folder. */
export function countStored({ points }: SweepPlan, folder: string): number {
  return points.filter(({ key }) => storedMeasures(folder, key) !== undefined).length;
}

export async function runSweep(plan: SweepPlan, options: SweepOptions): Promise<SweepResult> {
  const { folder, workerCount, onProgress } = options;
  const outcomes = new Map<string, Pick<SweepRow, "measures" | "failure">>();
  // Two spellings of one file's path make two points of one key: it is run once.
  const waiting = new Map<string, SweepPoint[]>();
  for (const point of plan.points) {
    const measures = storedMeasures(folder, point.key);
    if (measures === undefined) waiting.set(point.key, [...(waiting.get(point.key) ?? []), point]);
    else outcomes.set(point.key, { measures, failure: null });
  }
  const points = [...waiting.values()].map(([first]) => first!);
  const storedCount = plan.points.filter(({ key }) => outcomes.has(key)).length;
  let doneCount = 0;
  const atWork = new Map<number, number>();
  const tell = (): void => {
    const partsDone = [...atWork.values()].reduce((sum, part) => sum + part, 0);
    onProgress?.({ pointCount: plan.points.length, storedCount, doneCount, partsDone });
  };
  tell();
  if (points.length > 0) {
    const { runOnPool } = await import("./pool.ts");
    await runOnPool({
      points: points.map(({ scenario, place }) => ({ scenario, place: describePlace(plan.axes, place) })),
      workerCount: Math.min(workerCount, points.length),
      signal: options.signal ?? new AbortController().signal,
      onProgress: ({ index, fraction }) => {
        if (!outcomes.has(points[index]!.key)) atWork.set(index, fraction);
        tell();
      },
      onOutcome: (index, outcome) => {
        const { key, place } = points[index]!;
        const row = rowOf(outcome);
        if (row.measures !== null) {
          storeMeasures(folder, key, { place: describePlace(plan.axes, place), measures: row.measures });
        }
        outcomes.set(key, row);
        atWork.delete(index);
        doneCount += waiting.get(key)!.length;
        tell();
      },
    });
  }
  const rows = plan.points.map(({ key, place }) => ({ place, ...outcomes.get(key)! }));
  return { name: plan.name, axes: plan.axes, rows };
}

/** A full disk is no point's fault, and would fail every further one. */
function rowOf(outcome: PointOutcome): Pick<SweepRow, "measures" | "failure"> {
  if ("measures" in outcome) return { measures: outcome.measures, failure: null };
  const error = deserializeError(outcome.error);
  if (!(error instanceof WorldError)) {
    return { measures: null, failure: { code: "bug", message: `bug in windtunnel: ${error.message}` } };
  }
  if (error.code === "disk") throw error;
  return { measures: null, failure: { code: error.code, message: error.message } };
}
