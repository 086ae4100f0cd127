// The scenario that a run, or a bare recording, was made of, so that it can be run again; and whether a repeated run is the
// recorded one.

import { existsSync, statSync } from "node:fs";
import path from "node:path";
import { inputError } from "@windtunnel/base";
import { readJsonFile } from "../read-json-file.ts";

const SCENARIO = "scenario.json";
const RECORDING = "recording.bin";

/** The scenario's file: of a folder its scenario.json; of NAME.bin what lies beside it as NAME.yaml or NAME.json. */
export async function scenarioFileOf(run: string): Promise<string> {
  if (!existsSync(run)) {
    const found = "there is no such file or folder";
    const allowed = `the folder of a run, or a recording with its scenario beside it`;
    throw inputError(`${run}: ${found}; allowed: ${allowed}`, { file: run, found, allowed });
  }
  if (statSync(run).isDirectory()) {
    const file = path.join(run, SCENARIO);
    if (existsSync(file)) return file;
    const allowed = `the folder of a run, with its ${SCENARIO}`;
    throw inputError(`${run}: found no ${SCENARIO}; allowed: ${allowed}`, { file: run, allowed });
  }
  const { openRecording } = await import("@windtunnel/trace");
  openRecording(run).close();
  const names = namesBeside(run);
  const name = names.find((each) => existsSync(path.join(path.dirname(run), each)));
  if (name !== undefined) return path.join(path.dirname(run), name);
  const found = "a recording alone, which does not hold its scenario";
  const allowed = `${names.join(" or ")} beside it`;
  throw inputError(`${run}: --what-if runs the scenario again; found ${found}; allowed: ${allowed}`, {
    path: "--what-if",
    file: run,
    found,
    allowed,
  });
}

function namesBeside(recording: string): string[] {
  const { name, base } = path.parse(recording);
  return base === RECORDING ? [SCENARIO] : [`${name}.yaml`, `${name}.json`];
}

/** The digest of the recorded run's events, of the summary beside its scenario.json; undefined where there is none. */
export function recordedEventsOf(scenarioFile: string): string | undefined {
  const summary = path.join(path.dirname(scenarioFile), "summary.json");
  if (path.basename(scenarioFile) !== SCENARIO || !existsSync(summary)) return undefined;
  const { digests } = (readJsonFile(summary) ?? {}) as { readonly digests?: { readonly events?: unknown } };
  return typeof digests?.events === "string" ? digests.events : undefined;
}
