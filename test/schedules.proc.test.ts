// Schedules give the same digests wherever a run is placed: two streams with relays and waiting hosts, stages in turns, graphs
// that are replayed, a schedule from a file that every host loads by itself.

import { expect, test } from "vitest";
import { exampleFile, temporaryFolder } from "./support/folders.ts";
import { runInto } from "./support/runs.ts";

const PLACEMENTS = ["threads:3", "processes:2"];

test.each([
  {
    prefill: { schedule: "dual-batch", dispatch: "normal" },
    decode: { schedule: "two-batch-sglang", dispatch: "low-latency", launch: "graph" },
  },
  {
    prefill: { schedule: "two-batch-sglang", dispatch: "normal" },
    decode: { schedule: exampleFile("dual-batch-vllm"), dispatch: "direct" },
  },
  {
    prefill: { schedule: "dual-batch", dispatch: "low-latency" },
    decode: { schedule: "five-stage", dispatch: "normal" },
  },
])("schedules of case %#", async (run) => {
  const digestsOf = async (placement: string) => {
    const { summary } = await runInto(temporaryFolder(), "run", {
      model: { preset: "v3-tiny" },
      timing: { model: "executed" },
      cluster: { nodes: 2, gpusPerNode: 2 },
      run: { ...run, precision: { dispatch: "fp8", combine: "bf16" } },
      workload: { drawn: { requestsPerGpu: 3, promptTokens: 7, steps: 2 } },
      placement,
    });
    return summary.digests;
  };
  const inline = await digestsOf("inline");
  for (const placement of PLACEMENTS) expect(await digestsOf(placement), placement).toEqual(inline);
});
