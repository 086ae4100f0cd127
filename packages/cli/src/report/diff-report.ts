// Two runs for people: in which fields their scenarios differ, the first record that does, the spans that moved, and what
// that did to steps by cause and to communication. Changes are after less before: a plus is time that was lost.

import type { KindDifference, RunDiff } from "@windtunnel/trace";
import type { DiffReport } from "../commands/diff.ts";
import type { FieldDifference } from "../field-differences.ts";
import type { Colours } from "../screen.ts";
import {
  formatChange,
  isNoise,
  NO_CHANGE,
  renderCauses,
  renderCommunication,
  renderSteps,
  stepsOf,
} from "./diff-steps-report.ts";
import { formatCount, formatMicroseconds, formatRanges } from "./format.ts";
import { renderSection, SCREEN_WIDTH, shorten, wrap } from "./table.ts";

const FIELDS_SHOWN = 20;

export interface RenderedDiff {
  /** The runs as the user named them. */
  readonly before: string;
  readonly after: string;
  readonly report: DiffReport;
}

export function renderDiff({ before, after, report }: RenderedDiff, colours: Colours): string {
  const head = [
    renderRuns(before, after, report, colours),
    ...renderScenario(report.scenario, colours),
    renderFirstDifference(report, colours),
  ];
  if (isSame(report)) return head.join("\n\n");
  return [
    ...head,
    ...renderOutOfScope(report),
    ...report.kinds.map((kind) => renderSpans(kind, colours)),
    ...(report.steps.length === 0 ? [] : [renderSteps(report.steps, colours)]),
    ...report.kinds.map((kind) => renderCauses(kind, colours)),
    ...report.kinds.map((kind) => renderCommunication(kind, colours)),
  ].join("\n\n");
}

function isSame({ before, after, firstDifference, outOfScope }: RunDiff): boolean {
  const { processes } = outOfScope;
  return (
    before.digest === after.digest ||
    (firstDifference === null && processes.before.length + processes.after.length === 0)
  );
}

function renderRuns(before: string, after: string, report: DiffReport, colours: Colours): string {
  const row = (label: string, run: string, diffed: RunDiff["before"]): string[] => [
    label,
    shorten(run, 36),
    `seed ${diffed.seed}`,
    `${formatCount(diffed.ranks)} ranks`,
    `${formatCount(diffed.records)} records`,
  ];
  return renderSection(
    "Runs",
    {
      aligns: ["left", "left", "left", "right", "right"],
      rows: [row("before", before, report.before), row("after", after, report.after)],
    },
    colours,
  );
}

function renderScenario(differences: readonly FieldDifference[] | null, colours: Colours): string[] {
  if (differences === null) return ["Scenarios are not compared: a folder holds no scenario.json."];
  if (differences.length === 0) return ["The scenarios are the same."];
  const shown = differences.slice(0, FIELDS_SHOWN);
  const rows = shown.map(({ path, ...values }) => [
    path,
    shorten("before" in values ? valueText(values.before) : "–", 22),
    shorten("after" in values ? valueText(values.after) : "–", 22),
  ]);
  if (shown.length < differences.length) rows.push([`and ${differences.length - shown.length} more`, "", ""]);
  const count = differences.length === 1 ? "one field" : `${differences.length} fields`;
  return [
    renderSection(
      `The scenarios differ in ${count}`,
      { head: ["field", "before", "after"], aligns: ["left", "left", "left"], rows },
      colours,
    ),
  ];
}

