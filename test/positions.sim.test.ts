// `workload.positionsPerRequest` above 1, with `math: skip`: multi-token prediction as the clock sees it.

import path from "node:path";
import { resolveScenario, runScenario, type Summary } from "@windtunnel/cluster";
import { describe, expect, test } from "vitest";
import { temporaryFolder } from "./support/folders.ts";

function scenarioOf(workload: Record<string, unknown>, run: Record<string, unknown> = {}, math = "skip") {
  return resolveScenario(
    {
      model: { preset: "v3-small" },
      math,
      timing: { kvLength: 65_536 },
      cluster: { nodes: 2, gpusPerNode: 2, fabric: { planes: 2, nodesPerLeaf: 1, spinesPerPlane: 2 } },
      run: { phase: "decode", precision: { dispatch: "fp8", combine: "bf16" }, ...run },
      workload: { requestsPerGpu: 8, promptTokens: 4, steps: 3, ...workload },
    },
    { folder: temporaryFolder() },
  );
}

async function run(...given: Parameters<typeof scenarioOf>): Promise<Summary> {
  const outputFolder = path.join(temporaryFolder(), "run");
  return await runScenario(scenarioOf(...given), { outputFolder, exports: false });
}

const stepUs = ({ virtual }: Summary): number => virtual.steps.at(-1)!.us;

describe("two positions of each request in a step", () => {
  test("travel as two tokens, and attention reads the cache once for both", async () => {
    const one = await run({});
    const two = await run({ positionsPerRequest: 2 });
    const sixteen = await run({ requestsPerGpu: 16 });
    // Counts of rows beside the payload are the same, however many rows there are.
    expect(two.traffic).toEqual(sixteen.traffic);
    expect(two.traffic.rdmaBytes).toBeGreaterThan(1.9 * one.traffic.rdmaBytes);
    expect(stepUs(two)).toBeGreaterThan(stepUs(one));
    // Twice the requests have twice the caches to read.
    expect(stepUs(two)).toBeLessThan(stepUs(sixteen));
  });

  test("change tokens per second, and the time of a token, by how many are accepted; and no step", async () => {
    const all = await run({ positionsPerRequest: 2, acceptedPerStep: 2 });
    const some = await run({ positionsPerRequest: 2, acceptedPerStep: 1.5 });
    const none = await run({ positionsPerRequest: 2 });
    expect(some.virtual.steps).toEqual(all.virtual.steps);
    expect(some.virtual.tokensPerSecondPerNode / all.virtual.tokensPerSecondPerNode).toBeCloseTo(0.75, 12);
    expect(none.virtual.tokensPerSecondPerNode / all.virtual.tokensPerSecondPerNode).toBeCloseTo(0.5, 12);
    expect(some.virtual.timePerOutputTokenUs! / none.virtual.timePerOutputTokenUs!).toBeCloseTo(1 / 1.5, 12);
  });

  test("keep every promise under every schedule, with padded graphs too", async () => {
    const decode = (schedule: string, size: number) => {
      return { decode: { schedule, launch: "graph", graphSizes: [size] } };
    };
    for (const schedule of ["sequential", "five-stage", "two-batch-sglang"]) {
      await run({ positionsPerRequest: 2 }, decode(schedule, 12));
    }
    // Four requests that are not there are priced with two positions each, too.
    const padded = await run({ positionsPerRequest: 2 }, decode("sequential", 12));
    const exact = await run({ positionsPerRequest: 2 }, decode("sequential", 8));
    expect(stepUs(padded)).toBeGreaterThan(stepUs(exact));
  });

  test("count towards the tokens that low-latency buffers hold", async () => {
    await expect(run({ requestsPerGpu: 129, positionsPerRequest: 2 })).rejects.toThrow(/258/);
    await expect(run({ requestsPerGpu: 129 })).resolves.toBeDefined();
  });

  test("are refused where a model is executed", () => {
    expect(() => scenarioOf({ positionsPerRequest: 2 }, {}, "real")).toThrow(
      /positionsPerRequest: 2 is not in this version; allowed now: 1, or anything with math: skip/,
    );
  });
});
