// Small runs beside a changed one: the difference names what was changed, and what it did adds up.

import path from "node:path";
import { diffRuns, openRecording, type RunDiff, STEP_CAUSES } from "@windtunnel/trace";
import { describe, expect, test } from "vitest";
import { temporaryFolder } from "./support/folders.ts";
import { runInto } from "./support/runs.ts";
import { writeTimedModel } from "./support/timed-models.ts";

const LAYERS = 3;
const RANKS = 4;
const STEPS = 2;

/** Two decode steps of two nodes of two GPUs; `changes` in the second run. */
async function diffOf(changes: Readonly<Record<string, unknown>>): Promise<RunDiff> {
  const folder = temporaryFolder();
  const fields = {
    model: { preset: "v3-small" },
    math: "skip",
    routing: { draw: "gate-like" },
    timing: { model: writeTimedModel(folder, LAYERS), kvLength: 1024 },
    cluster: { nodes: 2, gpusPerNode: 2, fabric: { planes: 2, nodesPerLeaf: 1, spinesPerPlane: 2 } },
    run: { phase: "decode", decode: { schedule: "five-stage", dispatch: "low-latency" } },
    workload: { drawn: { requestsPerGpu: 32, promptTokens: 16, steps: STEPS } },
  };
  const options = { exports: false };
  const runs = [
    await runInto(folder, "before", fields, options),
    await runInto(folder, "after", { ...fields, ...changes }, options),
  ];
  const recordings = runs.map((run) => openRecording(path.join(run.folder, "recording.bin")));
  const diff = diffRuns(recordings[0]!, recordings[1]!);
  for (const recording of recordings) recording.close();
  expect([diff.before.digest, diff.after.digest]).toEqual(runs.map(({ summary }) => summary.digests.trace));
  for (const each of [...diff.steps, ...diff.kinds]) {
    const sum = STEP_CAUSES.reduce((total, cause) => total + each.byCause[cause].changePs, 0);
    expect(sum, "changes by cause").toBe(each.changePs);
    const side = STEP_CAUSES.reduce((total, cause) => total + each.byCause[cause].afterPs, 0);
    expect(side, "causes after").toBe(each.afterPs);
  }
  // As the summaries say, which round picoseconds to numbers of microseconds.
  expect(diff.steps.map(({ afterPs }) => afterPs / 1e6)).toEqual(
    runs[1]!.summary.virtual.steps.map(({ us }) => us),
  );
  return diff;
}

/** Matched, appeared and vanished spans, over all names. */
function countsOf({ kinds }: RunDiff): Record<"matched" | "moved" | "appeared" | "vanished", number> {
  const counts = { matched: 0, moved: 0, appeared: 0, vanished: 0 };
  for (const change of kinds.flatMap(({ spans }) => spans.byName)) {
    for (const name of ["matched", "moved", "appeared", "vanished"] as const) counts[name] += change[name];
  }
  return counts;
}

describe("two runs", () => {
  test("of one scenario do not differ", async () => {
    const diff = await diffOf({});
    expect(diff.firstDifference).toBeNull();
    expect(diff.headerFields).toEqual([]);
    expect(countsOf(diff)).toMatchObject({ moved: 0, appeared: 0, vanished: 0 });
    expect(diff.steps.map(({ changePs }) => changePs)).toEqual([0, 0]);
  });

  test("part where a GPU is slower: it is named, and others wait for it", async () => {
    const diff = await diffOf({ overrides: { gpus: { 2: { speed: 0.7 } } } });
    expect(diff.firstDifference).toMatchObject({ process: "node 1 · GPU 0", sequence: 0 });
    expect(diff.firstDifference!.before!.record).toMatchObject({ type: "span", name: "embed", step: 0 });
    expect(diff.firstDifference!.fields.map(({ field }) => field)).toEqual(["end"]);
    const [decode] = diff.kinds;
    expect(countsOf(diff)).toMatchObject({ appeared: 0, vanished: 0 });
    expect(decode!.spans.mostChangedRank!.rank).toBe(2);
    expect(decode!.spans.mostChangedRank!.meanDurationChangeUs).toBeGreaterThan(0);
    expect(decode!.waitedFor!.rank).toBe(2);
    expect(decode!.changePs).toBeGreaterThan(0);
    // One rank computes longer, three wait for it.
    expect(decode!.byCause["slower-rank"].changePs).toBeGreaterThan(decode!.byCause.computing.changePs);
    expect(decode!.byCause.computing.changePs).toBeGreaterThan(0);
  });

  test("of two seeds part with the first message that carries other rows", async () => {
    const diff = await diffOf({ seed: 2 });
    expect(diff.headerFields).toEqual(["seed"]);
    expect(countsOf(diff)).toMatchObject({ appeared: 0, vanished: 0 });
    // Until a gate has chosen nothing depends on the seed.
    const [before, after] = [diff.firstDifference!.before!, diff.firstDifference!.after!];
    expect([before.record.type, after.record.type]).toEqual(["hop", "hop"]);
    const untouched = diff.kinds[0]!.spans.byName.find(({ name }) => name === "embed");
    expect(untouched).toMatchObject({ matched: RANKS * STEPS, moved: 0 });
  });

  test("of two schedules are compared by layer, since one has two micro-batches and the other one", async () => {
    const run = { phase: "decode", decode: { schedule: "sequential", dispatch: "low-latency" } };
    const diff = await diffOf({ run });
    for (const name of ["attention.core", "gate", "mlp.experts", "combine.receive"]) {
      const change = diff.kinds[0]!.spans.byName.find((each) => each.name === name);
      const spans = RANKS * STEPS * LAYERS;
      expect(change, name).toMatchObject({ matched: spans, appeared: 0, vanished: 0 });
    }
    expect(diff.kinds[0]!.spans.summedOverMicroBatches).toEqual({ before: 2, after: 1 });
    const { before, after } = diff.kinds[0]!.communication;
    expect(after.hiddenFraction).toBeLessThan(before.hiddenFraction!);
  });
});
