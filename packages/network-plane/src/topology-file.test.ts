import { WorldError } from "@windtunnel/base";
import { describe, expect, test } from "vitest";
import { checkTopologyDescription } from "./index.ts";

function refusalOf(value: unknown): WorldError {
  try {
    checkTopologyDescription(value, "mine.yaml");
  } catch (error) {
    if (error instanceof WorldError) return error;
    throw error;
  }
  throw new Error("the description was taken");
}

describe("a topology description", () => {
  test("needs nothing: the default is the published deployment of 2,048 GPUs", () => {
    expect(checkTopologyDescription({})).toMatchObject({
      kind: "multi-plane",
      nodes: 256,
      gpusPerNode: 8,
      planes: 8,
      nodesPerLeaf: 32,
      spinesPerPlane: 32,
      switchPorts: 64,
      linkBytesPerSecond: 50e9,
      routing: "static",
    });
  });

  test("has defaults by kind and by the ports of its switches", () => {
    // Half of 64 ports, for nodes of 8 NICs: 4 nodes.
    expect(checkTopologyDescription({ kind: "single-plane" })).toMatchObject({ nodesPerLeaf: 4 });
    expect(checkTopologyDescription({ switchPorts: 32, nodes: 64 })).toMatchObject({
      nodesPerLeaf: 16,
      spinesPerPlane: 16,
    });
    expect(checkTopologyDescription({ gpusPerNode: 4 })).toMatchObject({ planes: 4 });
    // GB200 NVL72: 18 nodes of 4 GPUs.
    expect(checkTopologyDescription({ kind: "nvlink-domain" })).toMatchObject({
      nodes: 18,
      gpusPerNode: 4,
      planes: 0,
      nvlinkBytesPerSecond: 900e9,
    });
  });

  test.each([
    [
      { kind: "torus" },
      "kind",
      'found "torus"; allowed: one of multi-plane, multi-rail, single-plane, nvlink',
    ],
    [{ nodes: 0 }, "nodes", "found 0; allowed: a whole number from 1 to"],
    [{ spines: 4 }, "spines", 'unknown field "spines"; allowed: no unknown fields; known here: kind, nodes'],
    [[1], "", "found [1]; allowed: fields among kind, nodes"],
    [
      { nodes: 33, spinesPerPlane: 0 },
      "spinesPerPlane",
      "found 0: 2 leaves without an uplink; allowed: at least 1",
    ],
    [
      { kind: "multi-rail", nodes: 4, spinesPerPlane: 0 },
      "spinesPerPlane",
      "found 0: 8 leaves without an uplink; allowed: at least 1, or a single leaf",
    ],
    [
      { nodes: 256, nodesPerLeaf: 40 },
      "spinesPerPlane",
      "found 32: 40 nodes and 32 spines on a leaf of 64 ports; allowed: at most 24 beside 40 nodes",
    ],
    [
      { nodes: 65, nodesPerLeaf: 65 },
      "nodesPerLeaf",
      "found 65: 65 nodes on a leaf of 64 ports; allowed: at most 64",
    ],
    [
      { kind: "single-plane", nodesPerLeaf: 9 },
      "nodesPerLeaf",
      "found 9: 72 NICs on a leaf of 64 ports; allowed: at most 8",
    ],
    // 2,049 nodes make 65 leaves of a plane; 257 nodes make 9 leaves of each of 8 rails.
    [{ nodes: 2049 }, "nodes", "found 65 leaves on each spine of 64 ports; allowed: at most 64 leaves"],
    [{ kind: "multi-rail", nodes: 257 }, "nodes", "found 72 leaves on each spine of 64 ports"],
    [{ kind: "single-plane", nodes: 257 }, "nodes", "found 65 leaves on each spine of 64 ports"],
    [
      { gpusPerNode: 4, planes: 8 },
      "planes",
      "found 8 with 4 GPUs on a node: nobody hangs on plane 4; allowed: 1 to 4",
    ],
    [{ kind: "multi-rail", gpusPerNode: 4, planes: 5 }, "planes", "nobody hangs on rail 4"],
    [{ kind: "nvlink-domain", planes: 8 }, "planes", "nobody hangs on a plane in an NVLink domain"],
    [
      { kind: "nvlink-domain", nodes: 19 },
      "nodes",
      "found 19 nodes of 4 GPUs: 76 GPUs at one NVLink switch; allowed: at most 72 GPUs",
    ],
    [
      { kind: "nvlink-domain", pcie: true },
      "pcie",
      "found true in an NVLink domain, where no message crosses PCIe",
    ],
    [{ pcie: "yes" }, "pcie", 'found "yes"; allowed: true or false'],
    [{ linkGBps: 0 }, "linkGBps", "found 0; allowed: 1e9 bytes per second, above 0 and finite"],
    [{ linkGBps: -1 }, "linkGBps", "found -1; allowed: 1e9 bytes per second, above 0 and finite"],
    [{ linkGBps: Infinity }, "linkGBps", "found Infinity; allowed: 1e9 bytes per second, above 0 and finite"],
    [{ linkGBps: 1e308 }, "linkGBps", "found Infinity; allowed: 1e9 bytes per second, above 0 and finite"],
    [{ nvlinkGBps: 0 }, "nvlinkGBps", "found 0; allowed: 1e9 bytes per second"],
    [{ linkLatencyNs: 0 }, "linkLatencyNs", "found 0; allowed: nanoseconds, above 0"],
    [{ linkLatencyNs: Infinity }, "linkLatencyNs", "found Infinity; allowed: nanoseconds, above 0"],
    // 2 × (65,536 × 8 NICs + 8 planes × 32 leaves × 2,048 spines).
    [{ nodes: 65_536, switchPorts: 4096 }, "nodes", "a fabric of 2097152 links"],
  ])("%j is refused at %s", (value, path, message) => {
    const error = refusalOf(value);
    expect(error.exitCode).toBe(2);
    expect(error.message).toContain(message);
    expect(error.details).toMatchObject({ file: "mine.yaml", path });
    expect(error.details["found"]).toEqual(expect.any(String));
    expect(error.details["allowed"]).toEqual(expect.any(String));
  });

  test("says all that is wrong with it", () => {
    const { message } = refusalOf({ nodes: 65, nodesPerLeaf: 40, gpusPerNode: 2, planes: 3 });
    expect(message).toMatch(/2 problems\n {2}planes: .*\n {2}spinesPerPlane: /);
  });
});
