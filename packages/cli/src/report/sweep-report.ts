// A sweep on the screen: where its points lie, what their steps take, what failed, and where the whole table is.

import type { SweepResult, SweepRow } from "@windtunnel/cluster";
import type { Colours } from "../screen.ts";
import { formatCount, formatFraction, formatMicroseconds } from "./format.ts";
import { mainKind } from "./sweep-table.ts";
import { renderTable, SCREEN_WIDTH, shorten, wrap } from "./table.ts";

export interface WrittenFiles {
  readonly folder: string;
  readonly files: readonly string[];
  /** Why there is no plot. */
  readonly refusal?: string;
}

interface Column {
  readonly head: string;
  readonly cells: readonly string[];
  readonly align: "left" | "right";
}

const MOST_ROWS = 40;
const WIDEST_VALUE = 20;

export function renderSweep(result: SweepResult, written: WrittenFiles, colours: Colours): string {
  const { name, axes, rows } = result;
  const shown = rows.slice(0, MOST_ROWS);
  const kind = mainKind(rows);
  const columns = fitting([...axisColumns(result, shown), ...measureColumns(shown, kind)], axes.length);
  const count = rows.length === 1 ? "1 point" : `${rows.length} points`;
  const lines = [
    colours.cyan(`${name}: ${count}${kind === undefined ? "" : `, steps of ${kind}`}`),
    renderTable(
      {
        head: columns.map(({ head }) => head),
        aligns: columns.map(({ align }) => align),
        rows: shown.map((_, row) => columns.map(({ cells }) => cells[row]!)),
      },
      colours,
    ),
  ];
  if (rows.length > MOST_ROWS) lines.push(`  … and ${rows.length - MOST_ROWS} more in table.md`);
  lines.push(...failures(result, colours), "", ...files(written, colours));
  return lines.join("\n");
}

function axisColumns({ axes }: SweepResult, rows: readonly SweepRow[]): Column[] {
  const last = axes.map(({ path }) => path.at(-1)!);
  return axes.map(({ path }, axis) => {
    const isAlone = last.filter((other) => other === last[axis]).length === 1;
    return {
      head: shorten(path.slice(isAlone ? -1 : -2).join("."), WIDEST_VALUE),
      cells: rows.map(({ place }) => shortenStart(place[axis]!.text, WIDEST_VALUE)),
      align: rows.every(({ place }) => typeof place[axis]!.value === "number") ? "right" : "left",
    };
  });
}

/** In the order in which they are least missed where there is no room: the last one first. */
function measureColumns(rows: readonly SweepRow[], kind: "decode" | "prefill" = "decode"): Column[] {
  const column = (head: string, show: (row: SweepRow) => string): Column => ({
    head,
    cells: rows.map((row) => (row.measures === null ? "–" : show(row))),
    align: "right",
  });
  const time = (us: number | null | undefined): string =>
    us === null || us === undefined ? "–" : formatMicroseconds(us);
  return [
    column("step", ({ measures }) => time(measures?.[`${kind}StepUs`])),
    column("exposed", ({ measures }) => time(measures?.[`${kind}ExposedUs`])),
    column("tok/s/node", ({ measures }) => formatCount(measures!.tokensPerSecondPerNode)),
    column("hidden", ({ measures }) => formatFraction(measures!.hiddenFraction)),
    column("MoE layer", ({ measures }) => time(measures?.[`${kind}LayerUs`])),
  ];
}

/** Without the last columns of measures that a screen has no room for; the axes and the step always stay. */
function fitting(columns: readonly Column[], axisCount: number): readonly Column[] {
  const widthOf = ({ head, cells }: Column): number =>
    Math.max(head.length, ...cells.map(({ length }) => length));
  const width = (some: readonly Column[]): number =>
    some.reduce((sum, column) => sum + widthOf(column) + 2, 0);
  let count = columns.length;
  while (count > axisCount + 1 && width(columns.slice(0, count)) > SCREEN_WIDTH) count -= 1;
  return columns.slice(0, count);
}

const MOST_FAILURES = 8;

function failures({ axes, rows }: SweepResult, colours: Colours): string[] {
  const failed = rows.filter(({ failure }) => failure !== null);
  if (failed.length === 0) return [];
  const lines = failed.slice(0, MOST_FAILURES).flatMap(({ place, failure }) => {
    const where = axes.map(({ name }, axis) => `${name}=${place[axis]!.text}`).join(", ");
    const reason = failure!.message.split("\n")[0]!;
    return [`  ${wrap(where, SCREEN_WIDTH - 2, "  ")}`, `    ${wrap(reason, SCREEN_WIDTH - 4, "    ")}`];
  });
  if (failed.length > MOST_FAILURES) lines.push(`  … and ${failed.length - MOST_FAILURES} more in table.md`);
  return ["", colours.cyan("Failed"), ...lines];
}

function files({ folder, files: names, refusal }: WrittenFiles, colours: Colours): string[] {
  return [
    colours.cyan(`Files in ${folder}`),
    `  ${names.join("  ")}`,
    ...(refusal === undefined ? [] : [`  ${wrap(`no plot: ${refusal}`, SCREEN_WIDTH - 2, "  ")}`]),
  ];
}

/** The end of a file's path says more than its beginning. */
function shortenStart(text: string, width: number): string {
  return text.length <= width ? text : `…${text.slice(text.length - width + 1)}`;
}
