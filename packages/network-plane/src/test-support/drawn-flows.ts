// For tests and benchmarks: flow files, drawn from a seed or complete.

import { pow, RandomStream } from "@windtunnel/base";
import type { Flow, FlowFabric, FlowFile } from "../index.ts";

export interface Traffic {
  readonly name: string;
  readonly nodes: readonly number[];
  readonly planes: readonly number[];
  readonly flowCount: { readonly least: number; readonly most: number };
  /** Even: up to `mostBytes`. Otherwise from a kilobyte to `mostBytes`, about as many of each magnitude. */
  readonly sizes: "even" | "by-magnitude";
  readonly mostBytes: number;
  /** A third of the flows go to node 0. */
  readonly isIncast: boolean;
}

const FEW = { nodes: [8, 16, 40], planes: [1, 2, 8], flowCount: { least: 10, most: 40 }, isIncast: false };
const SOME = { ...FEW, flowCount: { least: 200, most: 800 } };
const MANY = { nodes: [40], planes: [8], flowCount: { least: 500, most: 5000 }, isIncast: false };

export const TRAFFIC: readonly Traffic[] = [
  { ...FEW, name: "few", sizes: "even", mostBytes: 1e6 },
  { ...FEW, name: "few, by magnitude", sizes: "by-magnitude", mostBytes: 1e8 },
  { ...SOME, name: "some", sizes: "even", mostBytes: 1e6 },
  { ...SOME, name: "some, by magnitude", sizes: "by-magnitude", mostBytes: 1e8 },
  { ...SOME, name: "some, incast", sizes: "even", mostBytes: 1e6, isIncast: true },
  { ...MANY, name: "many", sizes: "even", mostBytes: 1e6 },
  { ...MANY, name: "many, by magnitude", sizes: "by-magnitude", mostBytes: 1e8 },
  { ...MANY, name: "many, incast", sizes: "by-magnitude", mostBytes: 1e7, isIncast: true },
];

const LINKS = { linkGBps: 50, linkLatencyNs: 500, routing: "static" } as const;
const STARTS_NS = 50_000;

export function drawFlowFile(traffic: Traffic, seed: number): FlowFile {
  const random = new RandomStream(seed, traffic.name);
  const oneOf = (values: readonly number[]): number => values[random.below(values.length)]!;
  const [nodes, planes] = [oneOf(traffic.nodes), oneOf(traffic.planes)];
  const tree = { nodesPerLeaf: oneOf([4, 8]), spinesPerPlane: oneOf([2, 4, 8]) };
  const { least, most } = traffic.flowCount;
  const count = least + random.below(most - least + 1);
  return {
    fabric: { nodes, gpusPerNode: planes, planes, ...tree, ...LINKS },
    flows: Array.from({ length: count }, () => drawFlow(traffic, nodes, planes, random)),
  };
}

function drawFlow(traffic: Traffic, nodes: number, planes: number, random: RandomStream): Flow {
  const [plane, source] = [random.below(planes), random.below(nodes)];
  const other = (source + 1 + random.below(nodes - 1)) % nodes;
  const target = traffic.isIncast && source !== 0 && random.below(3) === 0 ? 0 : other;
  const share = random.uniform();
  const bytes =
    traffic.sizes === "even" ? traffic.mostBytes * share : 1000 * pow(traffic.mostBytes / 1000, share);
  return {
    from: source * planes + plane,
    to: target * planes + plane,
    bytes: Math.floor(bytes) + 1,
    startNs: random.below(STARTS_NS),
  };
}

export type PlaneShape = Pick<FlowFabric, "nodes" | "planes" | "nodesPerLeaf" | "spinesPerPlane">;

/** Everyone to everyone else on the same plane, at once, in the order of source and target. */
export function allToAll(shape: PlaneShape, bytes: number): FlowFile {
  const { nodes, planes } = shape;
  const flows: Flow[] = [];
  for (let from = 0; from < nodes * planes; from++) {
    for (let to = from % planes; to < nodes * planes; to += planes) {
      if (from !== to) flows.push({ from, to, bytes, startNs: 0 });
    }
  }
  return { fabric: { ...shape, ...LINKS, gpusPerNode: planes }, flows };
}

/** 4,000 flows over 40 nodes and 8 planes, always the same: what contention models are timed with. */
export function manyFlows(): FlowFile {
  const random = new RandomStream(1, "flows");
  const { fabric } = allToAll({ nodes: 40, planes: 8, nodesPerLeaf: 4, spinesPerPlane: 4 }, 1);
  const flows = Array.from({ length: 4000 }, () => {
    const [plane, source] = [random.below(8), random.below(40)];
    const target = (source + 1 + random.below(39)) % 40;
    return {
      from: source * 8 + plane,
      to: target * 8 + plane,
      bytes: 1 + random.below(2_000_000),
      startNs: random.below(50_000),
    };
  });
  return { fabric, flows };
}
