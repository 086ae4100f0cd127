// The contention models on traffic that takes longer than a unit test may, and how long they take on one core. No process
// is started; nothing else runs beside.

import { describe, expect, test } from "vitest";
import { type ContentionModel, type FlowFile, simulateFlows } from "./index.ts";
import { allToAll, drawFlowFile, manyFlows, TRAFFIC } from "./test-support/drawn-flows.ts";

const SEED = Number(process.env["WINDTUNNEL_TEST_SEED"] ?? Date.now() % 1_000_000_007);

/** From the first start to the last finish, `trains` over `fluid`. */
function makespanRatio(file: FlowFile): number {
  const first = file.flows.reduce((earliest, { startNs }) => Math.min(earliest, startNs), Infinity);
  const makespan = (model: ContentionModel): number =>
    simulateFlows(file, model).flows.reduce((latest, { finishNs }) => Math.max(latest, finishNs), 0) - first;
  return makespan("trains") / makespan("fluid");
}

/** Processor time of this thread, the least of three: others' noise only adds. */
function secondsOf(file: FlowFile, model: ContentionModel): number {
  const seconds = [1, 2, 3].map(() => {
    const before = process.threadCpuUsage();
    simulateFlows(file, model);
    const { user, system } = process.threadCpuUsage(before);
    return (user + system) / 1e6;
  });
  return Math.min(...seconds);
}

describe("trains takes as long as fluid, within 5 %", () => {
  const large = TRAFFIC.filter(({ flowCount }) => flowCount.most >= 2000);
  const cases = large.flatMap((traffic) => [1, SEED].map((seed) => ({ ...traffic, seed })));

  test.each(cases)("$name, seed $seed", (traffic) => {
    const ratio = makespanRatio(drawFlowFile(traffic, traffic.seed));
    const repeat = `repeat with WINDTUNNEL_TEST_SEED=${traffic.seed}`;
    expect(Math.abs(ratio - 1), `trains / fluid is ${ratio}; ${repeat}`).toBeLessThan(0.05);
  });

  test.each([100, 10_000, 1_000_000])("16 nodes on 8 planes, all to all, %i bytes", (bytes) => {
    const shape = { nodes: 16, planes: 8, nodesPerLeaf: 4, spinesPerPlane: 4 };
    expect(Math.abs(makespanRatio(allToAll(shape, bytes)) - 1)).toBeLessThan(0.05);
  });

  test.each([24, 32, 40, 64])("%i nodes, all to all, 10,000 bytes", (nodes) => {
    const shape = { nodes, planes: 1, nodesPerLeaf: 8, spinesPerPlane: 4 };
    expect(Math.abs(makespanRatio(allToAll(shape, 10_000)) - 1)).toBeLessThan(0.05);
  });
});

test("trains carries 65,280 simultaneous flows in less than a second of one core", () => {
  const shape = { nodes: 256, planes: 1, nodesPerLeaf: 32, spinesPerPlane: 32 };
  expect(secondsOf(allToAll(shape, 100_000), "trains")).toBeLessThan(1);
});

test("fluid takes less than two seconds of one core for 4,000 flows over 40 nodes and 8 planes", () => {
  expect(secondsOf(manyFlows(), "fluid")).toBeLessThan(2);
});
