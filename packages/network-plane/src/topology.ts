// A topology of one fabric process: its links, and the links that a parcel takes from a port to another.

import { inputError, invariant } from "@windtunnel/base";
import type { LinkDescription } from "./links.ts";
import type { NetworkProfile } from "./network-profile.ts";

export interface Topology {
  readonly links: readonly LinkDescription[];
  /** Numbers of the links from a source port to a target port, in order. Source and target may be the same port. */
  pathOf(sourcePort: number, targetPort: number): readonly number[];
}

export interface FatTreePlaneOptions {
  readonly plane: number;
  readonly nodes: number;
  readonly nodesPerLeaf: number;
  readonly spines: number;
  readonly linkBytesPerSecond: number;
  readonly network: NetworkProfile;
}

/**
 * One plane of a multi-plane fat-tree: two layers, one port for each node (mechanics §8.1).
 * Static routing: the spine is the target node modulo the spines.
 */
export function createFatTreePlane(options: FatTreePlaneOptions): Topology {
  const { plane, nodes, nodesPerLeaf, spines, linkBytesPerSecond, network } = options;
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
  return {
    links,
    pathOf: (source, target) => {
      invariant(source < nodes && target < nodes, `no path from port ${source} to ${target} among ${nodes}`);
      const [from, to] = [leafOf(source), leafOf(target)];
      if (from === to) return [2 * source, 2 * target + 1];
      const spine = target % spines;
      return [2 * source, trunk(from, spine), trunk(to, spine) + 1, 2 * target + 1];
    },
  };
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
