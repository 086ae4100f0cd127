// An experiment: a few all-to-alls that differ in one thing, each with the command that runs it alone.

import {
  type AllToAllOptions,
  type AllToAllResult,
  runAllToAll,
  withBenchmarkDefaults,
} from "@windtunnel/cluster";
import { alltoallCommand } from "../alltoall-command.ts";

export interface Measured<Name extends string = string> {
  readonly name: Name;
  readonly result: AllToAllResult;
  readonly command: string;
}

/** Runs them in order; `name` says what is different. */
export function measureEach<Name extends string>(
  given: Readonly<Record<Name, Partial<AllToAllOptions>>>,
): Record<Name, Measured<Name>> {
  const entries = (Object.keys(given) as Name[]).map((name) => {
    const options = given[name];
    const result = runAllToAll(withBenchmarkDefaults(options));
    return [name, { name, result, command: alltoallCommand(options) }];
  });
  return Object.fromEntries(entries) as Record<Name, Measured<Name>>;
}

/** As it stands in the document. */
export interface ExperimentText {
  readonly title: string;
  /** What is run. */
  readonly setting: string;
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
  /** What one sees, and why. */
  readonly finding: string;
  readonly commands: readonly string[];
}

/** Dispatch and combine, until the last rank has all of it: a layer waits for its slowest rank. */
export function lastRankUs({ dispatch, combine }: AllToAllResult): number {
  return dispatch.maxUs + combine.maxUs;
}

export function microsecondsText(us: number): string {
  return us.toFixed(us < 100 ? 1 : 0);
}

/** Bytes that a GPU sent over the network in both phases, in megabytes. */
export function networkMegabytes({ options, dispatch, combine }: AllToAllResult): number {
  return (dispatch.rdmaBytes + combine.rdmaBytes) / options.ranks / 1e6;
}

export function percentText(fraction: number): string {
  return `${(100 * fraction).toFixed(1)} %`;
}
