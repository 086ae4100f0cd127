// A topology of one fabric process: its links, and the links that a parcel takes from a port to another.

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
  /** Asked when a parcel's head is at the second link of its path: whether it goes another way from there. */
  readonly reroute?: (path: readonly number[], links: LinkTable) => readonly number[];
}

/**
 * How a leaf chooses a spine. `static`: the target node modulo the spines. `ecmp`: a hash of the flow, so that few
 * large flows may collide. `adaptive`: the uplink that is free first (per parcel, as packets would be).
 */
export type Routing = "static" | "ecmp" | "adaptive";

export interface FatTreePlaneOptions {
  readonly plane: number;
  readonly nodes: number;
  readonly nodesPerLeaf: number;
  readonly spines: number;
  readonly linkBytesPerSecond: number;
  readonly network: NetworkProfile;
  readonly routing?: Routing;
}

/** One plane of a multi-plane fat-tree: two layers, one port for each node (mechanics §8.1). */
export function createFatTreePlane(options: FatTreePlaneOptions): Topology {
  const { plane, nodes, nodesPerLeaf, spines, linkBytesPerSecond, network, routing = "static" } = options;
  const leaves = Math.ceil(nodes / nodesPerLeaf);
  if (leaves > 1 && spines < 1) {
    throw inputError(`plane ${plane} has ${leaves} leaves and no spine to join them`, {
      path: "cluster.fabric.spinesPerPlane",
    });
  }
  const link = (from: string, to: string, cable: string): LinkDescription => ({
    name: `plane ${plane} / ${from} > ${to}`,
    cable: `plane ${plane} / ${cable}`,
    bytesPerSecond: linkBytesPerSecond,
    latency: network.linkLatency,
  });
  const leafOf = (node: number): number => Math.floor(node / nodesPerLeaf);
  const links: LinkDescription[] = [];
  for (let node = 0; node < nodes; node++) {
    const leaf = leafOf(node);
    links.push(link(`node ${node}`, `leaf ${leaf}`, `node ${node} - leaf ${leaf}`));
    links.push(link(`leaf ${leaf}`, `node ${node}`, `node ${node} - leaf ${leaf}`));
  }
  const firstTrunk = links.length;
  const joinedLeaves = leaves > 1 ? leaves : 0;
  for (let leaf = 0; leaf < joinedLeaves; leaf++) {
    for (let spine = 0; spine < spines; spine++) {
      links.push(link(`leaf ${leaf}`, `spine ${spine}`, `leaf ${leaf} - spine ${spine}`));
      links.push(link(`spine ${spine}`, `leaf ${leaf}`, `leaf ${leaf} - spine ${spine}`));
    }
  }
  const trunk = (leaf: number, spine: number): number => firstTrunk + 2 * (leaf * spines + spine);
  const pathVia = (source: number, target: number, spine: number): readonly number[] => [
    2 * source,
    trunk(leafOf(source), spine),
    trunk(leafOf(target), spine) + 1,
    2 * target + 1,
  ];
  const pathOf = (source: number, target: number, flow: number = 0): readonly number[] => {
    invariant(source < nodes && target < nodes, `no path from port ${source} to ${target} among ${nodes}`);
    if (leafOf(source) === leafOf(target)) return [2 * source, 2 * target + 1];
    return pathVia(source, target, (routing === "ecmp" ? mix32(flow ^ mix32(plane + 1)) : target) % spines);
  };
  if (routing !== "adaptive") return { links, pathOf };
  const reroute = (path: readonly number[], table: LinkTable): readonly number[] => {
    if (path.length < 4) return path;
    const [source, target] = [path[0]! / 2, (path.at(-1)! - 1) / 2];
    const leaf = leafOf(source);
    // Ports that are equally free are taken in turn from the static one, so that idle leaves do not all begin at spine 0.
    let best = target % spines;
    for (let step = 1; step < spines; step++) {
      const spine = (target + step) % spines;
      if (table.freeAt[trunk(leaf, spine)]! < table.freeAt[trunk(leaf, best)]!) best = spine;
    }
    return pathVia(source, target, best);
  };
  return { links, pathOf, reroute };
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
