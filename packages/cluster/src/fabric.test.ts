// Fabrics through the scenario: what each kind becomes, where messages go, and what can't be built.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { WorldError } from "@windtunnel/base";
import { HARDWARE_PROFILES } from "@windtunnel/gpu";
import { afterAll, describe, expect, test } from "vitest";
import { planeTopology } from "./fabric.ts";
import { type PreparedRun, prepareRun } from "./prepare-run.ts";
import { classOf } from "./process-numbers.ts";
import { recordingHeader } from "./recording-header.ts";
import { resolveScenario } from "./scenario/index.ts";
import { exitOfPlane, routeFrom } from "./wiring.ts";

const folder = mkdtempSync(path.join(tmpdir(), "windtunnel-fabric-"));
afterAll(() => rmSync(folder, { recursive: true }));

interface Fields {
  readonly nodes?: number;
  readonly gpusPerNode?: number;
  readonly fabric?: object;
  readonly gpu?: string;
  readonly nvlinkForDispatch?: boolean;
}

function prepared({ fabric, gpu = "h800", nvlinkForDispatch = true, ...cluster }: Fields): PreparedRun {
  const scenario = {
    model: { preset: "v3-small" },
    math: "skip",
    timing: { gpu },
    cluster: { ...cluster, ...(fabric === undefined ? {} : { fabric }) },
    parallelism: { expertParallel: 1 },
    run: { nvlinkForDispatch },
  };
  return prepareRun(resolveScenario(scenario, { folder }));
}

function refusalOf(fields: Fields): WorldError {
  try {
    prepared(fields);
  } catch (error) {
    if (error instanceof WorldError) return error;
    throw error;
  }
  throw new Error("the scenario was taken");
}

describe("a scenario's fabric", () => {
  test("has a plane for each NIC, a process for joined ones, and none in an NVLink domain", () => {
    const shape = { nodes: 2, gpusPerNode: 4 };
    const counts = (kind: string): number[] => {
      const { numbers } = prepared({ ...shape, fabric: { kind } });
      return [numbers.domainCount, numbers.planeCount, numbers.nicCount, numbers.processCount];
    };
    // 8 ranks, NVLink domains, planes, one scheduler. H800 has 8 NICs, for 4 GPUs 4 of them.
    expect(counts("multi-plane")).toEqual([2, 4, 4, 15]);
    expect(counts("multi-rail")).toEqual([2, 1, 4, 12]);
    expect(counts("single-plane")).toEqual([2, 1, 4, 12]);
    expect(counts("nvlink-domain")).toEqual([1, 0, 0, 10]);
  });

  test("is written with what follows from the hardware profile", () => {
    const resolved = (fabric: object): object => prepared({ nodes: 2, fabric }).resolved.cluster.fabric;
    expect(resolved({})).toMatchObject({ planes: 8, nodesPerLeaf: 32, spinesPerPlane: 32, switchPorts: 64 });
    expect(resolved({ kind: "single-plane" })).toMatchObject({ planes: 8, nodesPerLeaf: 4 });
    expect(resolved({ kind: "single-plane", planes: 2 })).toMatchObject({ planes: 2, nodesPerLeaf: 16 });
    expect(resolved({ kind: "nvlink-domain" })).not.toHaveProperty("planes");
  });

  test("of a GB200 rack is one NVLink domain of 72 GPUs", () => {
    const run = prepared({ nodes: 18, gpusPerNode: 4, gpu: "gb200", fabric: { kind: "nvlink-domain" } });
    expect(HARDWARE_PROFILES.get("gb200")!.nics).toBe(null);
    const { processes } = recordingHeader(run);
    const fabrics = processes.flatMap((process) => (process.kind === "fabric" ? [process] : []));
    expect(fabrics.map(({ id, name }) => [id, name])).toEqual([[72, "NVLink"]]);
    expect(fabrics[0]!.links).toContain("nvlink / node 17 gpu 3 > switch");
    const route = routeFrom(run, 0)(71);
    expect(route).toMatchObject({ process: 72, entryPort: 0, exitPort: 71 });
    expect(classOf(run.numbers, 72)).toBe("nvlink");
    expect(classOf(run.numbers, 73)).toBe("scheduler");
  });

  test("names its cables in one manner", () => {
    const cablesOf = (kind: string): readonly string[] =>
      planeTopology(prepared({ nodes: 2, fabric: { kind, nodesPerLeaf: 1 } }), 0).links.map(
        ({ cable }) => cable,
      );
    expect(cablesOf("multi-plane")).toContain("plane 0 / leaf 1 - spine 31");
    expect(cablesOf("multi-rail")).toContain("rail 7 / leaf 1 - spine 31");
    expect(cablesOf("multi-rail")).toContain("rail 7 / node 1 - leaf 1");
    expect(cablesOf("single-plane")).toContain("plane 0 / node 1 nic 7 - leaf 1");
  });
});

