// A user's schedule, which comes from a file: what the file exports is checked when it is loaded, and what its program does
// while it runs. Mistakes in it are errors of that file, never bugs of the emulator.

import {
  InvariantViolation,
  isNamespace,
  lineOfFile,
  refuseOwn,
  shownValue,
  WorldError,
} from "@windtunnel/base";
import { BrokenPromise } from "@windtunnel/gpu";
import type { Program } from "@windtunnel/virtual-time";
import type { MoeSteps, Schedule } from "./schedule.ts";

const FIELDS = ["name", "kinds", "microBatchCount", "overlaps", "communicationSms", "leading", "moeLayers"];
const ALLOWED = "an object with name, kinds, microBatchCount, overlaps and *moeLayers(steps)";

/** The schedule that a file exports by default; throws an input error that names the file and what it lacks. */
export function checkSchedule(value: unknown, file: string): Schedule {
  const refuse = (path: string, found: unknown, allowed: string): never =>
    refuseOwn(file, path, shownValue(found), allowed);
  if (typeof value !== "object" || value === null || isNamespace(value)) {
    return refuse("default export", value, ALLOWED);
  }
  const { name, kinds, microBatchCount, overlaps, communicationSms, leading, moeLayers } = value as Record<
    string,
    unknown
  >;
  if (typeof name !== "string" || !/^[\w .+-]{1,60}$/.test(name)) {
    refuse("name", name, "1 to 60 letters, digits, spaces and _ . + -");
  }
  const isKind = (kind: unknown): boolean => kind === "prefill" || kind === "decode";
  const allowedKinds = '["prefill"], ["decode"], or both';
  if (!Array.isArray(kinds) || kinds.length === 0) refuse("kinds", kinds, allowedKinds);
  for (const kind of kinds as unknown[]) if (!isKind(kind)) refuse("kinds", kind, allowedKinds);
  // Of an object; an instance of a class may have what it likes.
  const isPlain = Object.getPrototypeOf(value) === Object.prototype;
  for (const field of isPlain ? Object.keys(value) : []) {
    if (!FIELDS.includes(field)) refuse(field, (value as Record<string, unknown>)[field], FIELDS.join(", "));
  }
  if (microBatchCount !== 1 && microBatchCount !== 2) refuse("microBatchCount", microBatchCount, "1 or 2");
  if (typeof overlaps !== "boolean") refuse("overlaps", overlaps, "true or false");
  if (communicationSms !== undefined && !isEvenCount(communicationSms)) {
    refuse("communicationSms", communicationSms, "an even number of SMs, or leaving it out");
  }
  if (leading !== undefined && leading !== 0 && leading !== 1) {
    refuse("leading", leading, "0, 1, or leaving it out");
  }
  if (typeof moeLayers !== "function")
    refuse("moeLayers", moeLayers, "a generator function: *moeLayers(steps)");
  return guarded(value as Schedule, file);
}

/** Fields are read once, so that a schedule may be an instance of a class; errors are told where its program is run. */
function guarded(schedule: Schedule, file: string): Schedule {
  const { name, kinds, microBatchCount, overlaps, communicationSms, leading } = schedule;
  return {
    name,
    kinds,
    microBatchCount,
    overlaps,
    ...(communicationSms === undefined ? {} : { communicationSms }),
    ...(leading === undefined ? {} : { leading }),
    file,
    *moeLayers(steps: MoeSteps): Program {
      const program: unknown = schedule.moeLayers(steps);
      if (typeof (program as Partial<Program> | undefined)?.next !== "function") {
        throw new TypeError(
          `moeLayers gives ${shownValue(program)}; it must give a program: *moeLayers(…) { … }`,
        );
      }
      yield* program as Program;
    },
  };
}

/**
 * An error of the file's own code, with its line, and a promise that it broke. What the world did stays what it is, but for
 * the file's name, and so does what else goes wrong beside it.
 */
export function toldOf(error: unknown, { name, file }: Pick<Schedule, "name" | "file">): unknown {
  if (file === undefined) return error;
  if (error instanceof WorldError) {
    return error.code === "schedule"
      ? new WorldError("schedule", error.message, { ...error.details, file })
      : error;
  }
  const isBug = error instanceof InvariantViolation && !(error instanceof BrokenPromise);
  if (isBug || !(error instanceof Error)) return error;
  const line = lineOfFile(error, file);
  const place = line === undefined ? "" : ` at line ${line}`;
  return new WorldError("schedule", `schedule ${name} stopped${place}: ${error.message}`, {
    file,
    next: "docs/schedules.md says what a schedule may do",
  });
}

function isEvenCount(value: unknown): boolean {
  return Number.isInteger(value) && (value as number) >= 2 && (value as number) % 2 === 0;
}
