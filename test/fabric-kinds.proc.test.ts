// Every kind of fabric on one thread, on two, and with its nodes split: the same digests.

import path from "node:path";
import { resolveScenario, runScenario, type Summary } from "@windtunnel/cluster";
import { expect, test } from "vitest";
import { temporaryFolder } from "./support/folders.ts";

async function runOn(placement: string, fabric: object, nvlinkForDispatch: boolean): Promise<Summary> {
  const folder = temporaryFolder();
  const scenario = resolveScenario(
    {
      model: { preset: "v3-small" },
      math: "skip",
      cluster: { nodes: 2, gpusPerNode: 4, fabric: { spinesPerPlane: 3, ...fabric } },
      run: { decode: { schedule: "five-stage" }, nvlinkForDispatch },
      workload: { drawn: { requestsPerGpu: 4, promptTokens: 3, steps: 2 } },
      placement,
    },
    { folder },
  );
  return await runScenario(scenario, { outputFolder: path.join(folder, "run") });
}

test.each([
  ["multi-plane", { kind: "multi-plane", nodesPerLeaf: 1, routing: "adaptive" }, true],
  ["multi-rail", { kind: "multi-rail", nodesPerLeaf: 1, routing: "adaptive" }, true],
  ["multi-rail without NVLink", { kind: "multi-rail", planes: 2, nodesPerLeaf: 2, routing: "ecmp" }, false],
  ["single-plane", { kind: "single-plane", nodesPerLeaf: 1, routing: "adaptive" }, true],
  ["single-plane without NVLink", { kind: "single-plane", planes: 3, nodesPerLeaf: 2 }, false],
  ["multi-plane with PCIe", { kind: "multi-plane", nodesPerLeaf: 1, pcie: true }, true],
  ["multi-rail with PCIe", { kind: "multi-rail", nodesPerLeaf: 1, planes: 2, pcie: true }, true],
  ["nvlink-domain", { kind: "nvlink-domain" }, true],
] as const)("%s gives the same digests on every placement", async (_, fabric, nvlinkForDispatch) => {
  const { digests, traffic } = await runOn("inline", fabric, nvlinkForDispatch);
  expect(traffic.nvlinkBytes > 0).toBe(nvlinkForDispatch);
  expect(traffic.rdmaBytes > 0).toBe(fabric.kind !== "nvlink-domain");
  // Most hosts: one for each GPU and each plane process.
  const most = 8 + traffic.bytesByPlane.length;
  for (const placement of ["threads:2", "threads:5"]) {
    const { digests: same, hosts } = await runOn(placement, fabric, nvlinkForDispatch);
    expect(same, placement).toEqual(digests);
    expect(hosts.every(({ gpus, planes }) => gpus.length + planes.length > 0)).toBe(true);
  }
  await expect(runOn(`threads:${most + 1}`, fabric, nvlinkForDispatch)).rejects.toThrow(
    `at most ${most} hosts`,
  );
});
