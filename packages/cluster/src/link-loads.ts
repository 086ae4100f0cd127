// What the links of a run carried, added up by the parts that people look at: NVLink, PCIe, planes (or rails), their leaves
// and spines. A switch's bytes are those that left it; its queue is the longest in front of one of its ports. A NIC's
// queue, in front of a plane's first links, is its sender's own and stands with the plane. Pure.

import type { FabricProcess } from "@windtunnel/network-plane";
import type { PreparedRun } from "./prepare-run.ts";

export interface LinkGroupLoad {
  readonly kind: "nvlink" | "pcie" | "plane" | "leaf" | "spine";
  /** "node 0 nvlink", "node 0 pcie", "plane 3", "rail 3", "plane 3 / leaf 0", "spine 5" where all rails share it. */
  readonly name: string;
  readonly bytes: number;
  /** The most bytes that waited for one of its links. */
  readonly peakQueueBytes: number;
}

/** Directed, as `LinkDescription` names them. */
const LINK_NAME = /^(?<scope>.+) \/ (?<from>.+) > (?<to>.+)$/;
/** Where a link begins that does not begin at an endpoint. */
const SWITCH = /^(?:leaf|spine|switch|root)\b/;

type Group = Pick<LinkGroupLoad, "kind" | "name">;

/** By the fabric processes of a run, in their order: NVLink domains, then planes. Only what carried something. */
export function loadsByGroup(run: PreparedRun, fabrics: readonly FabricProcess[]): LinkGroupLoad[] {
  const loads = new Map<
    string,
    { kind: LinkGroupLoad["kind"]; name: string; bytes: number; queue: number }
  >();
  for (const [index, { links }] of fabrics.entries()) {
    const isNode = index < run.numbers.domainCount;
    for (const [link, linkName] of links.names.entries()) {
      const { scope = "", from = "" } = LINK_NAME.exec(linkName)?.groups ?? {};
      const { kind, name } = isNode
        ? nodeGroup(scope)
        : planeGroup(scope, from, run.fabric.kind === "multi-rail");
      let load = loads.get(name);
      if (load === undefined) loads.set(name, (load = { kind, name, bytes: 0, queue: 0 }));
      // Each byte enters NVLink, PCIe and a plane once, over an endpoint's link; what leaves a switch counts for it.
      const counts = kind === "leaf" || kind === "spine" || !SWITCH.test(from);
      if (counts) load.bytes += links.bytes[link]!;
      load.queue = Math.max(load.queue, links.peakQueueBytes(link));
    }
  }
  return [...loads.values()]
    .filter(({ bytes }) => bytes > 0)
    .map(({ queue, ...load }) => ({ ...load, peakQueueBytes: Math.round(queue) }));
}

function nodeGroup(scope: string): Group {
  return { kind: scope.endsWith("pcie") ? "pcie" : "nvlink", name: scope };
}

function planeGroup(scope: string, from: string, areSpinesShared: boolean): Group {
  if (from.startsWith("leaf")) return { kind: "leaf", name: `${scope} / ${from}` };
  if (from.startsWith("spine")) return { kind: "spine", name: areSpinesShared ? from : `${scope} / ${from}` };
  return { kind: "plane", name: scope };
}
