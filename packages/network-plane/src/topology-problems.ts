// What can't be built, by field of a description, with the reason.
// Invariant: what passes can be built, and every GPU reaches every other.

import type { InputProblem } from "./input-problems.ts";
import {
  joinedLeaves,
  planeCountOf,
  portsDown,
  portsUp,
  type TopologyDescription,
} from "./topology-description.ts";

/** GPUs at one NVLink switch (GB200 NVL72). */
export const MOST_GPUS_OF_NVLINK_DOMAIN = 72;
/** Beyond this, the tables of links would take more memory than a run is worth. */
const MOST_LINKS = 2_000_000;

export const BANDWIDTH_ALLOWED = "1e9 bytes per second, above 0 and finite";
export const LATENCY_ALLOWED = "nanoseconds, above 0 (at least 0.001) and finite";

export function problemsOfTopology(description: TopologyDescription): InputProblem[] {
  const isDomain = description.kind === "nvlink-domain";
  return [...(isDomain ? problemsOfDomain(description) : problemsOfFatTree(description))];
}

function* problemsOfDomain(description: TopologyDescription): Generator<InputProblem> {
  const { nodes, gpusPerNode, planes, nvlinkBytesPerSecond } = description;
  const gpus = nodes * gpusPerNode;
  if (gpus > MOST_GPUS_OF_NVLINK_DOMAIN) {
    yield {
      path: "nodes",
      found: `${nodes} nodes of ${gpusPerNode} GPUs: ${gpus} GPUs at one NVLink switch`,
      allowed: `at most ${MOST_GPUS_OF_NVLINK_DOMAIN} GPUs, such as 18 nodes of 4`,
    };
  }
  if (planes > 0) {
    yield {
      path: "planes",
      found: `${planes}: nobody hangs on a plane in an NVLink domain`,
      allowed: "leaving it out, or another kind",
    };
  }
  if (description.pcie) {
    yield {
      path: "pcie",
      found: "true in an NVLink domain, where no message crosses PCIe",
      allowed: "false, or another kind",
    };
  }
  yield* problemsOfBandwidth("nvlinkGBps", nvlinkBytesPerSecond);
}

function* problemsOfFatTree(description: TopologyDescription): Generator<InputProblem> {
  const { gpusPerNode, planes, nodesPerLeaf, spinesPerPlane, switchPorts, network } = description;
  if (planes < 1) {
    yield { path: "planes", found: `${planes}: no NIC to leave a node by`, allowed: `1 to ${gpusPerNode}` };
  }
  if (planes > gpusPerNode) {
    yield {
      path: "planes",
      found: `${planes} with ${gpusPerNode} GPUs on a node: nobody hangs on ${unitName(description)} ${gpusPerNode}`,
      allowed: `1 to ${gpusPerNode}`,
    };
  }
  const leaves = joinedLeaves(description);
  const down = portsDown(description);
  const nodePorts = description.kind === "single-plane" ? planes : 1;
  const endpoints = nodePorts > 1 ? `${down} NICs` : `${down} nodes`;
  if (leaves > 1 && spinesPerPlane === 0) {
    yield {
      path: "spinesPerPlane",
      found: `0: ${leaves} leaves without an uplink`,
      allowed: "at least 1, or a single leaf",
    };
  }
  if (down > switchPorts) {
    yield {
      path: "nodesPerLeaf",
      found: `${nodesPerLeaf}: ${endpoints} on a leaf of ${switchPorts} ports`,
      allowed: `at most ${Math.floor(switchPorts / nodePorts)}, less what goes up, or more switchPorts`,
    };
  } else if (leaves > 1 && down + spinesPerPlane > switchPorts) {
    yield {
      path: "spinesPerPlane",
      found: `${spinesPerPlane}: ${endpoints} and ${spinesPerPlane} spines on a leaf of ${switchPorts} ports`,
      allowed: `at most ${switchPorts - down} beside ${endpoints}, or more switchPorts`,
    };
  }
  if (leaves > switchPorts) {
    yield {
      path: "nodes",
      found: `${leaves} leaves on each spine of ${switchPorts} ports`,
      allowed: `at most ${switchPorts} leaves: fewer nodes, more nodesPerLeaf or more switchPorts`,
    };
  }
  yield* problemsOfBandwidth("linkGBps", description.linkBytesPerSecond);
  yield* problemsOfBandwidth("nvlinkGBps", description.nvlinkBytesPerSecond);
  if (!(network.linkLatency >= 1)) {
    yield { path: "linkLatencyNs", found: `${network.linkLatency / 1e3}`, allowed: LATENCY_ALLOWED };
  }
  const links = linkCount(description);
  if (links > MOST_LINKS) {
    const allowed = `at most ${MOST_LINKS}: fewer nodes, leaves or spines`;
    yield { path: "nodes", found: `a fabric of ${links} links`, allowed };
  }
}

function* problemsOfBandwidth(path: string, bytesPerSecond: number): Generator<InputProblem> {
  if (bytesPerSecond > 0 && Number.isFinite(bytesPerSecond)) return;
  yield { path, found: String(bytesPerSecond / 1e9), allowed: BANDWIDTH_ALLOWED };
}

/** What a NIC hangs on, by its word. */
function unitName({ kind }: TopologyDescription): string {
  return { "multi-plane": "plane", "multi-rail": "rail", "single-plane": "NIC", "nvlink-domain": "" }[kind];
}

/** Directed links of all planes. */
function linkCount(description: TopologyDescription): number {
  const { nodes, planes } = description;
  const trees = planeCountOf(description);
  return 2 * (nodes * planes + trees * joinedLeaves(description) * portsUp(description));
}
