// A layer of a step as a picture in the terminal: for each rank a row per stream in use, and a row for what is in flight
// to it, of each micro-batch. Readable without colours: letters say what runs, the number behind them the micro-batch.

import { computes, intersectionOf, lengthOf, type Recording, unionOf } from "@windtunnel/trace";
import type { Colours } from "../screen.ts";
import { paint, paintCells } from "./cell-colours.ts";
import { formatBytes, formatCount, formatMicroseconds } from "./format.ts";
import { type CellGrid, cellTime } from "./timeline-cells.ts";
import { EXPOSED, FULL, LIGHT, type Row, rowsOf } from "./timeline-rows.ts";
import {
  type RankTimeline,
  readTimeline,
  type TimelineOptions,
  type TimelineWindow,
} from "./timeline-window.ts";

const DEFAULT_WIDTH = 80;
const NARROWEST = 40;
const LABEL_WIDTH = 16;
const EDGES = 2;

/** What letters mean, shown where the picture has one of them. */
const LEGEND: readonly (readonly [string, string])[] = [
  ["E", "embedding"],
  ["P", "projections"],
  ["A", "attention"],
  ["G", "gate"],
  ["L", "dense layer"],
  ["S", "shared experts"],
  ["M", "experts"],
  ["H", "head"],
  ["l", "layout"],
  ["n", "counts"],
  ["d c", "send dispatch, combine"],
  ["f F", "forward"],
  ["D C", "receive, in flight"],
  ["w", "host waits"],
];

export interface TimelineLooks {
  /** Of the picture, in characters. */
  readonly width?: number;
  readonly colours: Colours;
}

/** Lines of at most `width` characters, for a screen of 24 lines where two ranks have no more than four streams. */
export function renderTimeline(
  recording: Recording,
  { width = DEFAULT_WIDTH, colours, ...options }: TimelineLooks & TimelineOptions,
): string {
  return drawTimeline(readTimeline(recording, options), { width, colours });
}

function drawTimeline(window: TimelineWindow, { width = DEFAULT_WIDTH, colours }: TimelineLooks): string {
  const columns = Math.max(NARROWEST, Math.floor(width));
  const grid: CellGrid = {
    start: window.start,
    end: Math.max(window.end, window.start + 1),
    cells: columns - LABEL_WIDTH - EDGES,
  };
  const microBatches = new Set(
    window.ranks.flatMap(({ spans }) => spans.map(({ microBatch }) => microBatch)),
  );
  microBatches.delete(-1);
  const view = { layers: window.layers, grid, isNumbered: microBatches.size > 1 };
  const ranks = window.ranks.map((rank) => ({ rank, rows: rowsOf(rank, view) }));
  const rows = ranks.flatMap((each) => each.rows);
  return [
    colours.cyan(titleOf(window, grid, columns)),
    ...axisOf(grid),
    ...ranks.flatMap((each) => [
      colours.bold(rankLine(each.rank, window, columns)),
      ...each.rows.map(({ label, cells }) => {
        return `  ${label.padEnd(LABEL_WIDTH - 2)}│${paintCells(cells, colours)}│`;
      }),
    ]),
    ...legendOf(rows, columns, view.isNumbered).map((line) =>
      line.replace(FULL, paint(FULL, EXPOSED, colours)),
    ),
    ...unseenOf(rows, columns),
  ].join("\n");
}

function titleOf(
  { step, kind, layers, start, end }: TimelineWindow,
  grid: CellGrid,
  columns: number,
): string {
  const { first, last } = layers;
  const what = first === last ? `Layer ${first}` : `Layers ${first} to ${last}`;
  const title = `${what} of ${kind} step ${step}: ${formatMicroseconds((end - start) / 1e6)}`;
  const cell = `, ${formatMicroseconds(cellTime(grid) / 1e6)} a cell`;
  return title.length + cell.length <= columns ? title + cell : title;
}

/** A line of numbers, microseconds since the window began, and the line that they stand at. */
function axisOf(grid: CellGrid): string[] {
  const us = (grid.end - grid.start) / 1e6;
  const perCell = us / grid.cells;
  const tick = niceTick(perCell * 9);
  const numbers = Array.from({ length: grid.cells + EDGES }, () => " ");
  const line = Array.from({ length: grid.cells }, () => "─");
  for (let index = 0; index * tick < us; index++) {
    const cell = Math.floor((index * tick) / perCell);
    const text = tickText(index * tick);
    if (index > 0) line[cell] = "┴";
    if (cell + 1 + text.length <= numbers.length) numbers.splice(cell + 1, text.length, ...text.split(""));
  }
  const margin = " ".repeat(LABEL_WIDTH);
  return [`${"µs".padStart(LABEL_WIDTH)}${numbers.join("").trimEnd()}`, `${margin}┌${line.join("")}┐`];
}