/** Names of the links from one rank to another in the fabric that it goes to first, and where it leaves that. */
function wayOf(run: PreparedRun, source: number, target: number): { links: string[]; relayed: boolean } {
  const { process, entryPort, exitPort } = routeFrom(run, source)(target);
  if (classOf(run.numbers, process) === "nvlink") return { links: ["nvlink"], relayed: false };
  const plane = process - run.numbers.plane(0);
  const topology = planeTopology(run, plane);
  const links = topology.pathOf(entryPort, exitPort).map((link) => topology.links[link]!.name);
  const exit = exitOfPlane(run, plane)(target);
  return { links, relayed: exit.process !== target };
}

describe("messages", () => {
  // Two nodes of four GPUs under one leaf each; rank 0 is GPU 0 of node 0, rank 6 is GPU 2 of node 1.
  const way = (
    kind: string,
    target: number,
    nvlinkForDispatch = true,
  ): { links: string[]; relayed: boolean } => {
    const fabric = { kind, nodesPerLeaf: 1, spinesPerPlane: 2 };
    return wayOf(prepared({ nodes: 2, gpusPerNode: 4, fabric, nvlinkForDispatch }), 0, target);
  };

  test("to another index go on over NVLink from disjoint planes, and straight there in joined fabrics", () => {
    expect(way("multi-plane", 6)).toEqual({
      links: [
        "plane 0 / node 0 > leaf 0",
        "plane 0 / leaf 0 > spine 1",
        "plane 0 / spine 1 > leaf 1",
        "plane 0 / leaf 1 > node 1",
      ],
      relayed: true,
    });
    expect(way("multi-rail", 6)).toEqual({
      links: [
        "rail 0 / node 0 > leaf 0",
        "rail 0 / leaf 0 > spine 1",
        "rail 2 / spine 1 > leaf 1",
        "rail 2 / leaf 1 > node 1",
      ],
      relayed: false,
    });
    expect(way("single-plane", 6)).toEqual({
      links: [
        "plane 0 / node 0 nic 0 > leaf 0",
        "plane 0 / leaf 0 > spine 0",
        "plane 0 / spine 0 > leaf 1",
        "plane 0 / leaf 1 > node 1 nic 2",
      ],
      relayed: false,
    });
  });

  test("inside a node take NVLink, and NICs and a leaf where NVLink is not for dispatch", () => {
    for (const kind of ["multi-plane", "multi-rail", "single-plane"]) {
      expect(way(kind, 2).links, kind).toEqual(["nvlink"]);
    }
    expect(way("multi-plane", 2, false).links).toEqual([
      "plane 2 / node 0 > leaf 0",
      "plane 2 / leaf 0 > node 0",
    ]);
    expect(way("multi-rail", 2, false).links).toEqual([
      "rail 0 / node 0 > leaf 0",
      "rail 0 / leaf 0 > spine 0",
      "rail 2 / spine 0 > leaf 0",
      "rail 2 / leaf 0 > node 0",
    ]);
    expect(way("single-plane", 2, false).links).toEqual([
      "plane 0 / node 0 nic 0 > leaf 0",
      "plane 0 / leaf 0 > node 0 nic 2",
    ]);
  });
});

/** A hardware profile of its own, by the path of its file. */
function profileWith(name: string, changes: object): string {
  const file = path.join(folder, `${name}.yaml`);
  const text = JSON.stringify({ ...HARDWARE_PROFILES.get("h800"), name, ...changes }, (_, value: unknown) =>
    value === Number.POSITIVE_INFINITY ? "INFINITE" : value,
  );
  writeFileSync(file, text.replaceAll('"INFINITE"', ".inf"));
  return file;
}

