// The fidelity tables as the Markdown of `docs/fidelity.md`. It computes nothing.

import type { ComputedPart, FidelityTables } from "./fidelity-tables.ts";
import { CONTEXT, errorText, oursText, percent, publishedText } from "./format.ts";
import { type ErrorSummary, NOT_YET_PREDICTED, type PredictionSummary } from "./prediction-parts.ts";
import type { TableName } from "./row.ts";

const INTRODUCTIONS: Readonly<Record<TableName, string>> = {
  calibration:
    "Constants are fitted to these figures and to no others: `npm run calibrate` writes them, each with the figures that " +
    "made it (`constants.json` and `exchange-constants.json` in `packages/gpu/src/calibration`). How kernels are " +
    "modelled, and where their sources contradict each other: `docs/adr/0015-kernel-cost-model.md`.",
  identity:
    "Arithmetic, computed by the product's own functions where it has them. It tests bookkeeping, not fidelity. Exact " +
    "means: as published, to the printed digits and rounded as there. Where a publication leaves its convention open, ours is shown only.",
  prediction:
    "Nothing is fitted to these figures. A row of dispatch and combine is the mean over ranks of DeepEP's own benchmark, run " +
    "on the emulated cluster. A row of layers and steps is a scenario without math: three MoE layers of prefill or six of " +
    "decode are run, a layer is the mean of those in steady state, and a step adds the missing ones to what was run. Which " +
    "rows are gated was settled by how complete their configuration is, before they were compared; the others are shown.",
};

export function renderFidelityDocument(tables: FidelityTables): string {
  const parts = (["calibration", "identity", "prediction"] as const).flatMap((table) => [
    `## ${capitalized(table)}`,
    INTRODUCTIONS[table],
    ...sections(tables.tables[table]),
  ]);
  return `${[
    "# Fidelity",
    "Published figures beside the emulator's own. Three tables that never mix: figures that constants were fitted to, " +
      "figures that are arithmetic, and predictions.",
    "`windtunnel validate --write docs/fidelity.md` writes this page; a test keeps it equal to what the emulator says.",
    ...parts,
    ...(tables.summary === null ? [] : ["### Summary of predictions", ...renderSummary(tables.summary)]),
    "### Not yet predicted",
    "These need traffic that comes and goes, and caches of prefixes:",
    NOT_YET_PREDICTED.map(({ id, quantity }) => `- ${id}: ${quantity}`).join("\n"),
  ].join("\n\n")}\n`;
}

function sections(parts: readonly ComputedPart[]): string[] {
  return [...Map.groupBy(parts, ({ section }) => section)].flatMap(([section, own]) => [
    `### ${section}`,
    renderTable(own),
    ...(own.some(({ rows }) => rows.some(({ note }) => note !== undefined)) ? [renderNotes(own)] : []),
    renderSources(own),
  ]);
}

function renderTable(parts: readonly ComputedPart[]): string {
  const rows = parts.flatMap(({ id, command, rows: own }) =>
    own.map((row) => [id, row.quantity, publishedText(row), oursText(row), errorText(row), `\`${command}\``]),
  );
  const head = ["", "quantity", "published", "ours", "error", "command"];
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  return [line(head), "|---|---|---:|---:|---:|---|", ...rows.map(line)].join("\n");
}

/** One line for each note and the rows that share it. */
function renderNotes(parts: readonly ComputedPart[]): string {
  const noted = parts.flatMap(({ id, rows }) =>
    rows.flatMap(({ quantity, note }) => (note === undefined ? [] : [{ row: `${id} ${quantity}`, note }])),
  );
  return [...Map.groupBy(noted, ({ note }) => note)]
    .map(([note, rows]) => `- ${rows.map(({ row }) => row).join("; ")}: ${note}`)
    .join("\n");
}

function renderSources(parts: readonly ComputedPart[]): string {
  const sources = parts.flatMap(({ id, rows }) => rows.map(({ source }) => ({ id, source })));
  const lines = [...Map.groupBy(sources, ({ source }) => source)].map(([source, rows]) => {
    return `${source} (${[...new Set(rows.map(({ id }) => id))].join(", ")})`;
  });
  return `Sources: ${lines.join("; ")}.`;
}

/** Paragraphs. */
function renderSummary(summary: PredictionSummary): string[] {
  const line = (name: string, { rows, median, worst, mean, meetsGates }: ErrorSummary): string =>
    `| ${name} | ${rows} | ${percent(median)} | ${percent(worst)} | ${percent(mean)} | ${meetsGates ? "met" : "missed"} |`;
  const table = [
    "| | rows | median error | worst | mean | gates |",
    "|---|---:|---:|---:|---:|---|",
    line("dispatch", summary.dispatch),
    line("combine", summary.combine),
    line("both", summary.together),
    line("layers and steps", summary.steps),
  ].join("\n");
  return [table, CONTEXT];
}

function capitalized(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}
