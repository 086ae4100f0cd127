// Links in the picture: which of them are shown, and in which group they stand. A node's NVLink, PCIe and NICs are groups
// of their own beside its GPUs, whatever fabric they belong to; what joins switches comes after all nodes.
// Knows the names of links ("plane 3 / leaf 0 > node 1") and nothing of what is drawn.

import type { Intervals } from "./intervals.ts";
import type { HopRecord } from "./record-layout.ts";
import type { RecordingHeader } from "./records.ts";
import { type FabricProcess, fabricsOf, gpusOf, type Recording } from "./recording-reader.ts";
import { isSelected, type NumberSelection } from "./trace-selection.ts";

/** A process of the picture that holds links. */
export interface LinkGroup {
  readonly name: string;
  /** Undefined for links between switches. */
  readonly node: number | undefined;
  readonly links: readonly ShownLink[];
}

export interface ShownLink {
  readonly fabric: number;
  readonly link: number;
  readonly name: string;
}

export interface ShownTraffic {
  readonly ranks: NumberSelection;
  /** The time of the selected steps. */
  readonly windows: Intervals;
}

/** Kinds of links at a node, as they stand from the top. */
const NODE_KINDS = ["NVLink", "PCIe", "NICs"] as const;

/**
 * Groups of the links that carried something of a selected rank in the windows; a node's own links only where one of its
 * ranks is selected. In the order of the picture: node by node, then what joins switches, links in their fabrics' order.
 */
export function linkGroups(recording: Recording, { ranks, windows }: ShownTraffic): LinkGroup[] {
  const nodes = nodesOf(recording.header, ranks);
  const groups = new Map<string, { name: string; node: number | undefined; links: ShownLink[] }>();
  for (const fabric of fabricsOf(recording.header)) {
    const used = usedLinks(recording, fabric, { ranks, windows });
    for (const [link, name] of fabric.links.entries()) {
      const node = nodeOfLink(name);
      if (used[link] !== 1 || (node !== undefined && !nodes.has(node))) continue;
      const groupName =
        node === undefined ? `${scopeOf(name)} · between switches` : nodeGroup(fabric, name, node);
      const group = groups.get(groupName) ?? { name: groupName, node, links: [] };
      groups.set(groupName, group);
      group.links.push({ fabric: fabric.id, link, name });
    }
  }
  const kindOf = ({ name }: LinkGroup): number => NODE_KINDS.findIndex((kind) => name.endsWith(kind));
  return [...groups.values()].sort(
    (a, b) => (a.node ?? Infinity) - (b.node ?? Infinity) || kindOf(a) - kindOf(b) || 0,
  );
}

/** Whether a message was on its link, or waited for it, at some time of the windows. */
export function isWithin({ headAt, endAt }: HopRecord, windows: Intervals): boolean {
  for (let i = 0; i < windows.length; i += 2) {
    if (headAt < windows[i + 1]! && endAt > windows[i]!) return true;
  }
  return false;
}

/** 1 for each link that carried something that is shown. */
function usedLinks(
  recording: Recording,
  fabric: FabricProcess,
  { ranks, windows }: ShownTraffic,
): Uint8Array {
  const used = new Uint8Array(fabric.links.length);
  for (const record of recording.records(fabric.id)) {
    if (record.type !== "hop" || used[record.link] === 1) continue;
    if (!isSelected(ranks, record.source) && !isSelected(ranks, record.target)) continue;
    if (isWithin(record, windows)) used[record.link] = 1;
  }
  return used;
}

function nodesOf(header: RecordingHeader, ranks: NumberSelection): ReadonlySet<number> {
  return new Set(
    gpusOf(header)
      .filter(({ rank }) => isSelected(ranks, rank))
      .map(({ node }) => node),
  );
}

function nodeGroup({ wire }: FabricProcess, link: string, node: number): string {
  const kind = wire === "nic" ? "NICs" : scopeOf(link).endsWith(" pcie") ? "PCIe" : "NVLink";
  return `node ${node} · ${kind}`;
}

/** The node whose GPU, NIC or NVLink switch a link hangs on. */
function nodeOfLink(name: string): number | undefined {
  const node = /\bnode (?<node>\d+)\b/.exec(name)?.groups?.["node"];
  return node === undefined ? undefined : Number(node);
}

/** "plane 3" of "plane 3 / leaf 0 > spine 5". */
function scopeOf(name: string): string {
  return name.split(" / ")[0] ?? name;
}
