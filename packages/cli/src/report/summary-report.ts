// A run's summary for people: cluster, hosts, steps, communication, traffic, tokens, and where the files are.

import path from "node:path";
import { formatPlacement, type Scenario, type Summary, type UnrecordedSummary } from "@windtunnel/cluster";
import type { Colours } from "../screen.ts";
import { formatBytes, formatCount, formatFraction, formatMicroseconds, formatRanges } from "./format.ts";
import { renderSection, renderTable, shorten } from "./table.ts";

const HOSTS_SHOWN = 12;
const REQUESTS_SHOWN = 3;
const TOKENS_SHOWN = 12;

export function renderSummary(
  scenario: Scenario,
  summary: Summary,
  folder: string,
  colours: Colours,
): string {
  return [
    renderCluster(scenario, summary, colours),
    renderHosts(summary, colours),
    renderSteps(summary, colours),
    renderCommunication(summary, colours),
    renderTraffic(summary, colours),
    ...(scenario.math === "real" ? [renderTokens(summary, colours)] : []),
    renderFiles([folder], colours),
    ...(summary.warnings.length === 0
      ? []
      : [`Warnings\n${summary.warnings.map((each) => `  ${each}`).join("\n")}`]),
  ].join("\n\n");
}

/** Of a run that recorded nothing. */
export function renderUnrecorded(
  scenario: Scenario,
  summary: UnrecordedSummary,
  folder: string,
  colours: Colours,
): string {
  const file = path.join(path.relative(process.cwd(), folder) || ".", "summary.json");
  return [
    renderCluster(scenario, summary, colours),
    renderHosts(summary, colours),
    renderSteps(summary, colours),
    renderTraffic(summary, colours),
    ...(scenario.math === "real" ? [renderTokens(summary, colours)] : []),
    `Nothing was recorded: no traces, no communication times.\n  numbers  ${file}`,
  ].join("\n\n");
}

/** What both kinds of summary say. */
type AnySummary = Summary | UnrecordedSummary;
type AnyStep = AnySummary["virtual"]["steps"][number];

export function renderCluster(scenario: Scenario, summary: AnySummary, colours: Colours): string {
  const { model, timing, cluster, parallelism, run, placement } = scenario;
  const kvLength =
    timing.kvLength === undefined ? "" : `, ${formatCount(timing.kvLength)} cached tokens a request`;
  const named = "preset" in model ? `preset ${model.preset}` : `checkpoint ${nameOf(model.checkpoint)}`;
  const isReal = scenario.math === "real";
  const rows = [
    [
      "cluster",
      `${plural(cluster.nodes, "node")} of ${plural(cluster.gpusPerNode, "GPU")} (${nameOf(timing.gpu)})`,
    ],
    ["fabric", fabricOf(cluster, summary.traffic.bytesByPlane.length)],
    ["executed", isReal ? named : "nothing (math: skip)"],
    [
      "timed",
      `${timing.model !== "executed" ? nameOf(timing.model) : isReal ? "as executed" : named}${kvLength}`,
    ],
    ...(isReal ? [] : [["routing", `drawn, ${drawOf(scenario)}`]]),
    ["experts", expertsOf(parallelism)],
    ["run", runOf(run)],
    ["on the wire", `dispatch ${run.precision.dispatch}, combine ${run.precision.combine}`],
    ["placement", formatPlacement(placement)],
  ];
  return renderSection(scenario.name, { aligns: ["left", "left"], rows: cut(rows, 64) }, colours);
}

/** Balanced, unless the scenario says how to draw. */
function drawOf({ routing }: Scenario): string {
  return routing !== undefined && "draw" in routing ? routing.draw : "balanced";
}

