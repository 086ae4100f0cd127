// What differs between two runs, as plain data: the first record that differs, spans that moved, what that did to the
// steps by cause, and communication before and after. Of runs of two sizes, what both have is compared; the rest is
// named. It knows recordings only, no scenarios. Memory: one step of all ranks of each run.

import { createHash } from "node:crypto";
import { closeSync, openSync, readSync } from "node:fs";
import { type FirstDifference, firstDifference, pairProcesses } from "./first-difference.ts";
import { type Communication, overlapOfRun, type StepOverlap } from "./overlap.ts";
import type { RecordingHeader } from "./records.ts";
import { gpusOf, type Recording } from "./recording-reader.ts";
import { layersOf, type SpanChanges, SpanChangeSums } from "./span-changes.ts";
import {
  type CausedChange,
  meanCauses,
  meanOfSteps,
  pairedSteps,
  type StepDifference,
  stepDifference,
  type WaitedFor,
} from "./step-differences.ts";

type StepKind = StepDifference["kind"];

/** A run as its recording tells. */
export interface DiffedRun {
  readonly file: string;
  readonly name: string;
  readonly seed: number;
  /** SHA-256 over the recording: the digest `trace` of its summary. */
  readonly digest: string;
  readonly records: number;
  readonly ranks: number;
}

/** What only one of the runs has. */
export interface Unmatched<Value> {
  readonly before: readonly Value[];
  readonly after: readonly Value[];
}

/** What was not compared, since only one run has it. */
export interface OutOfScope {
  /** Logical processes, by name. */
  readonly processes: Unmatched<string>;
  readonly layers: Unmatched<number>;
  /** Their numbers in their run. */
  readonly steps: Unmatched<number>;
}

export interface KindCommunication {
  /** Means over ranks and compared steps. */
  readonly before: Communication;
  readonly after: Communication;
}

/** All compared steps of a kind; times are means over steps and ranks. */
export interface KindDifference extends CausedChange {
  readonly kind: StepKind;
  readonly steps: number;
  readonly spans: SpanChanges;
  readonly communication: KindCommunication;
  /** The rank for which others waited most differently than before: microseconds of a step, mean over ranks and steps. */
  readonly waitedFor: { readonly rank: number; readonly beforeUs: number; readonly afterUs: number } | null;
}

export interface RunDiff {
  readonly schema: "windtunnel/diff@1";
  readonly before: DiffedRun;
  readonly after: DiffedRun;
  /** Fields of the recordings' headers that differ; `processes` where one has other processes, links or names. */
  readonly headerFields: readonly string[];
  readonly outOfScope: OutOfScope;
  /** Null: all records of the processes that both have are equal. */
  readonly firstDifference: FirstDifference | null;
  /** Prefill before decode; absent where no step of a kind is in both. */
  readonly kinds: readonly KindDifference[];
  /** In their order; empty where no step of a kind is in both. */
  readonly steps: readonly StepDifference[];
}

/** Compares two recordings; either may be the same file as the other. */
export function diffRuns(before: Recording, after: Recording): RunDiff {
  const runs = { before: runOf(before), after: runOf(after) };
  const { pairs, onlyBefore, onlyAfter } = pairProcesses(before.header, after.header);
  // Equal bytes hold equal records; reading them all would say the same.
  const isSame = runs.before.digest === runs.after.digest;
  const difference = isSame ? undefined : firstDifference(before, after, pairs);
  const stepwise = diffSteps(before, after);
  return {
    schema: "windtunnel/diff@1",
    ...runs,
    headerFields: differingFields(before.header, after.header),
    outOfScope: { processes: { before: onlyBefore, after: onlyAfter }, ...stepwise.outOfScope },
    firstDifference: difference ?? null,
    kinds: stepwise.kinds,
    steps: stepwise.steps,
  };
}

function runOf(recording: Recording): DiffedRun {
  const { header, file } = recording;
  return {
    file,
    name: header.name,
    seed: header.seed,
    digest: digestOf(file),
    records: header.processes.reduce((sum, { id }) => sum + recording.recordCount(id), 0),
    ranks: gpusOf(header).length,
  };
}

const READ_BYTES = 1 << 20;

function digestOf(file: string): string {
  const hash = createHash("sha256");
  const descriptor = openSync(file, "r");
  try {
    const buffer = Buffer.allocUnsafe(READ_BYTES);
    for (;;) {
      const count = readSync(descriptor, buffer, 0, READ_BYTES, null);
      if (count === 0) return hash.digest("hex");
      hash.update(buffer.subarray(0, count));
    }
  } finally {
    closeSync(descriptor);
  }
}

function differingFields(before: RecordingHeader, after: RecordingHeader): string[] {
  return (Object.keys(before) as (keyof RecordingHeader)[]).filter(
    (field) => JSON.stringify(before[field]) !== JSON.stringify(after[field]),
  );
}

