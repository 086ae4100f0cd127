// A topology of one fabric process: its links, and the links that a parcel takes from a port to another. Two layers of
// switches (a plane, joined rails, one plane for all NICs) or a single switch. It knows no traffic.

import { inputError, invariant, mix32 } from "@windtunnel/base";
import type { LinkDescription, LinkTable } from "./links.ts";
import type { NetworkProfile } from "./network-profile.ts";

export interface Topology {
  readonly links: readonly LinkDescription[];
  /**
   * Numbers of the links from a source port to a target port, in order; the ports may be the same. `flow` identifies
   * the queue pair that a parcel belongs to; only a hash of it counts.
   */
  readonly pathOf: (sourcePort: number, targetPort: number, flow?: number) => readonly number[];
  /** Whether paths depend on `flow`. */
  readonly hashesFlows?: true;
  /** Asked when a parcel's head is at the second link of its path: whether it goes another way from there. */
  readonly reroute?: (path: readonly number[], links: LinkTable) => readonly number[];
  /** Whether a parcel counts in the traffic of this fabric. Missing: each does. */
  readonly carries?: (sourcePort: number, targetPort: number) => boolean;
}

/**
 * How a leaf chooses a spine. `static`: the target node, or in a single plane the target NIC, modulo the spines. `ecmp`: a hash of the flow, so that few
 * large flows may collide. `adaptive`: the uplink that is free first (per parcel, as packets would be).
 */
export type Routing = "static" | "ecmp" | "adaptive";

/** What all two-layer fat-trees share. */
export interface FatTreeOptions {
  readonly nodes: number;
  readonly nodesPerLeaf: number;
  readonly spines: number;
  readonly linkBytesPerSecond: number;
  readonly network: Pick<NetworkProfile, "linkLatency">;
  readonly routing?: Routing;
}

export interface FatTreePlaneOptions extends FatTreeOptions {
  readonly plane: number;
}

export interface JoinedFatTreeOptions extends FatTreeOptions {
  /** NICs of each node that hang here; NIC p of node n is port n × nics + p. */
  readonly nics: number;
}

/** One plane of a multi-plane fat-tree: two layers, one port for each node (mechanics §8.1). */
export function createFatTreePlane(options: FatTreePlaneOptions): Topology {
  const { plane, nodes, nodesPerLeaf } = options;
  const leaves = countTo(Math.ceil(nodes / nodesPerLeaf), (leaf) => ({
    fabric: `plane ${plane}`,
    name: `leaf ${leaf}`,
  }));
  const ports = countTo(nodes, (node) => ({
    name: `node ${node}`,
    leaf: Math.floor(node / nodesPerLeaf),
    endpoint: node,
    hashSalt: plane + 1,
  }));
  return createFatTree({ ports, leaves, ...options });
}

/**
 * Rails: NIC p of each node hangs on a leaf of rail p, as on a plane, but all leaves of all rails hang on the same
 * spines. What stays on a rail goes the way that it would go on a plane; from rail to rail it crosses a spine.
 */
export function createJoinedRails(options: JoinedFatTreeOptions): Topology {
  const { nodes, nics, nodesPerLeaf } = options;
  const leavesOfRail = Math.ceil(nodes / nodesPerLeaf);
  const leaves = countTo(nics * leavesOfRail, (leaf) => ({
    fabric: `rail ${Math.floor(leaf / leavesOfRail)}`,
    name: `leaf ${leaf % leavesOfRail}`,
  }));
  const ports = countTo(nodes * nics, (port) => {
    const [node, rail] = [Math.floor(port / nics), port % nics];
    const leaf = rail * leavesOfRail + Math.floor(node / nodesPerLeaf);
    return { name: `node ${node}`, leaf, endpoint: node, hashSalt: rail + 1 };
  });
  return createFatTree({ ports, leaves, ...options });
}

/** One fat-tree for all NICs: a leaf serves all NICs of its nodes. */
export function createSinglePlane(options: JoinedFatTreeOptions): Topology {
  const { nodes, nics, nodesPerLeaf } = options;
  const leaves = countTo(Math.ceil(nodes / nodesPerLeaf), (leaf) => ({
    fabric: "plane 0",
    name: `leaf ${leaf}`,
  }));
  const ports = countTo(nodes * nics, (port) => {
    const [node, nic] = [Math.floor(port / nics), port % nics];
    return {
      name: `node ${node} nic ${nic}`,
      leaf: Math.floor(node / nodesPerLeaf),
      endpoint: port,
      hashSalt: nic + 1,
    };
  });
  return createFatTree({ ports, leaves, ...options });
}

