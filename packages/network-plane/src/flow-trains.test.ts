// What a train does, on cases that can be done by hand; 50 GB/s are 20 ps a byte, and every link has 500 ns.

import { RandomStream } from "@windtunnel/base";
import { describe, expect, test } from "vitest";
import { sendingOrder, trainBytes, trainCounts } from "./flow-cutting.ts";
import { FlowTurns } from "./flow-turns.ts";
import { type Flow, type FlowFile, type FlowResult, simulateFlows } from "./index.ts";
import type { PlaneFlow } from "./plane-flows.ts";

const FABRIC = {
  nodes: 8,
  gpusPerNode: 1,
  planes: 1,
  nodesPerLeaf: 4,
  spinesPerPlane: 4,
  linkGBps: 50,
  linkLatencyNs: 500,
  routing: "static",
} as const;

function run(
  ...flows: (Pick<Flow, "from" | "to" | "bytes"> & { startNs?: number })[]
): readonly FlowResult[] {
  const file: FlowFile = { fabric: FABRIC, flows: flows.map((flow) => ({ startNs: 0, ...flow })) };
  return simulateFlows(file, "trains").flows;
}

/** Within 1 %: trains are no fluid. */
function expectAbout(actualNs: number, expectedNs: number): void {
  expect(Math.abs(actualNs / expectedNs - 1)).toBeLessThan(0.01);
}

describe("trains", () => {
  test.each([1, 100, 4097, 1_000_000, 1_000_000_007])(
    "a flow of %i bytes that is alone takes each byte once",
    (bytes) => {
      const [near, far] = [run({ from: 0, to: 1, bytes }), run({ from: 0, to: 5, bytes, startNs: 7 })];
      expect(near[0]).toEqual({ finishNs: 1000 + bytes / 50, aloneNs: 1000 + bytes / 50 });
      expect(far[0]!.finishNs).toBe(7 + 2000 + bytes / 50);
    },
  );

  test("flows of one source leave in turn: a short one does not wait for a long one", () => {
    // Side by side until the short one has its 100,000 bytes, when 200,000 are through; 8 µs for all.
    const [long, short] = run({ from: 0, to: 1, bytes: 300_000 }, { from: 0, to: 2, bytes: 100_000 });
    expect(long!.finishNs).toBe(1000 + 8000);
    expectAbout(short!.finishNs, 1000 + 4000);
  });

  test("flows to one target share its link evenly, however many a source has", () => {
    // Source 0 has three flows and source 1 has one; at the target each gets a quarter.
    const flows = [0, 0, 0, 1].map((from) => ({ from, to: 2, bytes: 100_000 }));
    for (const { finishNs } of run(...flows)) expectAbout(finishNs, 1000 + 8000);
  });

  test("a flow over two full links gets as much as the flow that shares one of them", () => {
    // 0 > 2 shares node 0's link with 0 > 3, and node 2's with 1 > 2: a half for all three.
    const [both, first, second] = [
      { from: 0, to: 2, bytes: 1_000_000 },
      { from: 0, to: 3, bytes: 1_000_000 },
      { from: 1, to: 2, bytes: 1_000_000 },
    ];
    for (const { finishNs } of run(both, first, second)) expectAbout(finishNs, 1000 + 40_000);
  });

  test("a flow that begins later takes its part of the link from then on", () => {
    // The first has 10 of its 20 µs behind it when the second begins; then both have half: 30 and 40 µs.
    const [first, second] = run(
      { from: 0, to: 1, bytes: 1_000_000 },
      { from: 0, to: 2, bytes: 1_000_000, startNs: 10_000 },
    );
    expectAbout(first!.finishNs, 1000 + 30_000);
    expect(second!.finishNs).toBe(1000 + 40_000);
  });
});

describe("cutting flows into trains", () => {
  const flowOf = (bytes: number): PlaneFlow => ({ source: 0, target: 1, path: [0], bytes, startNs: 0 });
  const links = [{ name: "", cable: "", bytesPerSecond: 50e9, latency: 500_000 as never }];

  test("the trains of a flow carry its bytes, in parts that differ by one at most", () => {
    const random = new RandomStream(1, "flows to cut");
    for (const most of [10, 1000, 1e6, 1e12, Number.MAX_SAFE_INTEGER]) {
      const bytes = 1 + Math.floor(random.uniform() * (most - 1));
      const [count] = trainCounts([flowOf(bytes)], links);
      const trains = Array.from({ length: count! }, (_, train) => trainBytes(bytes, count!, train));
      expect(trains.reduce((sum, part) => sum + part, 0)).toBe(bytes);
      expect(Math.max(...trains) - Math.min(...trains)).toBeLessThanOrEqual(1);
      expect(Math.min(...trains)).toBeGreaterThan(0);
    }
  });

  test("trains are about equally large: 16,384 for a plane, 128 for each flow, and none below 5 ns, at most", () => {
    const countOf = (...bytes: number[]): number[] => [...trainCounts(bytes.map(flowOf), links)];
    expect(countOf(1, 249, 250, 251)).toEqual([1, 1, 1, 2]);
    expect(countOf(128_000)).toEqual([128]);
    // 256 trains of 375 bytes.
    expect(countOf(64_000, 32_000)).toEqual([171, 86]);
    // 16,384 of 10,000 bytes, and one train for whatever is shorter.
    expect(countOf(163_839_000, ...Array(1000).fill(1))).toEqual([16_384, ...Array(1000).fill(1)]);
    expect(countOf(...Array(20_000).fill(1e6))).toEqual(Array(20_000).fill(1));
  });

  test("a source sends to all distances, each once, near and far ones mixed", () => {
    const flows = Array.from({ length: 63 }, (_, i) => ({ ...flowOf(1), target: i + 1 }));
    const distances = sendingOrder(flows, 64).map((place) => flows[place]!.target);
    expect(distances.toSorted((a, b) => a - b)).toEqual(flows.map(({ target }) => target));
    // Of any 9 that follow each other, 3 to 6 are in the nearer half.
    for (let first = 0; first + 9 <= 63; first++) {
      const nearer = distances.slice(first, first + 9).filter((distance) => distance < 32).length;
      expect(nearer).toBeGreaterThanOrEqual(3);
      expect(nearer).toBeLessThanOrEqual(6);
    }
  });
});

describe("turns of a source's flows", () => {
  test("each flow sends once in a round, and one that comes late joins the round under way", () => {
    const turns = new FlowTurns(Int32Array.of(7, 7, 7, 9));
    const sent: (number | undefined)[] = [];
    const sendFrom = (link: number): void => {
      const flow = turns.take(link);
      sent.push(flow);
      if (flow !== undefined) turns.add(flow);
    };
    turns.add(1);
    turns.add(2);
    turns.add(3);
    for (let i = 0; i < 3; i++) sendFrom(7);
    expect(sent).toEqual([1, 2, 1]);
    turns.add(0);
    // Round 1 goes on: 1 has sent in it, 0 and 2 have not.
    for (let i = 0; i < 5; i++) sendFrom(7);
    expect(sent.slice(3)).toEqual([0, 2, 0, 1, 2]);
    sendFrom(9);
    expect(sent.at(-1)).toBe(3);
  });

  test("nobody's turn is nobody's", () => {
    const turns = new FlowTurns(Int32Array.of(0));
    expect(turns.take(0)).toBeUndefined();
  });
});