class KindSums {
  readonly spans: SpanChangeSums = new SpanChangeSums();
  readonly steps: StepDifference[] = [];
  /** Picoseconds by rank, summed over steps. */
  readonly waitedBefore: Map<number, number> = new Map();
  readonly waitedAfter: Map<number, number> = new Map();
}

function diffSteps(
  before: Recording,
  after: Recording,
): Pick<RunDiff, "kinds" | "steps"> & { outOfScope: Omit<OutOfScope, "processes"> } {
  const kinds: Record<StepKind, KindSums> = { prefill: new KindSums(), decode: new KindSums() };
  const layers = { before: new Set<number>(), after: new Set<number>() };
  const unpaired: Record<"before" | "after", number[]> = { before: [], after: [] };
  const steps: StepDifference[] = [];
  for (const pair of pairedSteps(before, after)) {
    for (const layer of pair.before === undefined ? [] : layersOf(pair.before)) layers.before.add(layer);
    for (const layer of pair.after === undefined ? [] : layersOf(pair.after)) layers.after.add(layer);
    if (pair.before === undefined) unpaired.after.push(pair.after.step);
    else if (pair.after === undefined) unpaired.before.push(pair.before.step);
    else {
      const sums = kinds[pair.before.kind];
      const causes = {
        before: meanCauses(pair.before, before.header),
        after: meanCauses(pair.after, after.header),
      };
      const step = stepDifference(pair, causes);
      addWaits(sums.waitedBefore, causes.before.waitedFor);
      addWaits(sums.waitedAfter, causes.after.waitedFor);
      sums.spans.addStep(pair.before, pair.after);
      sums.steps.push(step);
      steps.push(step);
    }
  }
  const overlaps = { before: overlapOfRun(before).steps, after: overlapOfRun(after).steps };
  return {
    steps,
    kinds: (["prefill", "decode"] as const)
      .filter((kind) => kinds[kind].steps.length > 0)
      .map((kind) => kindDifference(kind, kinds[kind], overlaps)),
    outOfScope: {
      layers: { before: missing(layers.before, layers.after), after: missing(layers.after, layers.before) },
      steps: unpaired,
    },
  };
}

function kindDifference(
  kind: StepKind,
  sums: KindSums,
  overlaps: Readonly<Record<"before" | "after", readonly StepOverlap[]>>,
): KindDifference {
  const { steps } = sums;
  const communicationOf = (side: "before" | "after"): Communication => {
    const numbers = new Set(steps.map((step) => step[side]));
    return meanCommunication(overlaps[side].filter(({ step }) => numbers.has(step)));
  };
  return {
    kind,
    steps: steps.length,
    ...meanOfSteps(steps),
    spans: sums.spans.result(),
    communication: { before: communicationOf("before"), after: communicationOf("after") },
    waitedFor: waitedForChange(sums),
  };
}

function meanCommunication(steps: readonly StepOverlap[]): Communication {
  const mean = (field: "totalUs" | "hiddenUs" | "exposedUs" | "waitUs" | "exposedWaitUs"): number =>
    steps.reduce((sum, { communication }) => sum + communication[field], 0) / steps.length;
  const [totalUs, hiddenUs] = [mean("totalUs"), mean("hiddenUs")];
  return {
    totalUs,
    hiddenUs,
    exposedUs: mean("exposedUs"),
    hiddenFraction: totalUs === 0 ? null : hiddenUs / totalUs,
    waitUs: mean("waitUs"),
    exposedWaitUs: mean("exposedWaitUs"),
  };
}

function addWaits(sums: Map<number, number>, waits: WaitedFor): void {
  for (const [rank, wait] of waits) sums.set(rank, (sums.get(rank) ?? 0) + wait);
}

function waitedForChange({ waitedBefore, waitedAfter, steps }: KindSums): KindDifference["waitedFor"] {
  const usOf = (waits: ReadonlyMap<number, number>, rank: number): number =>
    (waits.get(rank) ?? 0) / steps.length / 1e6;
  let largest: KindDifference["waitedFor"] = null;
  for (const rank of [...new Set([...waitedBefore.keys(), ...waitedAfter.keys()])].sort((a, b) => a - b)) {
    const change = { rank, beforeUs: usOf(waitedBefore, rank), afterUs: usOf(waitedAfter, rank) };
    const size = Math.abs(change.afterUs - change.beforeUs);
    if (size > (largest === null ? 0 : Math.abs(largest.afterUs - largest.beforeUs))) largest = change;
  }
  return largest;
}

/** Ascending. */
function missing(from: ReadonlySet<number>, other: ReadonlySet<number>): number[] {
  return [...from].filter((value) => !other.has(value)).sort((a, b) => a - b);
}
