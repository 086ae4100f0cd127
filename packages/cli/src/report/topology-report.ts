// A fabric for people: a picture, what it is made of, and its latencies; and the published comparison of topologies.

import type {
  ComparedTopology,
  SwitchCounts,
  TopologyCounts,
  TopologyDescription,
  TopologyLatencies,
} from "@windtunnel/network-plane";
import type { Colours } from "../screen.ts";
import { formatBytes, formatCount, formatMicroseconds } from "./format.ts";
import { renderSection, wrap } from "./table.ts";
import { drawTopology } from "./topology-picture.ts";

export interface TopologyReport {
  readonly description: TopologyDescription;
  readonly counts: TopologyCounts;
  readonly latencies: TopologyLatencies;
}

export function renderTopology({ description, counts, latencies }: TopologyReport, colours: Colours): string {
  const picture = drawTopology(description, counts).map((line) => `  ${line}`);
  return [
    `${colours.cyan(titleOf(description))}\n${picture.join("\n")}`,
    renderSection("Counts", labels(countRows(description, counts)), colours),
    renderSection(
      "Latency of an empty network, 64 bytes",
      labels(latencyRows(description, latencies)),
      colours,
    ),
  ].join("\n\n");
}

function titleOf({ kind, nodes, gpusPerNode, planes }: TopologyDescription): string {
  const size = `${plural(nodes, "node")} of ${plural(gpusPerNode, "GPU")}`;
  if (kind === "multi-plane") {
    return `multi-plane, ${size}: ${planes === 1 ? "one plane" : `one of ${planes} planes, all alike and disjoint`}`;
  }
  if (kind === "multi-rail") return `multi-rail, ${size}: ${plural(planes, "rail")} under shared spines`;
  if (kind === "single-plane")
    return `single-plane, ${size}: one fat-tree for ${plural(planes, "NIC")} of each`;
  return `nvlink-domain, ${size}: all at one switch`;
}

function countRows(description: TopologyDescription, counts: TopologyCounts): string[][] {
  const { endpoints, leaves, spines, switches, switchLinks, endpointLinks } = counts;
  const isDomain = description.kind === "nvlink-domain";
  const bisection = [
    "bisection",
    `${formatBytes(counts.bisectionBytesPerSecond)}/s each way, between halves of the ${isDomain ? "GPUs" : "nodes"}`,
  ];
  if (isDomain) {
    return [
      ["endpoints", plural(endpoints, "GPU")],
      ["switches", "1, seen as one without blocking"],
      ["links to endpoints", formatCount(endpointLinks)],
      bisection,
    ];
  }
  return [
    ["endpoints", `${plural(endpoints, "NIC")} of ${plural(counts.gpus, "GPU")}`],
    ["switches", formatCount(switches)],
    ["leaves", switchText(leaves)],
    ["spines", spines.count === 0 ? "none: one leaf needs none" : switchText(spines)],
    ["links between switches", formatCount(switchLinks)],
    ["links to endpoints", formatCount(endpointLinks)],
    bisection,
  ];
}

function switchText({ count, portsDown, portsUp, ports }: SwitchCounts): string {
  const used = portsUp === 0 ? `${portsDown} down` : `${portsDown} down and ${portsUp} up`;
  return `${formatCount(count)}, with ${used} of ${ports} ports in use`;
}

function latencyRows(description: TopologyDescription, latencies: TopologyLatencies): string[][] {
  const { kind, network, gpusPerNode } = description;
  const { nvlink, sameLeaf, acrossLeaves, relayed } = latencies;
  const text = (latency: number, note: string): string => `${formatMicroseconds(latency / 1e6)}, ${note}`;
  const rows: string[][] = [];
  if (sameLeaf !== undefined) rows.push(["same leaf", text(sameLeaf, network.name)]);
  if (acrossLeaves !== undefined) {
    const note = kind === "multi-rail" ? "over a spine; always so from rail to rail" : "over a spine";
    rows.push(["across leaves", text(acrossLeaves, note)]);
  }
  if (relayed !== undefined) {
    rows.push(["to another plane", text(relayed, "same leaf, then NVLink at the target's node")]);
  }
  if (kind === "nvlink-domain") rows.push(["any two GPUs", text(nvlink, "NVLink")]);
  else if (gpusPerNode > 1) rows.push(["inside a node", text(nvlink, "NVLink")]);
  return rows;
}

export function renderComparedTopologies(
  radix: number,
  rows: readonly ComparedTopology[],
  colours: Colours,
): string {
  const table = renderSection(
    `Topologies of switches with ${radix} ports`,
    {
      head: ["", "endpoints", "switches", "links", "cost, M$", "k$/endpoint"],
      aligns: ["left", "right", "right", "right", "right", "right"],
      rows: rows.map(({ name, endpoints, switches, links, publishedCost }) => [
        name,
        formatCount(endpoints),
        formatCount(switches),
        formatCount(links),
        publishedCost === undefined ? "–" : formatCount(publishedCost.millionDollars),
        publishedCost === undefined ? "–" : String(publishedCost.thousandPerEndpoint),
      ]),
    },
    colours,
  );
  const shapes = renderSection("Shapes", labels(rows.map(({ name, shape }) => [name, shape])), colours);
  const note = wrap(
    "Counts are computed; links are those between switches. Costs are the published ones, for 64 ports only.",
  );
  return `${table}\n\n${shapes}\n\n${note}`;
}

function labels(rows: readonly (readonly string[])[]): Parameters<typeof renderSection>[1] {
  return { aligns: ["left", "left"], rows };
}

function plural(count: number, one: string): string {
  return `${formatCount(count)} ${count === 1 ? one : `${one}s`}`;
}