interface FatTreeParts extends Omit<FatTreeOptions, "nodes" | "nodesPerLeaf"> {
  readonly ports: readonly {
    readonly name: string;
    readonly leaf: number;
    /** What `static` routes go by: the node, or where all NICs of a node share a plane the NIC. */
    readonly endpoint: number;
    /** Sets the hashes of the port's flows apart from those of other planes. */
    readonly hashSalt: number;
  }[];
  readonly leaves: readonly { readonly fabric: string; readonly name: string }[];
}

/** Links: up and down for each port, in their order; then up and down for each leaf and spine. */
function createFatTree(parts: FatTreeParts): Topology {
  const { ports, leaves, spines, linkBytesPerSecond, network, routing = "static" } = parts;
  const isJoined = leaves.length > 1;
  if (isJoined && spines < 1) {
    throw inputError(`${leaves[0]!.fabric} has ${leaves.length} leaves and no spine to join them`, {
      path: "cluster.fabric.spinesPerPlane",
      found: spines,
      allowed: "at least 1",
    });
  }
  const links: LinkDescription[] = [];
  const addCable = (fabric: string, lower: string, upper: string): void => {
    const common = {
      cable: `${fabric} / ${lower} - ${upper}`,
      bytesPerSecond: linkBytesPerSecond,
      latency: network.linkLatency,
    };
    links.push({ name: `${fabric} / ${lower} > ${upper}`, ...common });
    links.push({ name: `${fabric} / ${upper} > ${lower}`, ...common });
  };
  for (const { name, leaf } of ports) addCable(leaves[leaf]!.fabric, name, leaves[leaf]!.name);
  const firstTrunk = links.length;
  for (const { fabric, name } of isJoined ? leaves : []) {
    for (let spine = 0; spine < spines; spine++) addCable(fabric, name, `spine ${spine}`);
  }
  const leafOf = Int32Array.from(ports, ({ leaf }) => leaf);
  const endpointOf = Int32Array.from(ports, ({ endpoint }) => endpoint);
  const hashSalt = Int32Array.from(ports, ({ hashSalt: salt }) => mix32(salt));
  const trunk = (leaf: number, spine: number): number => firstTrunk + 2 * (leaf * spines + spine);
  const pathVia = (source: number, target: number, spine: number): readonly number[] => [
    2 * source,
    trunk(leafOf[source]!, spine),
    trunk(leafOf[target]!, spine) + 1,
    2 * target + 1,
  ];
  const pathOf = (source: number, target: number, flow: number = 0): readonly number[] => {
    const inRange = source < ports.length && target < ports.length;
    invariant(inRange, `no path from port ${source} to ${target} among ${ports.length}`);
    if (leafOf[source] === leafOf[target]) return [2 * source, 2 * target + 1];
    const spine = routing === "ecmp" ? mix32(flow ^ hashSalt[source]!) : endpointOf[target]!;
    return pathVia(source, target, spine % spines);
  };
  if (routing === "ecmp") return { links, pathOf, hashesFlows: true };
  if (routing === "static") return { links, pathOf };
  const reroute = (path: readonly number[], table: LinkTable): readonly number[] => {
    if (path.length < 4) return path;
    const [source, target] = [path[0]! / 2, (path.at(-1)! - 1) / 2];
    const leaf = leafOf[source]!;
    // Ports that are equally free are taken in turn from the static one, so that idle leaves do not all begin at spine 0.
    const first = endpointOf[target]! % spines;
    let best = first;
    for (let step = 1; step < spines; step++) {
      const spine = (first + step) % spines;
      if (table.freeAt[trunk(leaf, spine)]! < table.freeAt[trunk(leaf, best)]!) best = spine;
    }
    return pathVia(source, target, best);
  };
  return { links, pathOf, reroute };
}

function countTo<Value>(count: number, valueOf: (index: number) => Value): Value[] {
  return Array.from({ length: count }, (_, index) => valueOf(index));
}

/** Every port to every port through one non-blocking switch: an egress and an ingress link for each port. */
export function createSwitch(
  ports: readonly string[],
  link: (port: string) => Omit<LinkDescription, "name"> & { readonly prefix: string },
): Topology {
  const links = ports.flatMap((port): LinkDescription[] => {
    const { prefix, ...shared } = link(port);
    return [
      { ...shared, name: `${prefix} / ${port} > switch` },
      { ...shared, name: `${prefix} / switch > ${port}` },
    ];
  });
  return { links, pathOf: (source, target) => [2 * source, 2 * target + 1] };
}
