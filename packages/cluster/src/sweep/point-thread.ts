// A worker thread of a sweep: runs one point after the other, each into a temporary folder that goes at once. Only
// measures, or why there are none, go back.

import { mkdtempSync, rmSync } from "node:fs";
import path from "node:path";
import { parentPort } from "node:worker_threads";
import { type SerializedError, serializeError } from "@windtunnel/base";
import { runScenario } from "../run-scenario.ts";
import type { Scenario } from "../scenario/index.ts";
import { measuresOf, type SweepMeasures } from "./measures.ts";

export interface PointTask {
  /** Its place among the points that are run. */
  readonly index: number;
  readonly scenario: Scenario;
  /** Where the temporary folder is made; whoever starts the thread removes this one. */
  readonly folder: string;
}

export type PointOutcome = { readonly measures: SweepMeasures } | { readonly error: SerializedError };

/** How much of a point is done, from 0 to 1. */
export interface PointProgress {
  readonly index: number;
  readonly fraction: number;
}

/** What the pool calls. */
export default async function runPoint({ index, scenario, folder }: PointTask): Promise<PointOutcome> {
  const outputFolder = mkdtempSync(path.join(folder, "point-"));
  const tell = (fraction: number): void =>
    parentPort?.postMessage({ index, fraction } satisfies PointProgress);
  try {
    const summary = await runScenario(scenario, {
      outputFolder,
      exports: false,
      onProgress: ({ stepsDone, stepCount }) =>
        tell(stepCount === 0 ? 0 : Math.min(1, stepsDone / stepCount)),
    });
    return { measures: measuresOf(summary) };
  } catch (error) {
    return { error: serializeError(error) };
  } finally {
    rmSync(outputFolder, { recursive: true, force: true });
  }
}
