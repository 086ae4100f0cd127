// What a summary's steps take on average, by kind. A pure function of the summary.

import type { Summary } from "./result.ts";

export type StepKind = "prefill" | "decode";
export const STEP_KINDS = ["prefill", "decode"] as const;

/** Means over the steps of a kind, in microseconds. */
export interface StepMeans {
  readonly stepUs: number;
  readonly layerUs: number;
  /** Exposed communication of one step, mean over GPUs. */
  readonly exposedUs: number;
}

/** Of those kinds of steps that were run. */
export function stepMeans({
  virtual,
  communicationByStepKind,
}: Pick<Summary, "virtual" | "communicationByStepKind">): Partial<Record<StepKind, StepMeans>> {
  const means: Partial<Record<StepKind, StepMeans>> = {};
  for (const kind of STEP_KINDS) {
    const ofKind = virtual.steps.filter((step) => step.kind === kind);
    if (ofKind.length === 0) continue;
    means[kind] = {
      stepUs: mean(ofKind.map(({ us }) => us)),
      layerUs: mean(ofKind.map(({ layerUs }) => layerUs)),
      exposedUs: (communicationByStepKind[kind]?.exposedUs ?? 0) / ofKind.length,
    };
  }
  return means;
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