describe("refused with the reason", () => {
  const nics = (bytesPerSecond: number): object => ({ nics: { count: 8, bytesPerSecond } });
  const cases: readonly (readonly [string, Fields, string, string])[] = [
    [
      "several leaves without an uplink",
      { nodes: 2, fabric: { nodesPerLeaf: 1, spinesPerPlane: 0 } },
      "cluster.fabric.spinesPerPlane",
      "found 0: 2 leaves without an uplink; allowed: at least 1",
    ],
    [
      "rails without an uplink",
      { nodes: 2, fabric: { kind: "multi-rail", spinesPerPlane: 0 } },
      "cluster.fabric.spinesPerPlane",
      "found 0: 8 leaves without an uplink",
    ],
    [
      "more nodes than a leaf has ports",
      { nodes: 70, fabric: { nodesPerLeaf: 70 } },
      "cluster.fabric.nodesPerLeaf",
      "found 70: 70 nodes on a leaf of 64 ports",
    ],
    [
      "more links than a leaf has ports",
      { nodes: 64, fabric: { spinesPerPlane: 33 } },
      "cluster.fabric.spinesPerPlane",
      "found 33: 32 nodes and 33 spines on a leaf of 64 ports; allowed: at most 32 beside 32 nodes",
    ],
    [
      "more links than a leaf of all NICs has ports",
      { nodes: 8, fabric: { kind: "single-plane", nodesPerLeaf: 5 } },
      "cluster.fabric.spinesPerPlane",
      "found 32: 40 NICs and 32 spines on a leaf of 64 ports",
    ],
    [
      "more leaves than a spine has ports",
      { nodes: 17, fabric: { nodesPerLeaf: 1, spinesPerPlane: 4, switchPorts: 16 } },
      "cluster.nodes",
      "found 17 leaves on each spine of 16 ports",
    ],
    [
      "more leaves of all rails than a spine has ports",
      { nodes: 3, fabric: { kind: "multi-rail", nodesPerLeaf: 1, spinesPerPlane: 4, switchPorts: 16 } },
      "cluster.nodes",
      "found 24 leaves on each spine of 16 ports",
    ],
    [
      "a plane without a GPU",
      { nodes: 2, gpusPerNode: 4, fabric: { planes: 5 } },
      "cluster.fabric.planes",
      "found 5 with 4 GPUs on a node: nobody hangs on plane 4; allowed: 1 to 4",
    ],
    [
      "a plane without a NIC",
      { nodes: 2, gpu: "h20", fabric: { planes: 8 } },
      "cluster.fabric.planes",
      "a node of h20 has 4 NICs, too few for 8 planes",
    ],
    [
      "planes of a GPU without NICs",
      { nodes: 2, gpu: "gb200" },
      "cluster.fabric.kind",
      "multi-plane on gb200, which has no NIC; allowed: nvlink-domain, or a hardware profile with NICs",
    ],
    [
      "planes in an NVLink domain",
      { nodes: 2, fabric: { kind: "nvlink-domain", planes: 8 } },
      "cluster.fabric.planes",
      "nobody hangs on a plane in an NVLink domain",
    ],
    [
      "an NVLink domain of 80 GPUs",
      { nodes: 10, fabric: { kind: "nvlink-domain" } },
      "cluster.nodes",
      "80 GPUs at one NVLink switch; allowed: at most 72 GPUs",
    ],
    [
      "an NVLink domain without NVLink",
      { nodes: 2, fabric: { kind: "nvlink-domain" }, nvlinkForDispatch: false },
      "run.nvlinkForDispatch",
      "false in an NVLink domain, which has no other way",
    ],
    [
      "PCIe in an NVLink domain",
      { nodes: 2, fabric: { kind: "nvlink-domain", pcie: true } },
      "cluster.fabric.pcie",
      "true in an NVLink domain, where no message crosses PCIe; allowed: false, or another kind",
    ],
    [
      "a NIC without bandwidth",
      { gpu: profileWith("zero", nics(0)) },
      "nics.bytesPerSecond",
      "nics.bytesPerSecond: a number above 0",
    ],
    [
      "a NIC of negative bandwidth",
      { gpu: profileWith("negative", nics(-1)) },
      "nics.bytesPerSecond",
      "nics.bytesPerSecond: a number above 0",
    ],
    [
      "a NIC of infinite bandwidth",
      { gpu: profileWith("infinite", nics(Infinity)) },
      "nics.bytesPerSecond",
      "a number above 0, not infinite",
    ],
    [
      "NVLink without bandwidth",
      { gpu: profileWith("without", { nvlinkBytesPerSecond: 0 }) },
      "nvlinkBytesPerSecond",
      "nvlinkBytesPerSecond: a number above 0",
    ],
    [
      "a kind that there is not",
      { fabric: { kind: "torus" } },
      "cluster.fabric.kind",
      'found "torus"; allowed: one of multi-plane, multi-rail, single-plane, nvlink-domain',
    ],
    [
      "a switch of one port",
      { nodes: 2, fabric: { switchPorts: 1 } },
      "cluster.fabric.switchPorts",
      "found 1; allowed: a whole number from 2 to 4096",
    ],
  ];

  test.each(cases)("%s", (_, fields, where, message) => {
    const { exitCode, details, message: said } = refusalOf(fields);
    expect(exitCode).toBe(2);
    expect(said).toContain(message);
    expect(details).toMatchObject({ path: where });
    expect(details["found"]).toBeDefined();
    expect(details["allowed"]).toEqual(expect.any(String));
  });

  test("an override that makes a link infinitely fast", () => {
    const overrides = { links: { "plane 0 / node 0 - leaf 0": { bandwidth: 1e300 } } };
    const scenario = { model: { preset: "v3-small" }, math: "skip", overrides };
    expect(() => prepareRun(resolveScenario(scenario, { folder }))).toThrow(
      /"plane 0 \/ node 0 > leaf 0" needs/,
    );
  });
});
