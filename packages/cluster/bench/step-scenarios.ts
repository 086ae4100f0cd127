// Decode steps of whole clusters, as benchmarks run them: DeepSeek-V3 timed, two micro-batches in five stages, FP8 out and
// BF16 back.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { runUnrecorded, type UnrecordedSummary } from "../src/index.ts";
import { resolveScenario, type Scenario } from "../src/scenario/index.ts";
import { DECODE_RUN, shortTimedModel } from "./timed-model.ts";

export interface StepOptions {
  readonly nodes: number;
  /** GPUs that share the experts. */
  readonly degree: number;
  readonly math: "real" | "skip";
  readonly requestsPerGpu: number;
  readonly steps: number;
  readonly placement: string;
  /** MoE layers of the timed model behind its three dense ones; all 58 unless given. */
  readonly moeLayers?: number;
}

const EXPERTS = 256;
const DENSE_LAYERS = 3;

/** The scenario; a timed model of fewer layers is written into `folder`. */
export function stepScenario(options: StepOptions, folder: string): Scenario {
  const { nodes, degree, math, requestsPerGpu, steps, placement, moeLayers } = options;
  const fields = {
    name: `decode at EP${degree}`,
    model: { preset: "v3-scale" },
    math,
    timing: {
      model: moeLayers === undefined ? "deepseek-v3" : shortModel(folder, moeLayers),
      kvLength: 4096,
    },
    cluster: { nodes },
    parallelism: {
      expertParallel: degree,
      redundantExperts: Math.ceil(EXPERTS / degree) * degree - EXPERTS,
    },
    run: DECODE_RUN,
    ...(math === "skip" ? { routing: { draw: "gate-like" } } : {}),
    workload: { requestsPerGpu, promptTokens: math === "skip" ? 4096 : 32, steps },
    placement,
    allowOversubscription: true,
  };
  return resolveScenario(fields, { folder });
}

/** DeepSeek-V3 with so many MoE layers, as a config.json in a folder. */
export function shortModel(folder: string, moeLayers: number): string {
  const file = path.join(folder, `v3-${moeLayers}.json`);
  const layers = DENSE_LAYERS + moeLayers;
  const config = shortTimedModel({ layers, dense: DENSE_LAYERS, experts: EXPERTS, vocabulary: 129_280 });
  writeFileSync(file, JSON.stringify(config));
  return file;
}

/** Runs it without a recording. */
export async function runSteps(options: StepOptions): Promise<UnrecordedSummary> {
  return await inFolder((folder) => runUnrecorded(stepScenario(options, folder), { outputFolder: folder }));
}

/** In a folder of its own, which is gone afterwards. */
export async function inFolder<Result>(work: (folder: string) => Promise<Result>): Promise<Result> {
  const folder = mkdtempSync(path.join(tmpdir(), "windtunnel-bench-"));
  try {
    return await work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
