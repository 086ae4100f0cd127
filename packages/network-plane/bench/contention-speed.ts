// How long the contention models take on one core: `fluid` with 4,000 flows over 40 nodes and 8 planes (the target is
// two seconds), `trains` with 65,280 flows at once on one plane of 256 nodes (one second; SimGrid 3.32 takes 3.35 s).
//
//   node packages/network-plane/bench/contention-speed.ts

import process from "node:process";
import { type ContentionModel, type FlowFile, simulateFlows } from "../src/index.ts";
import { allToAll, manyFlows } from "../src/test-support/drawn-flows.ts";

function measure(what: string, file: FlowFile, model: ContentionModel): void {
  const seconds = [1, 2, 3].map(() => {
    const before = process.threadCpuUsage();
    simulateFlows(file, model);
    const { user, system } = process.threadCpuUsage(before);
    return (user + system) / 1e6;
  });
  const times = seconds.map((each) => each.toFixed(2)).join(", ");
  process.stdout.write(`${model}, ${what}: ${file.flows.length} flows in ${times} s of one core\n`);
}

measure("40 nodes, 8 planes", manyFlows(), "fluid");
const plane = { nodes: 256, planes: 1, nodesPerLeaf: 32, spinesPerPlane: 32 };
measure("256 nodes, one plane, all to all", allToAll(plane, 100_000), "trains");
