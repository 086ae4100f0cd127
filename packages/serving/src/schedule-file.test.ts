import { InvariantViolation, RUN_START, WorldError } from "@windtunnel/base";
import { BrokenPromise } from "@windtunnel/gpu";
import { expect, test } from "vitest";
import { checkSchedule, toldOf } from "./schedule-file.ts";
import type { MoeSteps } from "./schedule.ts";

const FILE = "/home/me/mine.ts";
const right = {
  name: "mine",
  kinds: ["decode"],
  microBatchCount: 2,
  overlaps: true,
  *moeLayers() {
    // Nothing to do.
  },
};
const steps: MoeSteps = { layers: [], microBatches: [], kind: "decode" };

function failureOf(work: () => unknown): WorldError {
  try {
    work();
  } catch (error) {
    if (error instanceof WorldError) return error;
    throw error;
  }
  throw new Error("nothing failed");
}

/** Runs a schedule up to its first wait, and tells what goes wrong as a rank's program does. */
function firstStepOf(value: unknown): void {
  const schedule = checkSchedule(value, FILE);
  try {
    schedule.moeLayers(steps).next(RUN_START);
  } catch (error) {
    throw toldOf(error, schedule);
  }
}

test.each([
  [undefined, "default export: found nothing; allowed: an object with name, kinds"],
  [{}, "default export: found nothing"],
  [{ ...right, name: "" }, 'name: found ""; allowed: 1 to 60 letters'],
  [{ ...right, communicationSMs: 60 }, "communicationSMs: found 60; allowed: name, kinds"],
  [{ ...right, kinds: ["train"] }, 'kinds: found "train"; allowed: ["prefill"], ["decode"], or both'],
  [{ ...right, microBatchCount: 3 }, "microBatchCount: found 3; allowed: 1 or 2"],
  [{ ...right, overlaps: "yes" }, 'overlaps: found "yes"; allowed: true or false'],
  [{ ...right, communicationSms: 7 }, "communicationSms: found 7; allowed: an even number of SMs"],
  [{ ...right, leading: 2 }, "leading: found 2; allowed: 0, 1, or leaving it out"],
  [{ ...right, moeLayers: 1 }, "moeLayers: found 1; allowed: a generator function"],
])("a file is refused with what is allowed: %#", (value, message) => {
  const error = failureOf(() => checkSchedule(value, FILE));
  expect(error.exitCode).toBe(2);
  expect(error.message).toContain(`${FILE}: ${message}`);
});

test("what a file's code throws is an error of that file, with its line where that is known", () => {
  const throws = {
    ...right,
    *moeLayers() {
      yield* [];
      throw new TypeError("layers is not iterable");
    },
  };
  const error = failureOf(() => firstStepOf(throws));
  expect(error).toMatchObject({ code: "schedule", details: { file: FILE } });
  expect(error.message).toBe("schedule mine stopped: layers is not iterable");
});

test("a function that is no generator is told so", () => {
  const plain = { ...right, moeLayers: () => 5 };
  expect(failureOf(() => firstStepOf(plain)).message).toContain(
    "moeLayers gives 5; it must give a program: *moeLayers(…) { … }",
  );
});

test("what the emulator does wrong beside a user's schedule stays a bug", () => {
  const schedule = checkSchedule(right, FILE);
  const bug = new InvariantViolation("a queue is empty");
  expect(toldOf(bug, schedule)).toBe(bug);
  expect(toldOf(new BrokenPromise("sends at 3 ps"), schedule)).toMatchObject({ code: "schedule" });
});
