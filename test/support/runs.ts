// Runs of tests: scenarios made by a program, run into folders of their own.

import path from "node:path";
import {
  resolveScenario,
  type RunOptions,
  runScenario,
  type Scenario,
  type Summary,
} from "@windtunnel/cluster";

/** A scenario as a user writes it, before defaults; relative paths start at `folder`. */
export interface ScenarioFields {
  readonly model: unknown;
  readonly [field: string]: unknown;
}

export function scenarioOf(fields: ScenarioFields, folder: string): Scenario {
  return resolveScenario(fields, { folder });
}

export interface FinishedRun {
  readonly folder: string;
  readonly summary: Summary;
}

/** Runs into `folder`/`name`. */
export async function runInto(
  folder: string,
  name: string,
  fields: ScenarioFields,
  options: Omit<RunOptions, "outputFolder"> = {},
): Promise<FinishedRun> {
  const outputFolder = path.join(folder, name);
  const summary = await runScenario(scenarioOf(fields, folder), { ...options, outputFolder });
  return { folder: outputFolder, summary };
}
