// `math: skip`: the same exchanges and times without a model, drawn from the seed and from nothing else.

import { existsSync, readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { resolveScenario, runScenario, type Summary } from "@windtunnel/cluster";
import { describe, expect, test } from "vitest";
import { temporaryFolder } from "./support/folders.ts";

async function run(changes: Record<string, unknown>, folder: string = temporaryFolder()): Promise<Summary> {
  const scenario = resolveScenario(
    {
      model: { preset: "v3-small" },
      math: "skip",
      cluster: { nodes: 2, gpusPerNode: 2, fabric: { planes: 2, nodesPerLeaf: 1, spinesPerPlane: 2 } },
      run: { precision: { dispatch: "fp8", combine: "bf16" } },
      workload: { drawn: { requestsPerGpu: 8, promptTokens: 4, steps: 2 } },
      ...changes,
    },
    { folder },
  );
  return await runScenario(scenario, { outputFolder: path.join(folder, "run") });
}

/** One prefill and two decode steps of three MoE layers; tokens of a rank in each. */
const STEP_TOKENS = [32, 8, 8];
const MOE_LAYERS = 3;
// Hidden 128: header 16, codes 128, one scale of 4; BF16 back. Counts: 4 bytes for each of 16 experts.
const DISPATCH_ROW = 16 + 128 + 4;
const COMBINE_ROW = 2 * 128;
const COUNTS = 4 * 16;

describe("without math", () => {
  test("balanced routing sends exactly the bytes of its formula between every pair of ranks", async () => {
    const { traffic, outputs } = await run({ routing: { draw: "balanced" } });
    expect(outputs).toEqual([]);
    let nvlink = 0;
    let rdma = 0;
    for (const tokens of STEP_TOKENS) {
      // 64 experts on four ranks: a quarter of the rows for each.
      const rows = (tokens * 8) / 4;
      const pair = MOE_LAYERS * (rows * (DISPATCH_ROW + COMBINE_ROW) + 2 * COUNTS);
      rdma += 4 * 2 * pair;
      // Each rank has one neighbour in its node, and one of the two remote ranks is reached by a last hop over NVLink.
      nvlink += 4 * pair + 4 * pair;
    }
    expect(traffic).toMatchObject({ nvlinkBytes: nvlink, rdmaBytes: rdma });
  });

  test("draws follow from the seed, and from the kind of draw", async () => {
    const first = await run({ routing: { draw: "gate-like" } });
    const again = await run({ routing: { draw: "gate-like" } });
    const otherSeed = await run({ routing: { draw: "gate-like" }, seed: 2 });
    const zipf = await run({ routing: { draw: "zipf", exponent: 1.2 } });
    expect(again.digests).toEqual(first.digests);
    expect(otherSeed.digests.events).not.toBe(first.digests.events);
    // A popular expert's rank is waited for.
    const layer = (summary: Summary): number => summary.virtual.steps[0]!.layerUs;
    expect(layer(zipf)).toBeGreaterThan(layer(first));
  });

  test("a folder holds one run: a failed one does not stand among the files of an earlier one", async () => {
    const folder = temporaryFolder();
    await run({}, folder);
    expect(existsSync(path.join(folder, "run", "summary.json"))).toBe(true);
    // So slow that virtual time ends first.
    await expect(run({ overrides: { gpus: { 1: { speed: 1e-12 } } } }, folder)).rejects.toThrow(/2\^53/);
    expect(readdirSync(path.join(folder, "run"))).toEqual(["scenario.json"]);
  });

  test("the scenario that is written says how many planes and how routing was drawn", async () => {
    const folder = temporaryFolder();
    await run({ cluster: { nodes: 1, gpusPerNode: 4 } }, folder);
    const written = JSON.parse(readFileSync(path.join(folder, "run", "scenario.json"), "utf8")) as object;
    expect(written).toMatchObject({
      // A plane for each GPU, though a node of this hardware has eight NICs.
      cluster: { fabric: { planes: 4 } },
      routing: { draw: "balanced", groups: 8, limitedGroups: 4 },
    });
  });

  test("routing that can't be drawn is refused", async () => {
    await expect(run({ routing: { draw: "balanced", groups: 7 } })).rejects.toThrow(/of 7 groups/);
    await expect(run({ math: "real", routing: { draw: "balanced" } })).rejects.toThrow(
      /only where nothing is executed/,
    );
  });
});
