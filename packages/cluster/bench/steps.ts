// Whole decode steps: what they do, counted, and what a step takes once the code is warm. Seconds stand beside a loop that
// every machine runs alike, in the same run. `benchSteps` takes a minute or two; `benchScale` has the large clusters.

import { withBenchmarkDefaults } from "../src/all-to-all-options.ts";
import { setUpAllToAll } from "../src/all-to-all.ts";
import { runScenario } from "../src/index.ts";
import { defined } from "@windtunnel/base";
import { type BenchRow, median, secondsOf } from "./bench-row.ts";
import { runOnThreads } from "./bench-hosts.ts";
import { inFolder, runSteps, type StepOptions, stepScenario } from "./step-scenarios.ts";

type StepCase = Omit<StepOptions, "steps">;

const EP16 = { nodes: 2, degree: 16, requestsPerGpu: 128 } as const;
const EP144 = { nodes: 18, degree: 144, requestsPerGpu: 128 } as const;

/** The first one warms up; the time of a step is the mean of the others. */
const STEPS = 3;
/** As many of a small cluster's, until the code is as warm as it is after three of a large one's. */
const SHORT_STEPS = 60;

export async function benchSteps(): Promise<BenchRow[]> {
  const rows: BenchRow[] = [allToAllRow()];
  for (const placement of ["inline", "threads:2", "processes:2"]) {
    rows.push(
      await stepRow(`Decode step at EP16 without math, ${placement}`, { ...EP16, math: "skip", placement }),
    );
  }
  for (const placement of ["inline", "threads:2", "processes:2"]) {
    const real: StepCase = { ...EP16, math: "real", placement };
    rows.push(await stepRow(`Decode step at EP16 with real math, ${placement}`, real));
  }
  rows.push(await realSpeedUp());
  for (const placement of ["inline", "threads:2"]) {
    rows.push(
      await stepRow(`Decode step at EP144 without math, ${placement}`, { ...EP144, math: "skip", placement }),
    );
  }
  return rows;
}

export async function benchScale(): Promise<BenchRow[]> {
  const skip = { math: "skip", requestsPerGpu: 128, placement: "inline" } as const;
  return [
    await recordedRow("Decode step at EP144, recorded", { ...EP144, ...skip }),
    await stepRow("Decode step at EP320 without math", { ...skip, nodes: 40, degree: 320 }),
    await stepRow(
      "Four MoE layers, 64 GPUs in one unit",
      { ...skip, nodes: 8, degree: 64, moeLayers: 4 },
      SHORT_STEPS,
    ),
    await stepRow("Four MoE layers, 2,048 GPUs in units of 128", {
      ...skip,
      nodes: 256,
      degree: 128,
      moeLayers: 4,
    }),
    await stepRow("Decode step at EP144 with real math, 32 requests, threads:2", {
      ...EP144,
      requestsPerGpu: 32,
      math: "real",
      placement: "threads:2",
    }),
  ];
}

async function stepRow(name: string, options: StepCase, steps: number = STEPS): Promise<BenchRow> {
  const { wall } = await runSteps({ ...options, steps });
  const { syncRounds, frames, frameBytes, roundsPerLayer, balance, peakRssBytes } = wall;
  const seconds = defined(wall.laterStepSeconds ?? undefined, "a step after the first");
  const note = [
    `${(wall.seconds - (steps - 1) * seconds).toFixed(2)} s for the first step`,
    `at most ${(peakRssBytes / 1e6).toFixed(0)} MB`,
    ...(roundsPerLayer === null ? [] : [`${roundsPerLayer.toFixed(1)} rounds a layer`]),
    ...(balance === null ? [] : [`balance ${balance.toFixed(2)}`]),
  ];
  return {
    name,
    work: {
      "link events": wall.linkEvents,
      ...(syncRounds === 0 ? {} : { rounds: syncRounds, frames, "frame bytes": frameBytes }),
    },
    seconds,
    rates: {
      "link events/s": wall.linkEvents / steps / seconds,
      "of reference": seconds / referenceSeconds(),
    },
    notes: [note.join(", ")],
  };
}

async function realSpeedUp(): Promise<BenchRow> {
  const options = { ...EP16, math: "real" } as const;
  const { wall } = await runSteps({ ...options, placement: "inline", steps: STEPS });
  const alone = defined(wall.laterStepSeconds ?? undefined, "a step after the first");
  return await speedUpRow("Speed-up over inline at EP16 with real math", options, alone);
}

/**
 * What two threads reach that have nothing to do with each other, beside what `threads:2` and `processes:2` reach with one
 * run between them.
 */
async function speedUpRow(
  name: string,
  options: Omit<StepCase, "placement">,
  alone: number,
): Promise<BenchRow> {
  const task = { kind: "steps", options: { ...options, placement: "inline", steps: STEPS } } as const;
  const both = await runOnThreads<number>([task, task]);
  const independent = (2 * alone) / Math.max(...both);
  const shared: Record<string, number> = {};
  for (const placement of ["threads:2", "processes:2"]) {
    const { wall } = await runSteps({ ...options, placement, steps: STEPS });
    const speedUp = alone / defined(wall.laterStepSeconds ?? undefined, "a step after the first");
    shared[placement] = speedUp;
    shared[`${placement} of independent %`] = (100 * speedUp) / independent;
  }
  return {
    name,
    work: { steps: STEPS },
    seconds: alone,
    rates: { "independent threads": independent, ...shared },
  };
}

/** With full recording; the simulation alone, without merging and export. One step: it writes a gigabyte and more. */
async function recordedRow(name: string, options: StepCase): Promise<BenchRow> {
  const without = await runSteps({ ...options, steps: 1 });
  const { wall } = await inFolder((folder) =>
    runScenario(stepScenario({ ...options, steps: 1 }, folder), { outputFolder: folder, exports: false }),
  );
  return {
    name,
    work: { events: wall.events, "link events": wall.linkEvents },
    seconds: wall.seconds,
    rates: {
      "of unrecorded": wall.seconds / without.wall.seconds,
      "of reference": wall.seconds / referenceSeconds(),
    },
  };
}

/** One dispatch and one combine at EP144, 128 tokens for each rank, eight planes. */
function allToAllRow(): BenchRow {
  const options = withBenchmarkDefaults({ ranks: 144, gpusPerNode: 8, tokens: [128] });
  const runs = Array.from({ length: REPETITIONS + 1 }, () => {
    const { simulate, result } = setUpAllToAll(options);
    return { seconds: secondsOf(simulate), events: result().events };
  });
  const [{ events }, ...warm] = runs as [(typeof runs)[number], ...typeof runs];
  const seconds = median(warm.map((run) => run.seconds));
  return {
    name: "All-to-all at EP144, both directions, warm",
    work: { events },
    seconds,
    rates: { "events/s": events / seconds, "of reference": seconds / referenceSeconds() },
  };
}

const REPETITIONS = 5;
const REFERENCE_ITERATIONS = 20_000_000;

/** A loop over numbers in a typed array, which every machine runs alike: what seconds stand beside. */
function referenceSeconds(): number {
  const values = new Float64Array(4096);
  let state = 12_345;
  const loop = (): void => {
    for (let i = 0; i < REFERENCE_ITERATIONS; i++) {
      state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fff_ffff;
      const at = state & 4095;
      values[at] = values[at]! + values[(at * 7) & 4095]! * 0.5 + 1;
    }
  };
  return secondsOf(loop);
}
