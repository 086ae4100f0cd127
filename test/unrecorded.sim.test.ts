// A run without a recording is the same run: what it knows is what a recorded one says.

import { readdirSync } from "node:fs";
import { resolveScenario, runScenario, runUnrecorded } from "@windtunnel/cluster";
import { expect, test } from "vitest";
import { temporaryFolder } from "./support/folders.ts";

const FIELDS = {
  model: { preset: "v3-tiny" },
  cluster: { nodes: 2, gpusPerNode: 2 },
  run: { phase: "decode", decode: { schedule: "five-stage", dispatch: "low-latency" } },
  workload: { requestsPerGpu: 4, promptTokens: 8, steps: 2 },
};

test("a run without a recording has the events, tokens and steps of one with it, and writes no trace", async () => {
  const folder = temporaryFolder();
  const scenario = resolveScenario(FIELDS, { folder });
  const recorded = await runScenario(scenario, { outputFolder: folder, exports: false });
  expect(readdirSync(folder)).toContain("recording.bin");
  const bare = await runUnrecorded(scenario, { outputFolder: folder });
  expect(readdirSync(folder).toSorted()).toEqual(["scenario.json", "summary.json", "tokens.jsonl"]);
  const { events, tokens } = recorded.digests;
  expect(bare.digests).toEqual({ events, tokens, trace: null });
  expect(bare.outputs).toEqual(recorded.outputs);
  expect(bare.traffic).toEqual(recorded.traffic);
  expect(bare.communication).toBeNull();
  expect(bare.virtual.totalUs).toBe(recorded.virtual.totalUs);
  expect(bare.virtual.steps.map(({ kind, layerUs }) => [kind, layerUs])).toEqual([
    ["decode", null],
    ["decode", null],
  ]);
  expect(bare.wall.linkEvents).toBe(recorded.wall.linkEvents);
  expect(bare.wall.linkEvents).toBeGreaterThan(recorded.traffic.messages);
});
