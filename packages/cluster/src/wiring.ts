// How the processes of a run are joined: the class graph with its least latencies, where a parcel goes from a rank, and
// where it leaves a fabric.
//
// GPU i of a node uses NIC i modulo the node's NICs. A target in the same node, or in the same NVLink domain, is reached
// over NVLink. Beyond it, by kind of fabric:
// - multi-plane: NIC p hangs on plane p. A target on another plane is reached over the source's own plane to the node's
//   GPU on that plane, then over NVLink (how production does it is not published; mechanics §12.4).
// - multi-rail, single-plane: from the source's own NIC to the target's own NIC, over one fabric for all of them.
//
// With NVLink off, messages inside a node take the way of all others, and loop through a leaf. On disjoint planes, a GPU
// then reaches any NIC of its node over PCIe and takes the target's plane.
//
// Where PCIe is shown, a message for a plane first crosses the process of its node, from GPU to NIC, and at the other end
// that of the target's node, from NIC to GPU. It is handed over head first, so that its bytes cross all links at once.

import { type Duration, invariant } from "@windtunnel/base";
import { NVLINK_END_LATENCY, NVLINK_LINK_LATENCY, type Route } from "@windtunnel/gpu";
import { type Exit, nodePorts, pcieLatencies } from "@windtunnel/network-plane";
import type { ClassGraph } from "@windtunnel/virtual-time";
import type { PreparedRun } from "./prepare-run.ts";
import { CLASSES, type ProcessClass, type ProcessNumbers } from "./process-numbers.ts";

/** Least times from sending to arrival. A fabric delivers after its last link and its end. */
export function classGraph(run: PreparedRun): ClassGraph {
  const { endLatency, linkLatency } = run.network;
  const plane = (endLatency + linkLatency) as Duration;
  const nvlink = (NVLINK_END_LATENCY + NVLINK_LINK_LATENCY) as Duration;
  const control = run.controlLatency;
  const pcie = pcieLatencies(run.network);
  const latency: Record<ProcessClass, Partial<Record<ProcessClass, Duration>>> = run.fabric.pcie
    ? {
        rank: { nvlink: pcie.entry, scheduler: control },
        nvlink: { rank: pcie.leastToRank, plane: pcie.leastToPlane },
        plane: { nvlink: (linkLatency + pcie.boundary) as Duration },
        scheduler: { rank: control },
      }
    : {
        rank: { nvlink: NVLINK_END_LATENCY, plane: endLatency, scheduler: control },
        nvlink: { rank: nvlink },
        plane: relaysOverNvlink(run) ? { rank: plane, nvlink: plane } : { rank: plane },
        scheduler: { rank: control },
      };
  return {
    names: CLASSES,
    latency: CLASSES.map((from) => CLASSES.map((to) => latency[from][to])),
    carriers: CLASSES.map((each) => each === "nvlink" || each === "plane"),
    awaitsAll: (by, of) => CLASSES[by] === "scheduler" && CLASSES[of] === "rank",
    staysOnHost: nodesAreWhole(run) ? (from, to) => isOfNode(from) && isOfNode(to) : () => false,
  };
}

/** Whether something leaves a plane at another GPU than the one that it is for. */
function relaysOverNvlink({ fabric, numbers, placement, scenario, styles }: PreparedRun): boolean {
  if (fabric.kind !== "multi-plane" || !scenario.run.nvlinkForDispatch) return false;
  // Rails of nodes with different numbers of ranks meet.
  if (placement.degree % numbers.gpusPerNode !== 0) return true;
  const { phase } = scenario.run;
  const kinds = phase === "generate" ? (["prefill", "decode"] as const) : ([phase] as const);
  return !kinds.every((kind) => styles[kind].pattern.alongRails === true);
}

/** Whether every GPU is on one host with its NVLink domain. */
function nodesAreWhole({ numbers, hosts }: PreparedRun): boolean {
  return Array.from({ length: numbers.rankCount }, (_, rank) => rank).every(
    (rank) => hosts.hostOf(rank) === hosts.hostOf(numbers.nvlinkDomain(numbers.nodeOfRank(rank))),
  );
}

function isOfNode(classIndex: number): boolean {
  return CLASSES[classIndex] === "rank" || CLASSES[classIndex] === "nvlink";
}

/** The least time over the network across leaves and back; in an NVLink domain, through its switch. */
export function roundTripOf({ fabric, network }: PreparedRun): Duration {
  const [ends, links] =
    fabric.kind === "nvlink-domain"
      ? [NVLINK_END_LATENCY, 2 * NVLINK_LINK_LATENCY]
      : [network.endLatency, 4 * network.linkLatency];
  return (2 * (2 * ends + links)) as Duration;
}

export function routeFrom(run: PreparedRun, source: number): (target: number) => Route {
  const { numbers } = run;
  const inDomain = nvlinkRoute(run, source);
  const outside = planeRoute(run, source);
  const reachesByNvlink = nvlinkReach(run, source);
  return (target) => {
    invariant(target !== source && target < numbers.rankCount, `rank ${source} sends to rank ${target}`);
    return reachesByNvlink(target) ? inDomain(target) : outside(target);
  };
}