/** 1, 2 or 5 times a power of ten, and no less than `least`. */
function niceTick(least: number): number {
  const power = 10 ** Math.floor(Math.log10(least));
  return ([1, 2, 5].find((factor) => factor * power >= least) ?? 10) * power;
}

function tickText(us: number): string {
  return us >= 1000 ? formatCount(us) : String(Number(us.toPrecision(3)));
}

/** Who it is, what it did in the window, and what was in flight to it, also of other layers: as much as a line holds. */
function rankLine(
  { gpu, why, spans, messages }: RankTimeline,
  window: TimelineWindow,
  columns: number,
): string {
  const { start, end } = window;
  const clipped = (pairs: readonly number[]): readonly number[] =>
    intersectionOf(unionOf(pairs), [start, end]);
  const computing = clipped(spans.filter(computes).flatMap((span) => [span.start, span.end]));
  const flight = clipped(messages.flatMap((message) => [message.sentAt, message.arrivedAt]));
  const [inFlight, hidden] = [lengthOf(flight), lengthOf(intersectionOf(flight, computing))];
  const percent = (part: number): string => `${Math.round(100 * part)} %`;
  const bytes = formatBytes(messages.reduce((sum, message) => sum + message.bytes, 0));
  const during = `${percent(lengthOf(computing) / (end - start))} computing`;
  const flying = inFlight === 0 ? "nothing in flight" : `${percent(hidden / inFlight)} hidden`;
  const rank = `rank ${gpu.rank}`;
  const chosen = why === "" ? rank : `${rank}, ${why}`;
  const time = formatMicroseconds(inFlight / 1e6);
  const lines =
    inFlight === 0
      ? [`${chosen}, ${gpu.name}: ${during}; ${flying}`, `${chosen}: ${during}; ${flying}`]
      : [
          `${chosen}, ${gpu.name}, in this window: ${during}; ${bytes} in flight for ${time}, ${flying}`,
          `${chosen}, in this window: ${during}; ${bytes} in flight for ${time}, ${flying}`,
          `${chosen}, in this window: ${during}; ${bytes} in flight, ${flying}`,
          `${chosen}, in this window: ${during}; in flight ${flying}`,
          `${chosen}: ${during}; in flight ${flying}`,
        ];
  return lines.find((line) => line.length <= columns) ?? `${rank}: ${during}`;
}

/** Only what the picture shows. */
function legendOf(rows: readonly Row[], columns: number, isNumbered: boolean): string[] {
  const shown = rows.flatMap((row) => row.shown);
  const letters = new Set(shown.map(({ letter }) => letter));
  const text = rows.flatMap(({ cells }) => cells.map((cell) => cell.text)).join("");
  const items = LEGEND.filter(([pair]) => pair.split(" ").some((letter) => letters.has(letter)));
  const more = [
    ...(isNumbered ? ["A1 of micro-batch 1"] : []),
    ...(shown.some(({ isOwn }) => !isOwn) ? ["A-- of another layer"] : []),
    ...(text.includes(LIGHT) ? [`${LIGHT} hidden under computing`] : []),
    ...(text.includes(FULL) ? [`${FULL} exposed`] : []),
  ];
  return itemsInLines([...items.map((item) => item.join(" ")), ...more], columns - 2).map(
    (line) => `  ${line}`,
  );
}

function itemsInLines(items: readonly string[], width: number, gap: string = "  "): string[] {
  const lines: string[] = [];
  for (const item of items) {
    const last = lines.at(-1);
    if (last === undefined || last.length + gap.length + item.length > width) lines.push(item);
    else lines[lines.length - 1] = `${last}${gap}${item}`;
  }
  return lines;
}

function unseenOf(rows: readonly Row[], columns: number): string[] {
  const counts = new Map<string, number>();
  for (const { name } of rows.flatMap((row) => row.unseen)) counts.set(name, (counts.get(name) ?? 0) + 1);
  if (counts.size === 0) return [];
  const names = [...counts].map(([name, count]) => (count === 1 ? name : `${count} ${name}`));
  const items = names.map((name, index) => `${name}${index === names.length - 1 ? "" : ","}`);
  return itemsInLines(["too short to see:", ...items], columns - 2, " ").map((line) => `  ${line}`);
}
