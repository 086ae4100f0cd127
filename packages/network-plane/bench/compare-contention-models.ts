// How far the makespans of `trains` and `fluid` lie apart on random traffic, of few flows and of many:
// node packages/network-plane/bench/compare-contention-models.ts
// It prints what the package's README says of them. Seeded, so the numbers are the same everywhere.

import { pow, RandomStream } from "@windtunnel/base";
import { type ContentionModel, type Flow, type FlowFile, simulateFlows } from "../src/index.ts";

type Traffic = "uniform" | "heavy-tailed" | "incast";

interface Survey {
  readonly name: string;
  readonly traffic: Traffic;
  readonly cases: number;
  readonly nodes: readonly number[];
  readonly planes: readonly number[];
  readonly flows: { readonly least: number; readonly most: number };
}

const SMALL = { cases: 120, nodes: [8, 16, 40], planes: [1, 2, 8] };
const LARGE = { cases: 24, nodes: [40], planes: [8], flows: { least: 4000, most: 4000 } };
const SURVEYS: readonly Survey[] = [
  { ...SMALL, name: "few, uniform", traffic: "uniform", flows: { least: 10, most: 40 } },
  { ...SMALL, name: "some, uniform", traffic: "uniform", flows: { least: 200, most: 800 } },
  { ...SMALL, name: "some, heavy-tailed", traffic: "heavy-tailed", flows: { least: 200, most: 800 } },
  { ...SMALL, name: "some, incast", traffic: "incast", flows: { least: 200, most: 800 } },
  { ...LARGE, name: "4,000, uniform", traffic: "uniform" },
  { ...LARGE, name: "4,000, heavy-tailed", traffic: "heavy-tailed" },
  { ...LARGE, name: "4,000, incast", traffic: "incast" },
];

for (const survey of SURVEYS) {
  const ratios = Array.from({ length: survey.cases }, (_, seed) => ratioOf(randomFile(survey, seed)));
  ratios.sort((a, b) => a - b);
  const [least, median, most] = [0, survey.cases >> 1, survey.cases - 1].map((at) => ratios[at]!.toFixed(4));
  const far = ratios.filter((ratio) => Math.abs(ratio - 1) > 0.05).length;
  console.log(
    `${survey.name.padEnd(20)} trains / fluid: ${least} to ${most}, median ${median}; ` +
      `beyond 5 %: ${far} of ${survey.cases}`,
  );
}

function ratioOf(file: FlowFile): number {
  const makespan = (model: ContentionModel): number =>
    simulateFlows(file, model).flows.reduce((latest, { finishNs }) => Math.max(latest, finishNs), 0);
  return makespan("trains") / makespan("fluid");
}

function randomFile(
  { name, traffic, nodes: nodeCounts, planes: planeCounts, flows }: Survey,
  seed: number,
): FlowFile {
  const random = new RandomStream(seed, name);
  const oneOf = (values: readonly number[]): number => values[random.below(values.length)]!;
  const [nodes, planes] = [oneOf(nodeCounts), oneOf(planeCounts)];
  const fabric = {
    nodes,
    gpusPerNode: planes,
    planes,
    nodesPerLeaf: oneOf([4, 8]),
    spinesPerPlane: oneOf([2, 4, 8]),
    linkGBps: 50,
    linkLatencyNs: 500,
    routing: "static",
  } as const;
  const count = flows.least + random.below(flows.most - flows.least + 1);
  return {
    fabric,
    flows: Array.from({ length: count }, () => randomFlow(traffic, { nodes, planes }, random)),
  };
}

/** Up to a megabyte, or a kilobyte to ten megabytes with a long tail; a third of an incast goes to node 0. */
function randomFlow(
  traffic: Traffic,
  { nodes, planes }: { readonly nodes: number; readonly planes: number },
  random: RandomStream,
): Flow {
  const [plane, source] = [random.below(planes), random.below(nodes)];
  const other = (source + 1 + random.below(nodes - 1)) % nodes;
  const target = traffic === "incast" && source !== 0 && random.below(3) === 0 ? 0 : other;
  const share = random.uniform();
  return {
    from: source * planes + plane,
    to: target * planes + plane,
    bytes: Math.ceil(traffic === "heavy-tailed" ? 1000 * pow(10_000, share * share) : 1_000_000 * share) + 1,
    startNs: random.below(50_000),
  };
}
