// Redundant experts on real threads and processes: each host holds the experts of its own ranks' replicas, and every
// digest is that of one thread.

import { RandomStream } from "@windtunnel/base";
import { openCheckpoint } from "@windtunnel/model";
import { expect, test } from "vitest";
import { fixture, temporaryFolder } from "./support/folders.ts";
import { drawPrompts, expectedOutputs, referenceOf, writePrompts } from "./support/prompts.ts";
import { runInto, type ScenarioFields } from "./support/runs.ts";

const PLACEMENTS = ["threads:2", "processes:3"];
const CLUSTER = { nodes: 2, gpusPerNode: 4, fabric: { planes: 4, nodesPerLeaf: 1, spinesPerPlane: 2 } };

async function expectSameDigests(folder: string, fields: ScenarioFields): Promise<void> {
  const first = await runInto(folder, "inline", fields);
  for (const placement of PLACEMENTS) {
    const { summary } = await runInto(folder, placement, { ...fields, placement });
    expect(summary.digests, placement).toEqual(first.summary.digests);
    expect(summary.outputs, placement).toEqual(first.summary.outputs);
  }
}

test("a model with redundant experts gives the tokens of one process on every placement", async () => {
  const folder = temporaryFolder();
  const checkpoint = fixture("tiny-v3");
  const batch = drawPrompts(new RandomStream(5, "replicas"), {
    count: 9,
    longest: 6,
    mostNewTokens: 3,
    vocabularySize: 512,
  });
  const fields = {
    model: { checkpoint },
    cluster: CLUSTER,
    parallelism: { redundantExperts: 8 },
    run: { decode: { schedule: "five-stage" } },
    workload: { prompts: writePrompts(folder, batch) },
  };
  await expectSameDigests(folder, fields);
  const { summary } = await runInto(folder, "reference", fields);
  expect(summary.outputs).toEqual(expectedOutputs(referenceOf(openCheckpoint(checkpoint)), batch));
});

test("drawn routing over redundant experts gives the same digests on every placement", async () => {
  await expectSameDigests(temporaryFolder(), {
    model: { preset: "v3-small" },
    math: "skip",
    routing: { draw: "zipf", exponent: 1 },
    cluster: CLUSTER,
    parallelism: { redundantExperts: 24 },
    run: { decode: { schedule: "five-stage" } },
    workload: { drawn: { requestsPerGpu: 5, promptTokens: 3, steps: 2 } },
  });
});
