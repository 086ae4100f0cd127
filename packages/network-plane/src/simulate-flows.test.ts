// Both contention models on the fixtures of an independent simulator (SimGrid 3.32), on all-to-alls, and on random
// traffic.

import { readFileSync } from "node:fs";
import { RandomStream } from "@windtunnel/base";
import { describe, expect, test } from "vitest";
import { checkFlowFile, type FlowFile, type FlowSimulation, type Routing, simulateFlows } from "./index.ts";
import { allToAll, drawFlowFile, type PlaneShape, TRAFFIC } from "./test-support/drawn-flows.ts";

const SEEDS = [1, Number(process.env["WINDTUNNEL_TEST_SEED"] ?? Date.now() % 1_000_000_007)];

function fixture(name: string): FlowFile {
  const url = new URL(`../../../test/fixtures/${name}`, import.meta.url);
  return checkFlowFile(JSON.parse(readFileSync(url, "utf8")), name);
}

/** From the first start to the last finish. */
function makespanOf(file: FlowFile, { flows }: FlowSimulation): number {
  const first = file.flows.reduce((earliest, { startNs }) => Math.min(earliest, startNs), Infinity);
  return flows.reduce((latest, { finishNs }) => Math.max(latest, finishNs), 0) - first;
}

/** Trains over fluid. */
function makespanRatio(file: FlowFile): number {
  return makespanOf(file, simulateFlows(file, "trains")) / makespanOf(file, simulateFlows(file, "fluid"));
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

  test("trains takes as long as fluid, within 5 % (measured: within 0.002 %)", () => {
    expect(Math.abs(makespanRatio(file) - 1)).toBeLessThan(0.05);
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
  const shapes: readonly PlaneShape[] = [
    { nodes: 4, planes: 1, nodesPerLeaf: 2, spinesPerPlane: 2 },
    { nodes: 16, planes: 1, nodesPerLeaf: 4, spinesPerPlane: 4 },
    { nodes: 24, planes: 1, nodesPerLeaf: 32, spinesPerPlane: 0 },
    { nodes: 32, planes: 1, nodesPerLeaf: 16, spinesPerPlane: 16 },
    { nodes: 40, planes: 2, nodesPerLeaf: 4, spinesPerPlane: 4 },
    { nodes: 64, planes: 1, nodesPerLeaf: 8, spinesPerPlane: 2 },
    { nodes: 64, planes: 1, nodesPerLeaf: 32, spinesPerPlane: 16 },
  ];
  const cases = shapes.flatMap((shape) => [100, 1_000_000].map((bytes) => ({ ...shape, bytes })));

  test.each(cases)("trains takes as long as fluid, within 5 %: %j", ({ bytes, ...shape }) => {
    expect(Math.abs(makespanRatio(allToAll(shape, bytes)) - 1)).toBeLessThan(0.05);
  });

  test("a short one hides the latency of far targets behind flows to near ones", () => {
    // 15 flows of 1 µs each. A sender's link is busy from 1 µs (two links) to 16 µs, with all flows from 2 µs on.
    const file = allToAll({ nodes: 16, planes: 1, nodesPerLeaf: 4, spinesPerPlane: 4 }, 50_000);
    expect(makespanOf(file, simulateFlows(file, "fluid"))).toBeCloseTo(16_000, 6);
    expect(Math.abs(makespanRatio(file) - 1)).toBeLessThan(0.01);
  });

  test("256 nodes: 65,280 flows at once, through every link as the arithmetic says", () => {
    const file = allToAll({ nodes: 256, planes: 1, nodesPerLeaf: 32, spinesPerPlane: 32 }, 100_000);
    // measured: 0.3 to 0.6 s of one core (simulate-flows.proc.test.ts bounds it).
    const result = simulateFlows(file, "trains");
    // A sender's link is busy from 1 µs (two links) on, with 255 flows of 2 µs.
    expect(makespanOf(file, result)).toBeGreaterThanOrEqual(1000 + 255 * 2000);
    expect(makespanOf(file, result)).toBeLessThan((1000 + 255 * 2000) * 1.01);
    // Links of nodes carry 255 flows; a trunk carries 32 nodes' flows to the 7 nodes of other leaves (or the other
    // way round) that have its spine.
    expect(result.links.length).toBe(2 * 256 + 2 * 8 * 32);
    for (const { name, bytes } of result.links) {
      expect(bytes).toBe(name.includes("node") ? 255 * 100_000 : 32 * 7 * 100_000);
    }
  });
});

describe.each(SEEDS)("random traffic, seed %i", (seed) => {
  // Thousands of flows: in simulate-flows.proc.test.ts.
  const traffics = TRAFFIC.filter(({ flowCount }) => flowCount.most < 2000);
  test.each(traffics)("trains takes as long as fluid, within 5 %: $name", (traffic) => {
    const ratio = makespanRatio(drawFlowFile(traffic, seed));
    const repeat = `WINDTUNNEL_TEST_SEED=${seed} npx vitest run --project unit packages/network-plane/src/simulate-flows.test.ts`;
    expect(Math.abs(ratio - 1), `trains / fluid is ${ratio}; repeat with ${repeat}`).toBeLessThan(0.05);
  });
});

test("in trains, flows that start together do not depend on the order of the file", () => {
  const file = allToAll({ nodes: 12, planes: 1, nodesPerLeaf: 4, spinesPerPlane: 4 }, 100_000);
  const random = new RandomStream(3, "order of flows");
  const keys = file.flows.map(() => random.uniform());
  const order = file.flows.map((_, index) => index).sort((a, b) => keys[a]! - keys[b]!);
  const shuffled = { ...file, flows: order.map((index) => file.flows[index]!) };
  const { flows } = simulateFlows(file, "trains");
  expect(simulateFlows(shuffled, "trains").flows).toEqual(order.map((index) => flows[index]));
});

describe("routing", () => {
  const { fabric, flows } = fixture("fabric-incast.json");
  const routed = (routing: Routing): FlowFile => ({ fabric: { ...fabric, routing }, flows });

  test("by hash, trains and fluid carry the same bytes on every link, and others than static routing", () => {
    const [trains, fluid] = (["trains", "fluid"] as const).map((model) =>
      simulateFlows(routed("ecmp"), model),
    );
    expect(trains!.links).toEqual(fluid!.links);
    expect(trains!.links).not.toEqual(simulateFlows(routed("static"), "trains").links);
    expect(Math.abs(makespanRatio(routed("ecmp")) - 1)).toBeLessThan(0.05);
  });

  test("adaptively, trains spread flows that static routing sends through one spine", () => {
    // Nodes 0 to 3 to nodes 4, 8, 12, 16: all spine 0 of 4. One after another on its link; or side by side.
    const shape = { nodes: 20, gpusPerNode: 1, planes: 1, nodesPerLeaf: 4, spinesPerPlane: 4 };
    const together = (routing: Routing): FlowFile => ({
      fabric: { ...fabric, ...shape, routing },
      flows: [0, 1, 2, 3].map((from) => ({ from, to: 4 * from + 4, bytes: 1_000_000, startNs: 0 })),
    });
    const makespan = (routing: Routing): number =>
      makespanOf(together(routing), simulateFlows(together(routing), "trains"));
    expect(makespan("static")).toBe(2000 + 4 * 20_000);
    expect(makespan("adaptive")).toBe(2000 + 20_000);
  });

  test("adaptively, fluid says why it can't", () => {
    expect(() => simulateFlows(routed("adaptive"), "fluid")).toThrow(
      /fabric\.routing: found adaptive.*a fluid has no head.*static, ecmp/,
    );
  });
});
