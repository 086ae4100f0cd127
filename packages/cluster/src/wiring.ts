// How the processes of a run are joined: the class graph with its least latencies, where a parcel goes from a rank, and
// where it leaves a fabric.
//
// GPU i of a node uses NIC i modulo the node's NICs; NIC p hangs on plane p. A target in the same node is reached over
// NVLink. A target on another plane is reached over the source's own plane to the node's GPU on that plane, then over
// NVLink (how production does it is not published; mechanics §12.4). With NVLink off, a GPU reaches any NIC of its node
// over PCIe: it takes the target's plane, also inside its node, where messages loop through the leaf.

import { type Duration, invariant } from "@windtunnel/base";
import { NVLINK_END_LATENCY, NVLINK_LINK_LATENCY, type Route } from "@windtunnel/gpu";
import type { Exit } from "@windtunnel/network-plane";
import type { ClassGraph } from "@windtunnel/virtual-time";
import type { PreparedRun } from "./prepare-run.ts";
import { CLASSES, type ProcessClass } from "./process-numbers.ts";

/** Least times from sending to arrival. A fabric delivers after its last link and its end. */
export function classGraph(run: PreparedRun): ClassGraph {
  const { endLatency, linkLatency } = run.network;
  const plane = (endLatency + linkLatency) as Duration;
  const nvlink = (NVLINK_END_LATENCY + NVLINK_LINK_LATENCY) as Duration;
  const control = run.controlLatency;
  const latency: Record<ProcessClass, Partial<Record<ProcessClass, Duration>>> = {
    rank: { nvlink: NVLINK_END_LATENCY, plane: endLatency, scheduler: control },
    nvlink: { rank: nvlink },
    plane: { rank: plane, nvlink: plane },
    scheduler: { rank: control },
  };
  return { names: CLASSES, latency: CLASSES.map((from) => CLASSES.map((to) => latency[from][to])) };
}

export function routeFrom(run: PreparedRun, source: number): (target: number) => Route {
  const { numbers } = run;
  const { gpusPerNode, planeCount } = numbers;
  const node = numbers.nodeOfRank(source);
  const index = source % gpusPerNode;
  return (target) => {
    invariant(target !== source && target < numbers.rankCount, `rank ${source} sends to rank ${target}`);
    const targetNode = numbers.nodeOfRank(target);
    if (!run.scenario.run.nvlinkForDispatch) {
      const plane = numbers.plane((target % gpusPerNode) % planeCount);
      return { process: plane, entryPort: node, exitPort: targetNode, latency: run.network.endLatency };
    }
    if (targetNode === node) {
      const ports = { entryPort: index, exitPort: target % gpusPerNode };
      return { process: numbers.nvlinkDomain(node), ...ports, latency: NVLINK_END_LATENCY };
    }
    const ports = { entryPort: node, exitPort: targetNode };
    return { process: numbers.plane(index % planeCount), ...ports, latency: run.network.endLatency };
  };
}

/** Where a parcel for `target` leaves plane `plane` at its node. */
export function exitOfPlane(run: PreparedRun, plane: number): (target: number) => Exit {
  const { numbers } = run;
  const { gpusPerNode, planeCount } = numbers;
  return (target) => {
    const index = target % gpusPerNode;
    if (index % planeCount === plane) return { process: target };
    const domain = numbers.nvlinkDomain(numbers.nodeOfRank(target));
    return { process: domain, onward: { entryPort: plane, exitPort: index } };
  };
}
