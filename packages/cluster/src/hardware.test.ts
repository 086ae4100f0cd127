// All parts of a kind made faster or slower: what a prepared run and its fabrics have then.

import { defined } from "@windtunnel/base";
import { CostModel, HARDWARE_PROFILES } from "@windtunnel/gpu";
import { describe, expect, test } from "vitest";
import { nvlinkTopology, planeTopology } from "./fabric.ts";
import { type PreparedRun, prepareRun } from "./prepare-run.ts";
import { resolveScenario } from "./scenario/index.ts";

const H800 = defined(HARDWARE_PROFILES.get("h800"), "h800");
const NIC = H800.nics!.bytesPerSecond;
const NVLINK = H800.nvlinkBytesPerSecond;
const PCIE = 55e9;

function prepared(overrides: object, cluster: object = { nodes: 2 }): PreparedRun {
  const scenario = { model: { preset: "v3-small" }, math: "skip", cluster, overrides };
  return prepareRun(resolveScenario(scenario, { folder: "." }));
}

/** Bytes per second of the links of a node and of a plane, each once. */
function rates(run: PreparedRun): { node: number[]; plane: number[] } {
  const once = (links: readonly { readonly bytesPerSecond: number }[]): number[] => [
    ...new Set(links.map(({ bytesPerSecond }) => bytesPerSecond)),
  ];
  return { node: once(nvlinkTopology(run, 0).links), plane: once(planeTopology(run, 0).links) };
}

describe("overrides of all parts of a kind", () => {
  test("are of NICs and planes, of NVLink, or of PCIe, and of nothing else", () => {
    const shown = { nodes: 2, fabric: { pcie: true } };
    expect(rates(prepared({}, shown))).toEqual({ node: [NVLINK, PCIE], plane: [NIC] });
    const nic = prepared({ nic: { bandwidth: 2 } }, shown);
    expect(rates(nic)).toEqual({ node: [NVLINK, PCIE], plane: [2 * NIC] });
    expect(nic.profile.nics!.bytesPerSecond).toBe(2 * NIC);
    const nvlink = prepared({ nvlink: { bandwidth: 0.5 } }, shown);
    expect(rates(nvlink)).toEqual({ node: [NVLINK / 2, PCIE], plane: [NIC] });
    expect(rates(prepared({ pcie: { bandwidth: 3 } }, shown))).toEqual({
      node: [NVLINK, 3 * PCIE],
      plane: [NIC],
    });
    expect(rates(prepared({ nvlink: { bandwidth: 1 }, nic: { bandwidth: 1 } }))).toEqual(rates(prepared({})));
  });

  test("make launches shorter, down to nothing", () => {
    const kernel = { shape: { kind: "copy" }, precision: "bf16", flops: 0, bytes: 0, kernels: 3 } as const;
    const launchTime = (time: number): number =>
      new CostModel(prepared({ launch: { time } }).profile).launchTime([kernel]);
    // Three kernels at 2.5 µs.
    expect([1, 0.5, 0].map(launchTime)).toEqual([7.5e6, 3.75e6, 0]);
  });

  test.each([
    [
      { pcie: { bandwidth: 2 } },
      { nodes: 2 },
      "overrides.pcie: found PCIe links in a cluster that does not show them; allowed: leaving it out, or cluster.fabric.pcie: true",
    ],
    [
      { nic: { bandwidth: 2 } },
      { nodes: 1, fabric: { kind: "nvlink-domain" } },
      "overrides.nic: found NICs in an NVLink domain, which has none",
    ],
    [{ nic: { bandwidth: 0 } }, { nodes: 2 }, "found 0; allowed: a number above 0"],
    [{ launch: { time: -1 } }, { nodes: 2 }, "found -1; allowed: a number of at least 0"],
    [{ nvlink: { bandwidth: 1e300 } }, { nodes: 2 }, "which makes Infinity bytes/s"],
    [{ pcie: { bandwidth: 1e300 } }, { nodes: 2, fabric: { pcie: true } }, "which makes Infinity bytes/s"],
  ])("are refused where there is nothing to override: %j in %j", (overrides, cluster, message) => {
    expect(() => prepared(overrides, cluster)).toThrow(message);
  });

  test("of experts are refused where a gate chooses", () => {
    const scenario = { model: { preset: "v3-small" }, overrides: { experts: { 3: { load: 2 } } } };
    expect(() => resolveScenario(scenario, { folder: "." })).toThrow(
      "overrides.experts: found loads of experts with math: real, where the gate chooses; allowed: leaving it out, or math: skip",
    );
  });
});