export function renderSteps(summary: AnySummary, colours: Colours): string {
  const { virtual } = summary;
  const rows = (["prefill", "decode"] as const).flatMap((kind) => {
    const all: readonly AnyStep[] = virtual.steps;
    const steps = all.filter((step) => step.kind === kind);
    return steps.length === 0 ? [] : [stepRow(kind, steps)];
  });
  const latencies = [
    ["virtual time", formatMicroseconds(virtual.totalUs)],
    ["time to first token", optionalTime(virtual.timeToFirstTokenUs)],
    ["time per output token", optionalTime(virtual.timePerOutputTokenUs)],
    ["tokens per second per node", formatCount(virtual.tokensPerSecondPerNode)],
  ];
  const steps = renderSection(
    "Steps, in virtual time",
    {
      head: ["kind", "steps", "mean", "shortest", "longest", "MoE layer"],
      aligns: ["left", "right", "right", "right", "right", "right"],
      rows,
    },
    colours,
  );
  return `${steps}\n\n${renderTable({ aligns: ["left", "right"], rows: latencies }, colours)}`;
}

export function renderCommunication(summary: Summary, colours: Colours): string {
  const kinds = Object.entries(summary.communicationByStepKind);
  const rows = [...(kinds.length > 1 ? kinds : []), ["all", summary.communication] as const].map(
    ([kind, one]) => [
      kind,
      formatMicroseconds(one.totalUs),
      formatMicroseconds(one.hiddenUs),
      formatMicroseconds(one.exposedUs),
      formatFraction(one.hiddenFraction),
      formatMicroseconds(one.waitUs),
      formatMicroseconds(one.exposedWaitUs),
    ],
  );
  return renderSection(
    "Communication, mean over GPUs",
    {
      head: ["steps", "total", "hidden", "exposed", "hidden part", "waiting", "exposed wait"],
      aligns: ["left", "right", "right", "right", "right", "right", "right"],
      rows,
    },
    colours,
  );
}

/** Where the files of one or several runs are, and how to open them. */
export function renderFiles(folders: readonly string[], colours: Colours): string {
  const rows = [
    ["summary", "summary.json"],
    ["overlap", "overlap.json: hidden and exposed by rank, layer and micro-batch"],
    ["tokens", "tokens.jsonl"],
    ["scenario", "scenario.json, with every default"],
    ["timeline", "trace.perfetto.json: at https://ui.perfetto.dev, Open trace file"],
    ["spans", "trace.otlp.jsonl; to send them to a backend as well, set"],
    ["", "OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4318 before the run"],
  ];
  const shown = folders.map((folder) => path.relative(process.cwd(), folder) || ".");
  const [first = ".", second] = shown;
  const next = [
    `windtunnel analyze ${first}`,
    ...(second === undefined ? [] : [`windtunnel diff ${first} ${second}`]),
  ].map((command, index) => [index === 0 ? "next" : "", command]);
  const content = { aligns: ["left", "left"], rows: [...rows, ...next] } as const;
  return renderSection(`Files in ${shown.join(" and ")}`, content, colours);
}

/** The first tokens of the first requests. */
export function renderTokens(summary: AnySummary, colours: Colours): string {
  const rows = summary.outputs.slice(0, REQUESTS_SHOWN).map(({ request, tokens }) => {
    const more = tokens.length > TOKENS_SHOWN ? " …" : "";
    return [`request ${request}`, `${tokens.slice(0, TOKENS_SHOWN).join(" ")}${more}`];
  });
  const rest = summary.outputs.length - rows.length;
  if (rest > 0) rows.push([`and ${formatCount(rest)} more`, ""]);
  return renderSection("New tokens", { aligns: ["left", "left"], rows: cut(rows, 60) }, colours);
}

function renderHosts(summary: AnySummary, colours: Colours): string {
  const { hosts, wall } = summary;
  const rows = hosts
    .slice(0, HOSTS_SHOWN)
    .map(({ kind, pid, gpus, planes }) => [kind, String(pid), formatRanges(gpus), formatRanges(planes)]);
  if (hosts.length > HOSTS_SHOWN) rows.push([`and ${hosts.length - HOSTS_SHOWN} more`, "", "", ""]);
  const table = renderSection(
    "Hosts",
    {
      head: ["kind", "process", "GPUs", "planes"],
      aligns: ["left", "right", "left", "left"],
      rows: cut(rows, 24),
    },
    colours,
  );
  const lines = [
    `${formatCount(wall.events)} events in ${wall.seconds.toFixed(2)} s (${formatCount(wall.eventsPerSecond)}/s)`,
    ...roundsOf(wall, hosts.length),
    `${formatCount(wall.frames)} frames of ${formatBytes(wall.frameBytes)} between hosts, ` +
      `at most ${formatBytes(wall.peakRssBytes)} of memory`,
  ];
  return [table, ...lines.map((line) => `  ${line}`)].join("\n");
}

