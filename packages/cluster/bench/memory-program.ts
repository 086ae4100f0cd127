// A process of its own for memory.ts: does one task, and tells what memory it took at most. Empty hosts load what hosts
// load and do nothing.

import path from "node:path";
import { Worker } from "node:worker_threads";
import { carriedBy } from "../src/hosts/launch.ts";
import { peakRssBytes } from "../src/hosts/peak-memory.ts";
import { prepareRun } from "../src/prepare-run.ts";
import { runUnrecorded } from "../src/run-scenario.ts";
import { resolveScenario } from "../src/scenario/index.ts";
import { modelBytes } from "../src/tensor-space.ts";

/** Libraries only, in this thread and in so many workers; or a run. */
export type MemoryTask =
  | { readonly kind: "empty"; readonly workers: number }
  | { readonly kind: "run"; readonly fields: Readonly<Record<string, unknown>> };

export interface MemoryFigures {
  /** Of all processes of the run together, this one only if it carries a host. */
  readonly peakBytes: number;
  readonly weightBytes: number;
  readonly cacheBytes: number;
}

const [task, folder] = [JSON.parse(process.argv[2]!) as MemoryTask, process.argv[3]!];
const figures = task.kind === "empty" ? await holdNothing(task.workers) : await run(task.fields);
console.log(JSON.stringify(figures));

async function holdNothing(workerCount: number): Promise<MemoryFigures> {
  const workers = Array.from(
    { length: workerCount },
    () => new Worker(new URL("./empty-worker.ts", import.meta.url)),
  );
  await Promise.all(
    workers.map(
      async (worker) =>
        await new Promise<void>((resolve, reject) => {
          worker.once("message", () => resolve());
          worker.once("error", reject);
        }),
    ),
  );
  const peakBytes = peakRssBytes();
  await Promise.all(workers.map(async (worker) => await worker.terminate()));
  return { peakBytes, weightBytes: 0, cacheBytes: 0 };
}

async function run(fields: Readonly<Record<string, unknown>>): Promise<MemoryFigures> {
  const scenario = resolveScenario(fields, { folder });
  const { wall } = await runUnrecorded(scenario, { outputFolder: path.join(folder, "run") });
  const prepared = prepareRun(scenario);
  const { hostCount } = prepared.hosts;
  const all = Array.from({ length: prepared.numbers.rankCount }, (_, rank) => rank);
  // Processes hold the weights of their own ranks, threads those of all ranks once.
  const parts =
    scenario.placement.kind === "processes"
      ? Array.from({ length: hostCount }, (_, host) => carriedBy(prepared, host).gpus)
      : [all];
  const held = parts.map((ranks) => modelBytes(prepared, ranks));
  return {
    peakBytes: wall.peakRssBytes,
    weightBytes: held.reduce((sum, { weightBytes }) => sum + weightBytes, 0),
    cacheBytes: held.reduce((sum, { cacheBytes }) => sum + cacheBytes, 0),
  };
}
