// The schedule of a kind of step: a built-in one by its name, or a user's own from a file of TypeScript or JavaScript.

import path from "node:path";
import { inputError } from "@windtunnel/base";
import {
  checkSchedule,
  dualBatch,
  fiveStage,
  type Schedule,
  sequential,
  type StepKind,
  twoBatchSglang,
} from "@windtunnel/serving";
import { loadOwnFile } from "./own-files.ts";
import { isModuleFile, nearestName } from "./scenario/index.ts";

const SCHEDULES: readonly Schedule[] = [sequential, dualBatch, fiveStage, twoBatchSglang];

/** Every host loads a file by itself, so that a schedule needs to be nothing but a file. */
export function scheduleOf(name: string, kind: StepKind): Schedule {
  const field = `run.${kind}.schedule`;
  const schedule = isModuleFile(name)
    ? checkSchedule(loadOwnFile(name, "a schedule", field), name)
    : builtIn(name, kind, field);
  if (schedule.kinds.includes(kind)) return schedule;
  const found = `${schedule.name}, which is for ${schedule.kinds.join(" and ")}`;
  throw inputError(`${field}: found ${found}; allowed: ${allowedIn(kind)}`, {
    path: field,
    found,
    allowed: allowedIn(kind),
  });
}

/** Settings of a scenario that put a schedule in place for every kind of step that it is for; files start at this folder. */
export function scheduleSettings(name: string): string[] {
  const file = isModuleFile(name) ? path.resolve(name) : name;
  const schedule = isModuleFile(name)
    ? checkSchedule(loadOwnFile(file, "a schedule", "--schedule"), file)
    : builtIn(name, undefined, "--schedule");
  return schedule.kinds.map((kind) => `run.${kind}.schedule=${JSON.stringify(file)}`);
}

function builtIn(name: string, kind: StepKind | undefined, field: string): Schedule {
  const schedule = SCHEDULES.find((each) => each.name === name);
  if (schedule !== undefined) return schedule;
  const names = SCHEDULES.map((each) => each.name);
  const nearest = nearestName(name, names);
  const hint = nearest === undefined ? "" : ` Did you mean ${nearest}?`;
  throw inputError(`no schedule is called ${name}.${hint}`, {
    path: field,
    found: name,
    allowed: allowedIn(kind),
  });
}

/** Without a kind: those of any. */
function allowedIn(kind: StepKind | undefined): string {
  const names = SCHEDULES.filter(({ kinds }) => kind === undefined || kinds.includes(kind)).map(
    ({ name }) => name,
  );
  return `${names.join(", ")}, or the path of a schedule's file (./mine.ts)`;
}
