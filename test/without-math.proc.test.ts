// `math: skip` on real threads and processes: the digests of one thread.

import path from "node:path";
import { resolveScenario, runScenario, type Summary } from "@windtunnel/cluster";
import { expect, test } from "vitest";
import { temporaryFolder } from "./support/folders.ts";

async function runOn(placement: string): Promise<Summary> {
  const folder = temporaryFolder();
  const scenario = resolveScenario(
    {
      model: { preset: "v3-small" },
      math: "skip",
      routing: { draw: "zipf", exponent: 0.8 },
      cluster: {
        nodes: 4,
        gpusPerNode: 4,
        fabric: { planes: 4, nodesPerLeaf: 2, spinesPerPlane: 3, routing: "ecmp" },
      },
      run: { decode: { schedule: "five-stage", dispatch: "direct" }, nvlinkForDispatch: false },
      workload: { drawn: { requestsPerGpu: 5, promptTokens: 3, steps: 2 } },
      placement,
    },
    { folder },
  );
  return await runScenario(scenario, { outputFolder: path.join(folder, "run") });
}

test("drawn routing gives the same digests on every placement", async () => {
  const { digests } = await runOn("inline");
  for (const placement of ["threads:2", "threads:8", "processes:3"]) {
    expect((await runOn(placement)).digests, placement).toEqual(digests);
  }
});
