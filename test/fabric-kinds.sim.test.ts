// The same work over every kind of fabric: what each carries where, and which is sooner through.

import path from "node:path";
import { resolveScenario, runScenario, type Summary } from "@windtunnel/cluster";
import { describe, expect, test } from "vitest";
import { temporaryFolder } from "./support/folders.ts";

const NODES = 4;
const GPUS_PER_NODE = 4;

async function run(kind: string, changes: object = {}, nvlinkForDispatch = true): Promise<Summary> {
  const folder = temporaryFolder();
  const scenario = resolveScenario(
    {
      model: { preset: "v3-small" },
      math: "skip",
      routing: { draw: "balanced" },
      cluster: { nodes: NODES, gpusPerNode: GPUS_PER_NODE, fabric: { kind, ...changes } },
      run: { phase: "decode", nvlinkForDispatch },
      workload: { drawn: { requestsPerGpu: 16, promptTokens: 4, steps: 1 } },
    },
    { folder },
  );
  return await runScenario(scenario, { outputFolder: path.join(folder, "run") });
}

describe("the same exchange", () => {
  test("crosses NVLink and NICs as its fabric says", async () => {
    const traffic = async (kind: string, nvlink = true): Promise<Summary["traffic"]> =>
      (await run(kind, {}, nvlink)).traffic;
    const planes = await traffic("multi-plane");
    const rails = await traffic("multi-rail");
    const single = await traffic("single-plane");
    const domain = await traffic("nvlink-domain");
    // Balanced: every rank pair has the same bytes. Of 15 others, 3 are in the node and 12 beyond it; of those 12, 9 have
    // another index and take a last hop over NVLink from disjoint planes.
    const pairs = NODES * GPUS_PER_NODE;
    const pair = domain.nvlinkBytes / (pairs * 15);
    expect(domain).toMatchObject({ rdmaBytes: 0, bytesByPlane: [] });
    expect(planes).toMatchObject({ nvlinkBytes: pairs * (3 + 9) * pair, rdmaBytes: pairs * 12 * pair });
    for (const joined of [rails, single]) {
      const rdma = pairs * 12 * pair;
      expect(joined).toMatchObject({ nvlinkBytes: pairs * 3 * pair, rdmaBytes: rdma, bytesByPlane: [rdma] });
    }
    for (const kind of ["multi-plane", "multi-rail", "single-plane"]) {
      expect(await traffic(kind, false)).toMatchObject({ nvlinkBytes: 0, rdmaBytes: pairs * 15 * pair });
    }
  });

  test("is sooner through one NVLink switch than over NICs, and without relays than with", async () => {
    const [planes, rails, single, domain] = await Promise.all(
      ["multi-plane", "multi-rail", "single-plane", "nvlink-domain"].map(
        async (kind) => (await run(kind)).virtual.totalUs,
      ),
    );
    // One leaf for all: the single plane has no spines to cross. Rails cross one where the relay adds 2.33 µs.
    expect(domain!).toBeLessThan(single!);
    expect(single!).toBeLessThan(rails!);
    expect(rails!).toBeLessThan(planes!);
  });

  test("takes longer where a cable of a rail, of the one plane or of the domain is slow", async () => {
    const folder = temporaryFolder();
    const cables = {
      "multi-rail": "rail 1 / node 2 - leaf 0",
      "single-plane": "plane 0 / node 2 nic 1 - leaf 0",
      "nvlink-domain": "nvlink / node 2 gpu 1",
    };
    for (const [kind, cable] of Object.entries(cables)) {
      const scenario = resolveScenario(
        {
          model: { preset: "v3-small" },
          math: "skip",
          routing: { draw: "balanced" },
          cluster: { nodes: NODES, gpusPerNode: GPUS_PER_NODE, fabric: { kind } },
          run: { phase: "decode" },
          workload: { drawn: { requestsPerGpu: 16, promptTokens: 4, steps: 1 } },
          overrides: { links: { [cable]: { bandwidth: 0.01 } } },
        },
        { folder },
      );
      const slow = await runScenario(scenario, { outputFolder: path.join(folder, kind) });
      expect(slow.virtual.totalUs, kind).toBeGreaterThan((await run(kind)).virtual.totalUs);
    }
  });
});
