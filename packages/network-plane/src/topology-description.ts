// A fabric as plain data: its kind, its size, its links. Scenarios and topology files are both translated into it, and
// the topologies of the fabric's logical processes are built from it. What can't be built: `topology-problems.ts`.

import type { NetworkProfile } from "./network-profile.ts";
import {
  createFatTreePlane,
  createJoinedRails,
  createSinglePlane,
  type Routing,
  type Topology,
} from "./topology.ts";

/**
 * `multi-plane`: a fat-tree of its own for each NIC of a node. `multi-rail`: the same leaves, under spines that all
 * rails share. `single-plane`: one fat-tree for all NICs. `nvlink-domain`: all GPUs at one NVLink switch, no NIC.
 */
export const FABRIC_KINDS = ["multi-plane", "multi-rail", "single-plane", "nvlink-domain"] as const;
export type FabricKind = (typeof FABRIC_KINDS)[number];

export interface TopologyDescription {
  readonly kind: FabricKind;
  readonly nodes: number;
  /** GPUs of a node. */
  readonly gpusPerNode: number;
  /** NICs of a node that are used: each on its own plane, on its own rail, or on the one plane. None: 0. */
  readonly planes: number;
  readonly nodesPerLeaf: number;
  /** Of each plane; with joined rails, of all of them together. */
  readonly spinesPerPlane: number;
  /** Of a leaf and of a spine. */
  readonly switchPorts: number;
  /** Of each cable between NICs and switches, one way. */
  readonly linkBytesPerSecond: number;
  readonly network: NetworkProfile;
  readonly routing: Routing;
  /** Of each GPU, one way. */
  readonly nvlinkBytesPerSecond: number;
  /** Whether PCIe inside nodes is links of its own; otherwise its time is part of the network's end latency. */
  readonly pcie: boolean;
}

export const DEFAULT_SWITCH_PORTS = 64;

/** Half of a switch's ports go down and half go up. In `single-plane`, a leaf serves all NICs of its nodes. */
export function defaultNodesPerLeaf(kind: FabricKind, switchPorts: number, planes: number): number {
  const down = Math.max(1, Math.floor(switchPorts / 2));
  return kind === "single-plane" ? Math.max(1, Math.floor(down / Math.max(1, planes))) : down;
}

export function defaultSpines(switchPorts: number): number {
  return Math.max(1, Math.floor(switchPorts / 2));
}

/** What this fabric's own processes are, beside the NVLink domains of nodes: planes, or one for what is joined. */
export function planeCountOf({ kind, planes }: Pick<TopologyDescription, "kind" | "planes">): number {
  if (kind === "nvlink-domain") return 0;
  return kind === "multi-plane" ? planes : 1;
}

/** One plane, the joined rails (0) or the one plane (0). Throws an input error for what can't be built. */
export function createPlaneTopology(description: TopologyDescription, plane: number): Topology {
  const { kind, planes: nics, spinesPerPlane: spines } = description;
  if (kind === "multi-rail") return createJoinedRails({ ...description, nics, spines });
  if (kind === "single-plane") return createSinglePlane({ ...description, nics, spines });
  return createFatTreePlane({ ...description, plane, spines });
}

/** Leaves of one plane or of one rail. */
export function leavesOfPlane({ nodes, nodesPerLeaf }: TopologyDescription): number {
  return Math.ceil(nodes / nodesPerLeaf);
}

/** Leaves that hang on the same spines. */
export function joinedLeaves(description: TopologyDescription): number {
  return leavesOfPlane(description) * (description.kind === "multi-rail" ? description.planes : 1);
}

/** Endpoints on the fullest leaf. */
export function portsDown({ kind, nodes, nodesPerLeaf, planes }: TopologyDescription): number {
  return Math.min(nodes, nodesPerLeaf) * (kind === "single-plane" ? planes : 1);
}

/** Uplinks of a leaf: none where there is nothing to join. */
export function portsUp(description: TopologyDescription): number {
  return joinedLeaves(description) > 1 ? description.spinesPerPlane : 0;
}
