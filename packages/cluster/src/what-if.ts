// What if a part were faster, slower or absent: the same scenario run again with one change at a time, and what each came
// to. A run is the only judge here; nothing is estimated. Folders of these runs are temporary and always removed.
// Invariant: a changed run has the digests of the scenario that a user would write with that change.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { prepareRun } from "./prepare-run.ts";
import type { RunProgress, Summary } from "./result.ts";
import { runScenario } from "./run-scenario.ts";
import type { Scenario } from "./scenario/index.ts";
import { STEP_KINDS, type StepKind, type StepMeans, stepMeans } from "./step-means.ts";
import { checkedScenario, mainPhase } from "./what-if/apply-change.ts";
import type { Change } from "./what-if/change.ts";

export { applyChange } from "./what-if/apply-change.ts";
export { type Change, parseChanges } from "./what-if/change.ts";
export { defaultChanges } from "./what-if/default-changes.ts";
export type { StepMeans as WhatIfStep } from "./step-means.ts";

export interface WhatIfMeasures {
  readonly totalUs: number;
  /** Exposed communication of the whole run, mean over GPUs. */
  readonly exposedUs: number;
  /** Of those kinds of steps that were run. */
  readonly steps: Partial<Record<StepKind, StepMeans>>;
  readonly digests: Summary["digests"];
}

/** Changed minus unchanged: below zero, the change makes it faster. `fraction` is null where there was nothing. */
export interface WhatIfDifference {
  readonly us: number;
  readonly fraction: number | null;
}

export interface WhatIfOutcome {
  /** As it was typed. */
  readonly change: string;
  readonly measures: WhatIfMeasures;
  readonly difference: {
    readonly total: WhatIfDifference;
    readonly exposed: WhatIfDifference;
    readonly steps: Partial<Record<StepKind, Readonly<Record<keyof StepMeans, WhatIfDifference>>>>;
  };
  /** What to know of the change; null where its name says it all. */
  readonly remark: string | null;
}

export interface WhatIfResult {
  readonly schema: "windtunnel/what-if@1";
  readonly name: string;
  readonly unchanged: WhatIfMeasures;
  /** The largest gain of virtual time first. */
  readonly outcomes: readonly WhatIfOutcome[];
}

export interface WhatIfProgress {
  /** The run that goes on: 0 is the unchanged one, 1 to `changeCount` are those with a change. */
  readonly index: number;
  readonly changeCount: number;
  /** Null: none. */
  readonly change: string | null;
  readonly run: RunProgress;
}

export interface WhatIfOptions {
  readonly scenario: Scenario;
  readonly changes: readonly Change[];
  readonly onProgress?: (progress: WhatIfProgress) => void;
  /** Ends the run that goes on; no other follows, nothing stays, and the promise rejects. */
  readonly signal?: AbortSignal;
}

/** One run after the other. Rejects with an input error before the first one where a change can't be applied. */
export async function runWhatIf(options: WhatIfOptions): Promise<WhatIfResult> {
  const { scenario, changes } = options;
  prepareRun(scenario);
  const changed = changes.map((change) => ({ change, scenario: checkedScenario(scenario, change) }));
  const unchanged = await measure(scenario, options, { index: 0, change: null });
  const outcomes: WhatIfOutcome[] = [];
  for (const [index, { change, scenario: other }] of changed.entries()) {
    const measures = await measure(other, options, { index: index + 1, change: change.text });
    const isSame = measures.digests.events === unchanged.digests.events;
    outcomes.push({
      change: change.text,
      measures,
      difference: differenceOf(unchanged, measures),
      remark: remarkOn(scenario, change) ?? (isSame ? "Nothing in this run depends on it." : null),
    });
  }
  return {
    schema: "windtunnel/what-if@1",
    name: scenario.name,
    unchanged,
    outcomes: outcomes.toSorted((a, b) => a.difference.total.us - b.difference.total.us),
  };
}

async function measure(
  scenario: Scenario,
  { changes, onProgress, signal }: WhatIfOptions,
  place: Pick<WhatIfProgress, "index" | "change">,
): Promise<WhatIfMeasures> {
  const folder = mkdtempSync(path.join(tmpdir(), "windtunnel-what-if-"));
  try {
    const summary = await runScenario(scenario, {
      outputFolder: folder,
      exports: false,
      onProgress: (run) => onProgress?.({ ...place, changeCount: changes.length, run }),
      ...(signal === undefined ? {} : { signal }),
    });
    return measuresOf(summary);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function measuresOf(summary: Summary): WhatIfMeasures {
  const { virtual, communication, digests } = summary;
  const steps = stepMeans(summary);
  return { totalUs: virtual.totalUs, exposedUs: communication.exposedUs, steps, digests };
}

function differenceOf(before: WhatIfMeasures, after: WhatIfMeasures): WhatIfOutcome["difference"] {
  const steps: Partial<Record<StepKind, Record<keyof StepMeans, WhatIfDifference>>> = {};
  for (const kind of STEP_KINDS) {
    const [one, other] = [before.steps[kind], after.steps[kind]];
    if (one === undefined || other === undefined) continue;
    steps[kind] = {
      stepUs: difference(one.stepUs, other.stepUs),
      layerUs: difference(one.layerUs, other.layerUs),
      exposedUs: difference(one.exposedUs, other.exposedUs),
    };
  }
  return {
    total: difference(before.totalUs, after.totalUs),
    exposed: difference(before.exposedUs, after.exposedUs),
    steps,
  };
}

function difference(before: number, after: number): WhatIfDifference {
  const us = after - before;
  return { us, fraction: before === 0 ? null : us / before };
}

function remarkOn(scenario: Scenario, change: Change): string | null {
  switch (change.kind) {
    case "gate":
      if (scenario.math === "skip") return null;
      return `Run with math: skip and routing drawn ${change.draw}: a changed gate changes the routing that is timed, never tokens.`;
    case "schedule":
    case "dispatch":
      if (scenario.run.phase !== "generate") return null;
      return `Changes ${mainPhase(scenario)} alone; prefill.${change.kind}=… changes prefill.`;
    default:
      return null;
  }
}
