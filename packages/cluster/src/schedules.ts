// The schedule of a kind of step: a built-in one by its name, or a user's own from a file of TypeScript or JavaScript.

import { inputError, loadOwnFile } from "@windtunnel/base";
import {
  checkSchedule,
  dualBatch,
  fiveStage,
  type Schedule,
  sequential,
  type StepKind,
  twoBatchSglang,
} from "@windtunnel/serving";
import { isModuleFile, nearestName } from "./scenario/index.ts";

const SCHEDULES: readonly Schedule[] = [sequential, dualBatch, fiveStage, twoBatchSglang];

/** Every host loads a file by itself, so that a schedule needs to be nothing but a file. */
export function scheduleOf(name: string, kind: StepKind): Schedule {
  const path = `run.${kind}.schedule`;
  const schedule = isModuleFile(name)
    ? checkSchedule(loadOwnFile(name, "a schedule", path), name)
    : builtIn(name, kind, path);
  if (schedule.kinds.includes(kind)) return schedule;
  const found = `${schedule.name}, which is for ${schedule.kinds.join(" and ")}`;
  throw inputError(`${path}: found ${found}; allowed: ${allowedIn(kind)}`, {
    path,
    found,
    allowed: allowedIn(kind),
  });
}

function builtIn(name: string, kind: StepKind, path: string): Schedule {
  const schedule = SCHEDULES.find((each) => each.name === name);
  if (schedule !== undefined) return schedule;
  const names = SCHEDULES.map((each) => each.name);
  const nearest = nearestName(name, names);
  const hint = nearest === undefined ? "" : ` Did you mean ${nearest}?`;
  throw inputError(`no schedule is called ${name}.${hint}`, { path, found: name, allowed: allowedIn(kind) });
}

function allowedIn(kind: StepKind): string {
  const names = SCHEDULES.filter(({ kinds }) => kinds.includes(kind)).map(({ name }) => name);
  return `${names.join(", ")}, or the path of a schedule's file (./mine.ts)`;
}
