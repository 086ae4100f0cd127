// How far `trains` and `fluid` lie apart on random traffic, of few flows and of many, and on balanced all-to-alls:
// node packages/network-plane/bench/compare-contention-models.ts
// It prints what the package's README says of them. Seeded, so the numbers are the same everywhere.

import { type FlowFile, type FlowSimulation, simulateFlows } from "../src/index.ts";
import { allToAll, drawFlowFile, type PlaneShape, TRAFFIC } from "../src/test-support/drawn-flows.ts";

const FILES_OF_A_TRAFFIC = 60;
const NODES = [4, 8, 16, 32, 64];
const NODES_PER_LEAF = [2, 4, 8, 16, 32];
const SPINES = [1, 2, 4, 8, 16, 32];
/** Of each flow; the shortest all-to-alls take little more than their latency. */
const BYTES = [100, 1000, 10_000, 100_000, 1_000_000];

interface Comparison {
  /** Trains over fluid, from the first start to the last finish. */
  readonly makespan: number;
  /** Trains over fluid, from start to finish of each flow. */
  readonly durations: readonly number[];
}

for (const traffic of TRAFFIC) {
  const files = Array.from({ length: FILES_OF_A_TRAFFIC }, (_, seed) => drawFlowFile(traffic, seed));
  print(traffic.name, files.map(comparisonOf));
}
print("all-to-alls", [...allToAlls()].map(comparisonOf));

function* allToAlls(): Generator<FlowFile> {
  for (const nodes of NODES) {
    for (const nodesPerLeaf of NODES_PER_LEAF.filter((count) => count <= nodes)) {
      for (const spinesPerPlane of SPINES.filter((count) => count <= nodesPerLeaf)) {
        const shape: PlaneShape = { nodes, planes: 1, nodesPerLeaf, spinesPerPlane };
        for (const bytes of BYTES) yield allToAll(shape, bytes);
      }
    }
  }
}

function comparisonOf(file: FlowFile): Comparison {
  const { flows } = file;
  const [trains, fluid] = [simulateFlows(file, "trains"), simulateFlows(file, "fluid")];
  const durations = flows.map(
    ({ startNs }, flow) => (trains.flows[flow]!.finishNs - startNs) / (fluid.flows[flow]!.finishNs - startNs),
  );
  return { makespan: makespanOf(file, trains) / makespanOf(file, fluid), durations };
}

function makespanOf(file: FlowFile, { flows }: FlowSimulation): number {
  const first = file.flows.reduce((earliest, { startNs }) => Math.min(earliest, startNs), Infinity);
  return flows.reduce((latest, { finishNs }) => Math.max(latest, finishNs), 0) - first;
}

function print(name: string, comparisons: readonly Comparison[]): void {
  const makespans = comparisons.map(({ makespan }) => makespan).toSorted((a, b) => a - b);
  const durations = comparisons.flatMap((comparison) => comparison.durations).toSorted((a, b) => a - b);
  const far = makespans.filter((ratio) => Math.abs(ratio - 1) > 0.05).length;
  console.log(
    `${name.padEnd(20)} trains / fluid: makespans ${at(makespans, 0)} to ${at(makespans, 1)}, ` +
      `beyond 5 %: ${far} of ${makespans.length}; flows ${at(durations, 0.05)} to ${at(durations, 0.95)} ` +
      `(all but a tenth), median ${at(durations, 0.5)}`,
  );
}

function at(sorted: readonly number[], fraction: number): string {
  return sorted[Math.round(fraction * (sorted.length - 1))]!.toFixed(4);
}
