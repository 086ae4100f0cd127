// A program of its own for memory-growth.proc.test.ts: a decode run without a recording. Prints what objects and array
// buffers were in use on the way, after everything that could be freed was freed. Needs --expose-gc.

import { getHeapSpaceStatistics } from "node:v8";
import { resolveScenario, runUnrecorded } from "@windtunnel/cluster";

export interface UsedBytes {
  readonly steps: number;
  readonly bytes: number;
}

/** Collecting takes longer than a step. */
const STEPS_BETWEEN = 8;
const [fields, outputFolder] = [JSON.parse(process.argv[2]!) as object, process.argv[3]!];
const used: UsedBytes[] = [];
await runUnrecorded(resolveScenario(fields, { folder: outputFolder }), {
  outputFolder,
  onProgress: ({ stage, stepsDone }) => {
    if (stage !== "running" || stepsDone < (used.at(-1)?.steps ?? 0) + STEPS_BETWEEN) return;
    globalThis.gc!();
    used.push({ steps: stepsDone, bytes: dataBytes() });
  },
});
console.log(JSON.stringify(used));

/** Code comes and goes, a megabyte at a time. */
function dataBytes(): number {
  const spaces = getHeapSpaceStatistics().filter(({ space_name: name }) => !/code|trusted/.test(name));
  const heapBytes = spaces.reduce((sum, { space_used_size: bytes }) => sum + bytes, 0);
  return heapBytes + process.memoryUsage().arrayBuffers;
}
