// The table of a sweep as files: CSV and JSON with every digit, Markdown for readers. A row for each point, in the order of
// the grid. Pure: the same result gives the same bytes.

import type { SweepMeasures, SweepResult, SweepRow } from "@windtunnel/cluster";
import { formatBytes, formatCount, formatFraction, formatMicroseconds } from "./format.ts";

type Measure = keyof SweepMeasures;

/** In the order of the columns, with how Markdown shows them. */
const MEASURES: Readonly<
  Record<Measure, { readonly title: string; readonly show: (value: never) => string }>
> = {
  decodeStepUs: { title: "decode step", show: formatMicroseconds },
  decodeLayerUs: { title: "decode MoE layer", show: formatMicroseconds },
  decodeExposedUs: { title: "exposed in a decode step", show: formatMicroseconds },
  prefillStepUs: { title: "prefill step", show: formatMicroseconds },
  prefillLayerUs: { title: "prefill MoE layer", show: formatMicroseconds },
  prefillExposedUs: { title: "exposed in a prefill step", show: formatMicroseconds },
  timeToFirstTokenUs: { title: "TTFT", show: formatMicroseconds },
  timePerOutputTokenUs: { title: "TPOT", show: formatMicroseconds },
  tokensPerSecondPerNode: { title: "tokens/s/node", show: formatCount },
  hiddenFraction: { title: "hidden", show: formatFraction },
  exposedUs: { title: "exposed", show: formatMicroseconds },
  nvlinkBytes: { title: "NVLink", show: formatBytes },
  rdmaBytes: { title: "RDMA", show: formatBytes },
  eventsDigest: { title: "events", show: (digest: string) => `\`${digest.slice(0, 12)}\`` },
};
const MEASURE_NAMES = Object.keys(MEASURES) as Measure[];

/** Rows under a head of field names; what is not there is empty (RFC 4180, lines end with a line feed). */
export function renderCsv({ axes, rows }: SweepResult): string {
  const head = [...axes.map(({ name }) => name), ...MEASURE_NAMES, "failure"];
  const lines = rows.map(({ place, measures, failure }) => [
    ...place.map(({ value }) => plainText(value)),
    ...MEASURE_NAMES.map((name) => String(measures?.[name] ?? "")),
    failure?.message ?? "",
  ]);
  return [head, ...lines].map((cells) => `${cells.map(quoted).join(",")}\n`).join("");
}

/** Data for programs; numbers and texts of swept fields as YAML read them. */
export function tableData({ name, axes, rows }: SweepResult): object {
  return {
    schema: "windtunnel/sweep@1",
    name,
    over: axes.map((axis) => ({ path: axis.name, values: axis.values.map(({ value }) => value) })),
    points: rows.map(({ place, measures, failure }) => ({
      set: Object.fromEntries(axes.map((axis, index) => [axis.name, place[index]!.value])),
      ...(measures ?? Object.fromEntries(MEASURE_NAMES.map((measure) => [measure, null]))),
      failure,
    })),
  };
}

/** Columns in which no point has anything are left out. */
export function renderMarkdown(
  { name, axes, rows }: SweepResult,
  { hasPlot }: { readonly hasPlot: boolean },
): string {
  const shown = MEASURE_NAMES.filter((measure) => rows.some(({ measures }) => hasValue(measures?.[measure])));
  const hasFailures = rows.some(({ failure }) => failure !== null);
  const head = [
    ...axes.map((axis) => axis.name),
    ...shown.map((measure) => MEASURES[measure].title),
    ...(hasFailures ? ["failure"] : []),
  ];
  const aligns = [...axes.map(() => "---"), ...shown.map(() => "--:"), ...(hasFailures ? ["---"] : [])];
  const lines = rows.map(({ place, measures, failure }) => [
    ...place.map(({ text }) => text),
    ...shown.map((measure) => cell(measures, measure)),
    ...(hasFailures ? [(failure?.message ?? "").split("\n")[0]!] : []),
  ]);
  const table = [head, aligns, ...lines].map((cells) => `| ${cells.map(escaped).join(" | ")} |\n`).join("");
  const plot = hasPlot ? "\n![Step time of every point](plot.svg)\n" : "";
  return `# ${name}: a sweep of ${rows.length} points\n\n${table}${plot}`;
}

/** Text that tells a value apart, for cells and labels. */
export function plainText(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** The kind of step that most is known of: decode where any point has it. */
export function mainKind(rows: readonly SweepRow[]): "decode" | "prefill" | undefined {
  return (["decode", "prefill"] as const).find((kind) =>
    rows.some(({ measures }) => hasValue(measures?.[`${kind}StepUs`])),
  );
}

function hasValue(value: unknown): boolean {
  return value !== undefined && value !== null;
}

function cell(measures: SweepMeasures | null, measure: Measure): string {
  const value = measures?.[measure];
  return hasValue(value) ? MEASURES[measure].show(value as never) : "";
}

function quoted(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function escaped(text: string): string {
  return text.replaceAll("|", String.raw`\|`);
}
