// A program of its own for memory.proc.test.ts: runs v3-tiny for so many steps into a folder, and prints what memory it
// held on the way, after everything that could be freed was freed. Needs --expose-gc.

import { resolveScenario, runScenario } from "@windtunnel/cluster";

export interface MeasuredRun {
  /** Bytes of objects and array buffers in use, by steps done. */
  readonly used: readonly { readonly steps: number; readonly bytes: number }[];
  readonly peakBytes: number;
}

const [steps, outputFolder] = [Number(process.argv[2]), process.argv[3]!];
const scenario = resolveScenario(
  {
    model: { preset: "v3-tiny" },
    cluster: { gpusPerNode: 2 },
    run: { decode: { schedule: "five-stage" } },
    workload: { drawn: { requestsPerGpu: 2, promptTokens: 2, steps } },
  },
  { folder: outputFolder },
);
const used: { steps: number; bytes: number }[] = [];
await runScenario(scenario, {
  outputFolder,
  onProgress: ({ stage, stepsDone }) => {
    if (stage !== "running") return;
    globalThis.gc!();
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    used.push({ steps: stepsDone, bytes: heapUsed + arrayBuffers });
  },
});
const result: MeasuredRun = { used, peakBytes: 1024 * process.resourceUsage().maxRSS };
console.log(JSON.stringify(result));