function valueText(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

function renderFirstDifference(report: DiffReport, colours: Colours): string {
  const { firstDifference: first } = report;
  if (isSame(report)) {
    const [label, ...words] = wrap(`No difference: ${sameness(report)}`).split(":");
    return [colours.green(label), ...words].join(":");
  }
  if (first === null) return "What both runs have is the same, record by record.";
  const at = (first.atPs / 1e6).toFixed(6);
  const title = `First record that differs: at ${at} µs, ${first.process}, record ${formatCount(first.sequence)}`;
  const missing = "no such record: the process wrote no more";
  const versions = [
    ...labelled("before", first.before?.words ?? missing),
    ...labelled("after", first.after?.words ?? missing),
    ...labelled("differs in", first.fields.map(({ field }) => field).join(", ")),
  ];
  return [colours.cyan(title), ...versions, ...renderDigests(report)].join("\n");
}

/** The summaries' digests agree where the recordings do, unless a summary is not the recording's own, or tokens differ. */
function sameness({ before, digests, headerFields }: DiffReport): string {
  const records = `both recordings hold the same ${formatCount(before.records)} records`;
  if (headerFields.length > 0) {
    return `${records}; their headers differ (${headerFields.join(", ")}), and so does the digest of the trace.`;
  }
  const differing = Object.entries(digests ?? {}).flatMap(([name, agree]) => (agree ? [] : [name]));
  if (differing.length > 0) return `${records}, but the digests of ${differing.join(" and ")} differ.`;
  const named = Object.keys(digests ?? { trace: true });
  const list =
    named.length === 1
      ? `digest of the ${named[0]!} agrees`
      : `digests of ${named.slice(0, -1).join(", ")} and ${named.at(-1)!} agree`;
  return `${records}; the ${list} (trace ${before.digest.slice(0, 16)}…).`;
}

/** A text in lines beside its label; nothing where the text is empty. */
function labelled(label: string, text: string): string[] {
  if (text === "") return [];
  const indent = 14;
  const lines = wordsInLines(text, SCREEN_WIDTH - indent);
  return lines.map((line, index) => `  ${(index === 0 ? label : "").padEnd(indent - 2)}${line}`);
}

function wordsInLines(text: string, width: number): string[] {
  const lines = [""];
  for (const word of text.split(" ")) {
    const line = lines.at(-1)!;
    if (line !== "" && line.length + 1 + word.length > width) lines.push(word);
    else lines[lines.length - 1] = line === "" ? word : `${line} ${word}`;
  }
  return lines;
}

function renderDigests({ digests }: DiffReport): string[] {
  if (digests === null) return [];
  const texts = Object.entries(digests).map(([name, agree]) => `${name} ${agree ? "agree" : "differ"}`);
  return labelled("digests", texts.join(", "));
}

function renderOutOfScope({ outOfScope: { processes, layers, steps } }: RunDiff): string[] {
  const side = (name: "before" | "after"): string[] => {
    const parts = [
      ...(processes[name].length === 0 ? [] : [namesOf(processes[name])]),
      ...(layers[name].length === 0 ? [] : [`layers ${formatRanges(layers[name])}`]),
      ...(steps[name].length === 0 ? [] : [`steps ${formatRanges(steps[name])}`]),
    ];
    return parts.length === 0 ? [] : [`${name}, ${parts.join(", ")}`];
  };
  const texts = [...side("before"), ...side("after")];
  return texts.length === 0 ? [] : [wrap(`Not compared, since only one run has it: ${texts.join("; ")}.`)];
}

function namesOf(names: readonly string[]): string {
  return names.length <= 2
    ? names.join(" and ")
    : `${names.length} processes (${names[0]} … ${names.at(-1)})`;
}

function renderSpans({ kind, steps, spans }: KindDifference, colours: Colours): string {
  const rows = spans.byName.map((change) => [
    change.name,
    ...[change.matched, change.moved, change.appeared, change.vanished].map((count) =>
      count === 0 ? NO_CHANGE : formatCount(count),
    ),
    formatMean(change.meanStartChangeUs, change.meanStartShiftUs, change.meanStartBeforeUs),
    formatMean(change.meanDurationChangeUs, change.meanDurationShiftUs, change.meanDurationBeforeUs),
  ]);
  const table = renderSection(
    `Spans of ${stepsOf(kind, steps)}; changes are means over matched spans`,
    {
      head: ["span", "matched", "moved", "appeared", "vanished", "start", "duration"],
      aligns: ["left", "right", "right", "right", "right", "right", "right"],
      rows,
    },
    colours,
  );
  return [table, ...renderSummed(spans), ...renderMostChanged(spans)].join("\n");
}

/** Why there are fewer spans than in the recordings. */
function renderSummed({ summedOverMicroBatches: counts }: KindDifference["spans"]): string[] {
  if (counts === null) return [];
  const text =
    `${counts.before} micro-batch${counts.before === 1 ? "" : "es"} before, ${counts.after} after: ` +
    "what a rank does under one name in a layer is summed over them, and counts as one span.";
  return ["", ...wordsInLines(text, SCREEN_WIDTH - 2).map((line) => `  ${line}`)];
}

/** A mean with its sign; where what some lose others gain, the mean without signs says more. */
function formatMean(change: number, shift: number, of: number): string {
  if (isNoise(shift, of)) return NO_CHANGE;
  return Math.abs(change) < shift / 2 ? `±${formatTime(shift, of)}` : formatChange(change, of);
}

function renderMostChanged({
  mostChangedRank: rank,
  mostChangedLayer: layer,
}: KindDifference["spans"]): string[] {
  const lines: string[] = [];
  if (rank !== null) {
    const { meanStartChangeUs: start, meanDurationChangeUs: duration } = rank;
    const [startTime, time] = [
      formatTime(start, rank.meanStartBeforeUs),
      formatTime(duration, rank.meanDurationBeforeUs),
    ];
    const changes = [
      ...(startTime === "" ? [] : [`${startTime} ${start > 0 ? "later" : "earlier"}`]),
      ...(time === "" ? [] : [`${time} ${duration > 0 ? "longer" : "shorter"}`]),
    ];
    if (changes.length > 0) {
      lines.push(`  most changed rank   ${rank.rank}: the mean span is ${changes.join(", ")}`);
    }
  }
  if (layer !== null && !isNoise(layer.afterUs - layer.beforeUs, layer.beforeUs)) {
    const times = `${formatMicroseconds(layer.beforeUs)} before, ${formatMicroseconds(layer.afterUs)} after`;
    const change = formatChange(layer.afterUs - layer.beforeUs, layer.beforeUs);
    lines.push(`  most changed layer  ${layer.layer}: a rank computes ${times} (${change})`);
  }
  return lines.length === 0 ? [] : ["", ...lines];
}

/** Without its sign; empty where it is noise. */
function formatTime(us: number, of: number): string {
  return isNoise(us, of) ? "" : formatChange(us, of).slice(1);
}
