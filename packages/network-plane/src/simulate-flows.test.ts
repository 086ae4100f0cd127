// Both contention models on the fixtures of an independent simulator (SimGrid 3.32) and on all-to-alls.

import { readFileSync } from "node:fs";
import { RandomStream } from "@windtunnel/base";
import { describe, expect, test } from "vitest";
import {
  checkFlowFile,
  type Flow,
  type FlowFabric,
  type FlowFile,
  type FlowSimulation,
  simulateFlows,
} from "./index.ts";

function fixture(name: string): FlowFile {
  const url = new URL(`../../../test/fixtures/${name}`, import.meta.url);
  return checkFlowFile(JSON.parse(readFileSync(url, "utf8")), name);
}

function makespanOf({ flows }: FlowSimulation): number {
  return flows.reduce((latest, { finishNs }) => Math.max(latest, finishNs), 0);
}

function makespansOf(file: FlowFile): { trains: number; fluid: number; ratio: number } {
  const [trains, fluid] = [
    makespanOf(simulateFlows(file, "trains")),
    makespanOf(simulateFlows(file, "fluid")),
  ];
  return { trains, fluid, ratio: trains / fluid };
}

const LINKS = { linkGBps: 50, linkLatencyNs: 500, routing: "static" } as const;

/** Everyone to everyone else on the same plane, at once, in the order of source and target. */
function allToAll(
  shape: Pick<FlowFabric, "nodes" | "planes" | "nodesPerLeaf" | "spinesPerPlane">,
  bytes: number,
): FlowFile {
  const { nodes, planes } = shape;
  const flows: Flow[] = [];
  for (let from = 0; from < nodes * planes; from++) {
    for (let to = from % planes; to < nodes * planes; to += planes) {
      if (from !== to) flows.push({ from, to, bytes, startNs: 0 });
    }
  }
  return { fabric: { ...shape, ...LINKS, gpusPerNode: planes }, flows };
}

/** What links carry, from the sentence in the fixtures' README alone: spine = target node modulo spines. */
function bytesByLink({ fabric, flows }: FlowFile): Record<string, number> {
  const { gpusPerNode, nodesPerLeaf, spinesPerPlane } = fabric;
  const bytesOf: Record<string, number> = {};
  for (const { from, to, bytes } of flows) {
    const [source, target] = [Math.floor(from / gpusPerNode), Math.floor(to / gpusPerNode)];
    const [near, far] = [Math.floor(source / nodesPerLeaf), Math.floor(target / nodesPerLeaf)];
    const spine = target % spinesPerPlane;
    const trunks = near === far ? [] : [`leaf ${near} > spine ${spine}`, `spine ${spine} > leaf ${far}`];
    for (const link of [`node ${source} > leaf ${near}`, ...trunks, `leaf ${far} > node ${target}`]) {
      const name = `plane ${from % gpusPerNode} / ${link}`;
      bytesOf[name] = (bytesOf[name] ?? 0) + bytes;
    }
  }
  return bytesOf;
}

describe.each(["fabric-small.json", "fabric-incast.json"])("%s", (name) => {
  const file = fixture(name);

  test("fluid agrees with the independent simulator to 1e-5 of each flow's duration", () => {
    const { flows } = simulateFlows(file, "fluid");
    for (const [index, { finishNs, startNs }] of file.flows.entries()) {
      const error = Math.abs(flows[index]!.finishNs - finishNs!) / (finishNs! - startNs);
      expect(error, `flow ${index}`).toBeLessThan(1e-5);
    }
  });

  test("trains and fluid carry the same bytes on every link, those of static routing", () => {
    const expected = bytesByLink(file);
    for (const model of ["trains", "fluid"] as const) {
      const { links } = simulateFlows(file, model);
      expect(Object.fromEntries(links.map((link) => [link.name, link.bytes]))).toEqual(expected);
    }
  });

  test("trains takes as long as fluid, within 5 % (measured: within 0.04 %)", () => {
    expect(Math.abs(makespansOf(file).ratio - 1)).toBeLessThan(0.05);
  });

  test("no flow is faster than alone", () => {
    for (const model of ["trains", "fluid"] as const) {
      for (const [index, { finishNs, aloneNs }] of simulateFlows(file, model).flows.entries()) {
        // 1 ps: the rounding of virtual time; and floating-point nanoseconds.
        expect(finishNs - file.flows[index]!.startNs).toBeGreaterThanOrEqual(aloneNs - 0.002);
      }
    }
  });
});

