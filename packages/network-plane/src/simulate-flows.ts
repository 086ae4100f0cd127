// Flows over a fabric, by either contention model: divides them by plane, runs the model on each, and puts the
// results together in the order of the file. The models know one plane each; the file's format is `flow-file.ts`.

import { type Duration, inputError, mix32, nanoseconds } from "@windtunnel/base";
import type { FlowFile } from "./flow-file.ts";
import { runTrains } from "./flow-trains.ts";
import { runFluid } from "./fluid.ts";
import { NETWORK_PROFILES } from "./network-profile.ts";
import type { PlaneFlow, RunContentionModel } from "./plane-flows.ts";
import { createFatTreePlane, type Topology } from "./topology.ts";

export type ContentionModel = "trains" | "fluid";

const CONTENTION_MODELS: Readonly<Record<ContentionModel, RunContentionModel>> = {
  trains: runTrains,
  fluid: runFluid,
};

/** What became of one flow. */
export interface FlowResult {
  /** When its last byte is at its target. */
  readonly finishNs: number;
  /** How long it would take in an empty fabric: the latency of its path, and its bytes once. */
  readonly aloneNs: number;
}

/** What became of one link that carried something. */
export interface LinkLoad {
  readonly name: string;
  readonly bytes: number;
  /** How long the bytes take on the link. */
  readonly busyNs: number;
}

export interface FlowSimulation {
  /** In the order of the file. */
  readonly flows: readonly FlowResult[];
  /** Links that carried bytes, plane by plane. */
  readonly links: readonly LinkLoad[];
}

/** Throws an input error if the model can't do what the file asks for. */
export function simulateFlows(file: FlowFile, model: ContentionModel): FlowSimulation {
  if (model === "fluid" && file.fabric.routing === "adaptive") throw fluidCannotAdapt();
  const flows: FlowResult[] = Array.from({ length: file.flows.length });
  const links: LinkLoad[] = [];
  for (const [plane, indices] of flowsByPlane(file)) {
    const topology = topologyOf(file, plane);
    const planeFlows = indices.map((index) => planeFlowOf(file, index, topology));
    const outcome = CONTENTION_MODELS[model]({ topology, nodes: file.fabric.nodes, flows: planeFlows });
    for (const [i, index] of indices.entries()) {
      flows[index] = { finishNs: outcome.finishNs[i]!, aloneNs: aloneNs(topology, planeFlows[i]!) };
    }
    for (const [link, { name, bytesPerSecond }] of topology.links.entries()) {
      const bytes = outcome.linkBytes[link]!;
      if (bytes > 0) links.push({ name, bytes, busyNs: bytes / (bytesPerSecond / 1e9) });
    }
  }
  return { flows, links };
}

/** Places of flows in the file, for each plane that has some, in the order of planes. */
function flowsByPlane({ fabric, flows }: FlowFile): Map<number, number[]> {
  const places = Array.from({ length: fabric.planes }, (): number[] => []);
  for (const [index, { from }] of flows.entries()) places[from % fabric.gpusPerNode]!.push(index);
  return new Map([...places.entries()].filter(([, indices]) => indices.length > 0));
}

function topologyOf({ fabric }: FlowFile, plane: number): Topology {
  const linkLatency: Duration = nanoseconds(fabric.linkLatencyNs);
  return createFatTreePlane({
    plane,
    nodes: fabric.nodes,
    nodesPerLeaf: fabric.nodesPerLeaf,
    spines: fabric.spinesPerPlane,
    linkBytesPerSecond: fabric.linkGBps * 1e9,
    routing: fabric.routing,
    // Of the profile, a topology takes the latency of links only.
    network: { ...NETWORK_PROFILES.infiniband, linkLatency },
  });
}

function planeFlowOf({ fabric, flows }: FlowFile, index: number, topology: Topology): PlaneFlow {
  const { from, to, bytes, startNs } = flows[index]!;
  const nodeOf = (rank: number): number => Math.floor(rank / fabric.gpusPerNode);
  const [source, target] = [nodeOf(from), nodeOf(to)];
  return { source, target, path: topology.pathOf(source, target, queuePairOf(from, to)), bytes, startNs };
}

/** One queue pair for each ordered pair of ranks, as in a run: their flows go one way. */
function queuePairOf(from: number, to: number): number {
  return mix32(from) ^ (to + 1);
}

function aloneNs({ links }: Topology, { path, bytes }: PlaneFlow): number {
  let latencyNs = 0;
  let slowest = Number.POSITIVE_INFINITY;
  for (const link of path) {
    latencyNs += links[link]!.latency / 1e3;
    slowest = Math.min(slowest, links[link]!.bytesPerSecond);
  }
  return latencyNs + bytes / (slowest / 1e9);
}

function fluidCannotAdapt(): Error {
  const allowed = "static, ecmp";
  return inputError(
    "fabric.routing: found adaptive, which chooses an uplink when a train's head is at its leaf; a fluid has no head. " +
      `Allowed for fluid: ${allowed}`,
    { path: "fabric.routing", found: "adaptive", allowed },
  );
}