function nvlinkReach(
  { numbers, fabric, scenario }: PreparedRun,
  source: number,
): (target: number) => boolean {
  if (fabric.kind === "nvlink-domain") return () => true;
  if (!scenario.run.nvlinkForDispatch) return () => false;
  const node = numbers.nodeOfRank(source);
  return (target) => numbers.nodeOfRank(target) === node;
}

function nvlinkRoute({ numbers, fabric }: PreparedRun, source: number): (target: number) => Route {
  const process = numbers.nvlinkDomain(numbers.nodeOfRank(source));
  const latency = fabric.pcie ? pcieLatencies(fabric.network).entry : NVLINK_END_LATENCY;
  const portOf = (rank: number): number =>
    fabric.kind === "nvlink-domain" ? rank : rank % numbers.gpusPerNode;
  const entryPort = portOf(source);
  return (target) => ({ process, entryPort, exitPort: portOf(target), latency });
}

/** From a rank to the plane, or first over its node's PCIe. */
function planeRoute(run: PreparedRun, source: number): (target: number) => Route {
  const { numbers, fabric, network, scenario } = run;
  const node = numbers.nodeOfRank(source);
  const takesTargetsPlane = fabric.kind === "multi-plane" && !scenario.run.nvlinkForDispatch;
  const nicFor = (target: number): number => nicOf(numbers, takesTargetsPlane ? target : source);
  if (fabric.pcie) {
    const ports = nodePorts(numbers.gpusPerNode, numbers.nicCount);
    const process = numbers.nvlinkDomain(node);
    const entryPort = ports.gpu(source % numbers.gpusPerNode);
    const { entry } = pcieLatencies(network);
    return (target) => ({ process, entryPort, exitPort: ports.nic(nicFor(target)), latency: entry });
  }
  const ways = Array.from({ length: numbers.nicCount }, (_, nic) => wayFromNic(run, node, nic));
  return (target) => ({ ...ways[nicFor(target)]!(target), latency: network.endLatency });
}

/** GPU i uses NIC i modulo the node's NICs. */
function nicOf({ gpusPerNode, nicCount }: ProcessNumbers, rank: number): number {
  return (rank % gpusPerNode) % nicCount;
}

/** Where a message goes from a NIC: on disjoint planes a port is a node, in joined fabrics it is a NIC. */
function wayFromNic(
  { numbers, fabric }: PreparedRun,
  node: number,
  nic: number,
): (target: number) => Omit<Route, "latency"> {
  if (fabric.kind === "multi-plane") {
    const process = numbers.plane(nic);
    return (target) => ({ process, entryPort: node, exitPort: numbers.nodeOfRank(target) });
  }
  const process = numbers.plane(0);
  const portOf = (ofNode: number, ofNic: number): number => ofNode * numbers.nicCount + ofNic;
  const entryPort = portOf(node, nic);
  return (target) => ({
    process,
    entryPort,
    exitPort: portOf(numbers.nodeOfRank(target), nicOf(numbers, target)),
  });
}

/** Where a parcel for `target` leaves plane `plane` at its node. */
export function exitOfPlane(run: PreparedRun, plane: number): (target: number) => Exit {
  const { numbers, fabric } = run;
  const { gpusPerNode, nicCount } = numbers;
  const isDisjoint = fabric.kind === "multi-plane";
  const ports = nodePorts(gpusPerNode, nicCount);
  const { boundary } = pcieLatencies(run.network);
  return (target) => {
    const index = target % gpusPerNode;
    const isReached = !isDisjoint || index % nicCount === plane;
    const domain = numbers.nvlinkDomain(numbers.nodeOfRank(target));
    if (fabric.pcie) {
      const entryPort = ports.nic(isDisjoint ? plane : nicOf(numbers, target));
      const exitPort = isReached ? ports.gpu(index) : ports.relayed(index);
      return { process: domain, onward: { entryPort, exitPort, headFirst: true }, latency: boundary };
    }
    if (isReached) return { process: target };
    return { process: domain, onward: { entryPort: plane, exitPort: index } };
  };
}

/** Where a parcel leaves the process of a node: at its GPU, or by a NIC onto a plane. */
export function exitOfNode(run: PreparedRun, node: number): (target: number, exitPort: number) => Exit {
  const { numbers, fabric } = run;
  if (!fabric.pcie) return (target) => ({ process: target });
  const { gpusPerNode, nicCount } = numbers;
  const ports = nodePorts(gpusPerNode, nicCount);
  const { notice, nvlinkNotice, relayNotice, boundary } = pcieLatencies(run.network);
  const ways = Array.from({ length: nicCount }, (_, nic) => wayFromNic(run, node, nic));
  return (target, exitPort) => {
    if (exitPort < gpusPerNode) return { process: target, latency: nvlinkNotice };
    const way = ways[exitPort - ports.nic(0)];
    if (way === undefined) {
      return { process: target, latency: exitPort > ports.hostMemory ? relayNotice : notice };
    }
    const { process, ...onward } = way(target);
    return { process, onward: { ...onward, headFirst: true }, latency: boundary };
  };
}
