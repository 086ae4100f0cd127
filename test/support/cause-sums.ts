// Runs a random scenario and checks that its causes fill every step of every rank to the picosecond.

import { rmSync } from "node:fs";
import path from "node:path";
import {
  attributeStep,
  type CauseSums,
  criticalPath,
  noTime,
  openRecording,
  STEP_CAUSES,
  stepGraphs,
  totalOf,
  wiresOf,
} from "@windtunnel/trace";
import { expect } from "vitest";
import { temporaryFolder } from "./folders.ts";
import { randomScenario } from "./random-scenarios.ts";
import { runInto } from "./runs.ts";

/** Gives the sums over all ranks and steps, so that a test can say which causes occurred at all. */
export async function checkCauses(seed: number): Promise<CauseSums> {
  const folder = temporaryFolder();
  const all = noTime();
  try {
    const fields = randomScenario(seed, folder);
    const { folder: output } = await runInto(folder, "run", fields, { exports: false });
    const recording = openRecording(path.join(output, "recording.bin"));
    try {
      const options = { sms: recording.header.sms, wireOf: wiresOf(recording.header) };
      for (const graph of stepGraphs(recording)) {
        const where = `seed ${seed}, step ${graph.step}`;
        const step = graph.end - graph.start;
        for (const rank of graph.ranks) {
          const sums = noTime();
          let at = graph.start;
          for (const { from, to, cause } of attributeStep(graph, rank, options)) {
            expect(from, `${where}, rank ${rank.rank}: no gap and no overlap`).toBe(at);
            expect(to, `${where}, rank ${rank.rank}: no empty segment`).toBeGreaterThan(from);
            sums[cause] += to - from;
            at = to;
          }
          expect(at, `${where}, rank ${rank.rank}: up to the end`).toBe(graph.end);
          expect(totalOf(sums), `${where}, rank ${rank.rank}`).toBe(step);
          for (const cause of STEP_CAUSES) all[cause] += sums[cause];
        }
        const { causes, pieces } = criticalPath(graph, options);
        expect(totalOf(causes), `${where}, critical path`).toBe(step);
        expect([pieces[0]?.from, pieces.at(-1)?.to], where).toEqual([graph.start, graph.end]);
      }
    } finally {
      recording.close();
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
  return all;
}