function roundsOf({ syncRounds, roundsPerLayer, balance }: AnySummary["wall"], hostCount: number): string[] {
  if (syncRounds === 0) return [];
  const perLayer =
    roundsPerLayer === null ? "" : `, ${roundsPerLayer.toFixed(1)} for each MoE layer and micro-batch`;
  const balanced = balance === null ? "" : `; balance ${balance.toFixed(2)} of ${hostCount}`;
  return [`${formatCount(syncRounds)} rounds${perLayer}${balanced}`];
}

function renderTraffic(summary: AnySummary, colours: Colours): string {
  const { nvlinkBytes, rdmaBytes, bytesByPlane, messages } = summary.traffic;
  const rows = [
    ["messages", formatCount(messages)],
    ["over NVLink", formatBytes(nvlinkBytes)],
    ["over planes", formatBytes(rdmaBytes)],
  ];
  if (bytesByPlane.length > 1) {
    const [least, most] = [Math.min(...bytesByPlane), Math.max(...bytesByPlane)];
    rows.push(["per plane", `${formatBytes(least)} to ${formatBytes(most)}`]);
  }
  return renderSection("Traffic of the timed model", { aligns: ["left", "left"], rows }, colours);
}

function stepRow(kind: string, steps: readonly AnyStep[]): string[] {
  const times = steps.map((step) => step.us);
  return [
    kind,
    String(steps.length),
    formatMicroseconds(mean(times)),
    formatMicroseconds(Math.min(...times)),
    formatMicroseconds(Math.max(...times)),
    optionalTime(meanOfKnown(steps.map((step) => step.layerUs))),
  ];
}

function meanOfKnown(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null);
  return known.length === 0 ? null : mean(known);
}

function fabricOf({ nodes, fabric }: Scenario["cluster"], planeCount: number): string {
  const { kind, nodesPerLeaf, network } = fabric;
  if (kind === "nvlink-domain") return "one NVLink domain for all GPUs";
  const spines = plural(fabric.spinesPerPlane, "spine");
  if (kind === "single-plane" || nodesPerLeaf === undefined) {
    return `one plane for all NICs, with ${spines}, ${network}`;
  }
  const leaves = plural(Math.ceil(nodes / nodesPerLeaf), "leaf", "leaves");
  if (kind === "multi-rail") return `rails of ${leaves} each, joined by ${spines}, ${network}`;
  return `${plural(planeCount, "plane")} of ${leaves} and ${spines} each, ${network}`;
}

function expertsOf({ expertParallel, redundantExperts }: Scenario["parallelism"]): string {
  const spread = `spread over ${plural(expertParallel, "GPU")}`;
  return redundantExperts === 0 ? spread : `${spread}, with ${plural(redundantExperts, "redundant one")}`;
}

function runOf(run: Scenario["run"]): string {
  const prefill = `prefill ${nameOf(run.prefill.schedule)}, ${nameOf(run.prefill.dispatch)}`;
  const decode = `decode ${nameOf(run.decode.schedule)}, ${nameOf(run.decode.dispatch)}`;
  if (run.phase === "generate") return `${prefill}; ${decode}`;
  return run.phase === "prefill" ? prefill : decode;
}

function optionalTime(us: number | null): string {
  return us === null ? "–" : formatMicroseconds(us);
}

/** A profile, a model, a schedule or a pattern by its name; a file by its last part. */
function nameOf(reference: string): string {
  return path.basename(reference);
}

function plural(count: number, one: string, many = `${one}s`): string {
  return `${formatCount(count)} ${count === 1 ? one : many}`;
}

function cut(rows: readonly (readonly string[])[], width: number): string[][] {
  return rows.map((row) => row.map((cell) => shorten(cell, width)));
}

export function mean(values: readonly number[]): number {
  return values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length;
}
