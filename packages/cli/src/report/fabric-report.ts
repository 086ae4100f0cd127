// Flows over a fabric for people: how many, how long, how much slower than alone, and which links were busiest.

import type { FlowFile, FlowSimulation } from "@windtunnel/network-plane";
import type { Colours } from "../screen.ts";
import { formatBytes, formatCount, formatFraction, formatMicroseconds, significant } from "./format.ts";
import { renderSection } from "./table.ts";

const LINKS_SHOWN = 8;

export interface FlowReport {
  readonly title: string;
  readonly file: FlowFile;
  readonly simulation: FlowSimulation;
}

export function renderFlows({ title, file, simulation }: FlowReport, colours: Colours): string {
  if (file.flows.length === 0) return renderSection(title, labels([["flows", "0"]]), colours);
  const makespanNs = makespanOf(file, simulation);
  return [
    renderSection(title, labels(totalsOf(file, simulation, makespanNs)), colours),
    renderBusiest(simulation, makespanNs, colours),
  ].join("\n\n");
}

function labels(rows: readonly (readonly string[])[]): Parameters<typeof renderSection>[1] {
  return { aligns: ["left", "left"], rows };
}

/** From the first start to the last finish. */
function makespanOf(file: FlowFile, { flows }: FlowSimulation): number {
  let [first, last] = [Number.POSITIVE_INFINITY, 0];
  for (const { startNs } of file.flows) first = Math.min(first, startNs);
  for (const { finishNs } of flows) last = Math.max(last, finishNs);
  return last - first;
}

function totalsOf(file: FlowFile, { flows }: FlowSimulation, makespanNs: number): string[][] {
  const slowdowns = flows.map(
    ({ finishNs, aloneNs }, index) => (finishNs - file.flows[index]!.startNs) / aloneNs,
  );
  let slowest = 0;
  for (const [index, slowdown] of slowdowns.entries()) if (slowdown > slowdowns[slowest]!) slowest = index;
  const { id, from, to } = file.flows[slowest]!;
  const mean = slowdowns.reduce((sum, slowdown) => sum + slowdown, 0) / slowdowns.length;
  const bytes = file.flows.reduce((sum, flow) => sum + flow.bytes, 0);
  return [
    ["flows", `${formatCount(flows.length)}, ${formatBytes(bytes)}`],
    ["makespan", `${formatMicroseconds(makespanNs / 1e3)} from the first start to the last finish`],
    ["mean slowdown", `${significant(mean)} times the time in an empty fabric`],
    [
      "largest slowdown",
      `${significant(slowdowns[slowest]!)}, flow ${id ?? slowest} from rank ${from} to ${to}`,
    ],
  ];
}

/** Links by the time that their bytes take; equal ones in the order of the fabric. */
function renderBusiest({ links }: FlowSimulation, makespanNs: number, colours: Colours): string {
  const busiest = links.toSorted((a, b) => b.busyNs - a.busyNs).slice(0, LINKS_SHOWN);
  return renderSection(
    "Busiest links",
    {
      head: ["link", "carried", "busy for", "of makespan"],
      aligns: ["left", "right", "right", "right"],
      rows: busiest.map(({ name, bytes, busyNs }) => [
        name,
        formatBytes(bytes),
        formatMicroseconds(busyNs / 1e3),
        formatFraction(busyNs / makespanNs),
      ]),
    },
    colours,
  );
}
