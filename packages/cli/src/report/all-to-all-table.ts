// Several all-to-alls in a table: a row for each, what was swept first. Columns that do not fit are left out from the right.

import type { AllToAllResult, PhaseResult } from "@windtunnel/cluster";
import type { Colours } from "../screen.ts";
import { describeOptions } from "./all-to-all-description.ts";
import { explainBandwidth, explainSpines } from "./all-to-all-report.ts";
import { formatBytes, formatMicroseconds, significant } from "./format.ts";
import { renderSection, SCREEN_WIDTH, shorten, wrap } from "./table.ts";

export interface SweptResult {
  /** Values of the swept options. */
  readonly place: readonly string[];
  readonly result: AllToAllResult;
}

interface Column {
  readonly head: string;
  readonly align: "left" | "right";
  readonly cells: readonly string[];
}

const WIDEST_VALUE = 20;
/** Between columns, and before the first. */
const GAP = 2;

/** `axes`: names of the swept options, as they are typed. */
export function renderAllToAlls(
  axes: readonly string[],
  swept: readonly SweptResult[],
  colours: Colours,
): string {
  const results = swept.map(({ result }) => result);
  const columns = [
    ...axes.map((name, axis) =>
      sweptColumn(
        name,
        swept.map(({ place }) => place[axis]!),
      ),
    ),
    ...measured(results),
  ];
  const shown = fitting(columns);
  const left = columns.slice(shown.length).map(({ head }) => head);
  const notes = [
    "Times are means over ranks.",
    ...(left.length === 0 ? [] : [`Left out here, in --json: ${left.join(", ")}.`]),
    ...explainSpines(results),
  ];
  return [
    renderSection(
      `${results.length} all-to-alls by ${listed(axes)}`,
      describeOptions(results, axes),
      colours,
    ),
    renderSection(
      "Dispatch, then combine",
      {
        head: shown.map(({ head }) => head),
        aligns: shown.map(({ align }) => align),
        rows: swept.map((_, row) => shown.map(({ cells }) => cells[row]!)),
      },
      colours,
    ),
    `${explainBandwidth(results)}\n${wrap(notes.join(" "))}`,
  ].join("\n\n");
}

function listed(names: readonly string[]): string {
  return names.length === 1 ? names[0]! : `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
}

function sweptColumn(head: string, values: readonly string[]): Column {
  const isNumeric = values.every((value) => /^[\d.,]+$/.test(value));
  return {
    head,
    align: isNumeric ? "right" : "left",
    cells: values.map((value) => shorten(value, WIDEST_VALUE)),
  };
}

function measured(results: readonly AllToAllResult[]): Column[] {
  const column = (head: string, cellOf: (result: AllToAllResult) => string): Column => ({
    head,
    align: "right",
    cells: results.map(cellOf),
  });
  const both = (of: (phase: PhaseResult) => number): ((result: AllToAllResult) => string) => {
    return ({ dispatch, combine }) => formatBytes(of(dispatch) + of(combine));
  };
  const queue = ({ loads }: AllToAllResult): number =>
    loads.reduce((most, { peakQueueBytes }) => Math.max(most, peakQueueBytes), 0);
  return [
    column("dispatch", ({ dispatch }) => formatMicroseconds(dispatch.us)),
    column("GB/s", ({ dispatch }) => significant(dispatch.logicalGBps)),
    column("combine", ({ combine }) => formatMicroseconds(combine.us)),
    column("GB/s", ({ combine }) => significant(combine.logicalGBps)),
    column(
      "NVLink",
      both(({ nvlinkBytes }) => nvlinkBytes),
    ),
    column(
      "network",
      both(({ rdmaBytes }) => rdmaBytes),
    ),
    column("dispatch max", ({ dispatch }) => formatMicroseconds(dispatch.maxUs)),
    column("combine max", ({ combine }) => formatMicroseconds(combine.maxUs)),
    column("peak queue", (result) => formatBytes(queue(result))),
  ];
}

function fitting(columns: readonly Column[]): Column[] {
  let width = 0;
  const shown: Column[] = [];
  for (const column of columns) {
    width += GAP + Math.max(column.head.length, ...column.cells.map(({ length }) => length));
    if (width > SCREEN_WIDTH) break;
    shown.push(column);
  }
  return shown;
}