describe("balanced all-to-alls", () => {
  test.each([
    { nodes: 64, planes: 1, nodesPerLeaf: 8, spinesPerPlane: 8, bytes: 100_000 },
    { nodes: 64, planes: 1, nodesPerLeaf: 8, spinesPerPlane: 4, bytes: 100_000 },
    { nodes: 64, planes: 1, nodesPerLeaf: 8, spinesPerPlane: 2, bytes: 100_000 },
    { nodes: 64, planes: 1, nodesPerLeaf: 16, spinesPerPlane: 16, bytes: 20_000 },
    { nodes: 40, planes: 2, nodesPerLeaf: 4, spinesPerPlane: 4, bytes: 100_000 },
    { nodes: 16, planes: 8, nodesPerLeaf: 4, spinesPerPlane: 4, bytes: 100_000 },
    { nodes: 24, planes: 1, nodesPerLeaf: 32, spinesPerPlane: 0, bytes: 10_000 },
  ])("trains takes as long as fluid, within 5 %: %j", ({ bytes, ...shape }) => {
    const { ratio } = makespansOf(allToAll(shape, bytes));
    expect(Math.abs(ratio - 1)).toBeLessThan(0.05);
  });

  test("a short one differs by a latency: a sender can't use what fluid gives to flows that are not there yet", () => {
    // 15 flows of 1 µs each. Fluid fills every link from 1 µs (two links) on, and flows across leaves lose nothing by
    // starting at 2 µs: 16 µs. In trains the last flow across leaves arrives 2 µs after its sender's 15: 17 µs.
    const file = allToAll({ nodes: 16, planes: 1, nodesPerLeaf: 4, spinesPerPlane: 4 }, 50_000);
    expect(makespansOf(file)).toMatchObject({ trains: 17_000, fluid: expect.closeTo(16_000, 6) });
  });

  test("256 nodes: 65,280 flows at once, through every link as the arithmetic says", () => {
    const shape = { nodes: 256, planes: 1, nodesPerLeaf: 32, spinesPerPlane: 32 };
    const result = simulateFlows(allToAll(shape, 100_000), "trains");
    // 255 flows of 2 µs each, one after another, and the latency of four links.
    expect(makespanOf(result)).toBe(255 * 2000 + 4 * 500);
    // Links of nodes carry 255 flows; a trunk carries 32 nodes' flows to the 7 nodes of other leaves (or the other
    // way round) that have its spine.
    expect(result.links.length).toBe(2 * 256 + 2 * 8 * 32);
    for (const { name, bytes } of result.links) {
      expect(bytes).toBe(name.includes("node") ? 255 * 100_000 : 32 * 7 * 100_000);
    }
  });
});

describe("flows of one source that start together", () => {
  test("leave in the order of their distance, whatever the order of the file", () => {
    const file = allToAll({ nodes: 12, planes: 1, nodesPerLeaf: 4, spinesPerPlane: 4 }, 100_000);
    const random = new RandomStream(3, "order of flows");
    const keys = file.flows.map(() => random.uniform());
    const order = file.flows.map((_, index) => index).sort((a, b) => keys[a]! - keys[b]!);
    const shuffled = { ...file, flows: order.map((index) => file.flows[index]!) };
    const { flows } = simulateFlows(file, "trains");
    expect(simulateFlows(shuffled, "trains").flows).toEqual(order.map((index) => flows[index]));
  });
});

test("4,000 flows over 40 nodes and 8 planes take fluid less than two seconds of one core", () => {
  const random = new RandomStream(1, "many flows");
  const flows = Array.from({ length: 4000 }, (): Flow => {
    const [plane, source] = [random.below(8), random.below(40)];
    const target = (source + 1 + random.below(39)) % 40;
    const [from, to] = [source * 8 + plane, target * 8 + plane];
    return { from, to, bytes: 1 + random.below(2_000_000), startNs: random.below(50_000) };
  });
  const fabric: FlowFabric = {
    nodes: 40,
    gpusPerNode: 8,
    planes: 8,
    nodesPerLeaf: 4,
    spinesPerPlane: 4,
    ...LINKS,
  };
  const before = process.threadCpuUsage();
  const { flows: results } = simulateFlows({ fabric, flows }, "fluid");
  const { user, system } = process.threadCpuUsage(before);
  expect(results.every(({ finishNs }) => Number.isFinite(finishNs))).toBe(true);
  expect((user + system) / 1e6).toBeLessThan(2);
});
