// A run's memory does not grow with its steps: what happened goes to disk while it happens, and is exported from there.

import { execFile } from "node:child_process";
import { statSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { temporaryFolder } from "./support/folders.ts";
import type { MeasuredRun } from "./support/measured-run.ts";

const PROGRAM = fileURLToPath(new URL("support/measured-run.ts", import.meta.url));
/** So small a heap that what is not needed is freed early: peaks then show what is needed. */
const FLAGS = ["--expose-gc", "--max-semi-space-size=1", "--max-old-space-size=64"];
const FEW_STEPS = 30;
const MANY_STEPS = 500;
/** Steps after which code is compiled and tables have their size. */
const WARM_STEPS = 150;

async function measure(steps: number): Promise<MeasuredRun & { readonly recordedBytes: number }> {
  const folder = temporaryFolder();
  const { stdout } = await promisify(execFile)(process.execPath, [...FLAGS, PROGRAM, String(steps), folder]);
  const { size: recordedBytes } = statSync(path.join(folder, "recording.bin"));
  return { ...(JSON.parse(stdout) as MeasuredRun), recordedBytes };
}

test("a run of many steps needs no more memory than one of few", async () => {
  const few = await measure(FEW_STEPS);
  const many = await measure(MANY_STEPS);
  const warm = many.used.filter(({ steps }) => steps >= WARM_STEPS);
  const [first, last] = [warm[0]!, warm.at(-1)!];
  expect(last.steps - first.steps).toBeGreaterThan(100);
  // measured: 0.5 KB a step at most; a step's records are 6.6 KB.
  const recordedBytesPerStep = many.recordedBytes / MANY_STEPS;
  expect((last.bytes - first.bytes) / (last.steps - first.steps)).toBeLessThan(recordedBytesPerStep / 2);
  // The whole process, export included. measured: 7 to 17 MB of difference; the files of many steps are 61 MB.
  expect(many.peakBytes - few.peakBytes).toBeLessThan(40e6);
});
