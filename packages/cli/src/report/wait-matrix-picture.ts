// How long after a receiver's own send messages arrive, as a heat map in the terminal: a row for each receiver, a column for
// each source. A slow source is a column, an early or a slow receiver a row, a slow path a point. It does not know what was
// hidden under computing. Readable without colours: each cell has a digit from 0, the shortest time, to 9, the longest, and
// a shade where there is room.

import type { Colours } from "../screen.ts";
import { type CellColour, paint, paintCells } from "./cell-colours.ts";
import { formatMicroseconds } from "./format.ts";
import { wrap } from "./table.ts";

const DEFAULT_WIDTH = 80;
const NARROWEST = 40;
const MOST_ROWS = 40;
const WIDEST_CELL = 4;
const TITLE = "Arrivals after the receiver's own send, hidden or not (row: receiver, column: source)";

export interface WaitMatrixContent {
  readonly ranks: readonly number[];
  /** [receiver, source], row by row, in microseconds; 0 where no message arrived later. */
  readonly matrix: ArrayLike<number>;
  /** Of the ranks, such as `node 0 · GPU 5`. */
  readonly names?: readonly string[];
}

export interface WaitMatrixLooks {
  /** In characters. */
  readonly width?: number;
  readonly colours: Colours;
}

/** A map of at most `width` characters, and lines of numbers under it. */
export function renderWaitMatrix(
  content: WaitMatrixContent,
  { width = DEFAULT_WIDTH, colours }: WaitMatrixLooks,
): string {
  const columns = Math.max(NARROWEST, Math.floor(width));
  const title = colours.cyan(wrap(TITLE, columns));
  if (!Array.from(content.matrix).some((wait) => wait > 0)) {
    return `${title}\n  No message arrived after its receiver's own send.`;
  }
  const heat = layOut(content, columns);
  return [
    title,
    ...columnLabels(heat),
    ...heat.cells.map((row, index) => drawRow(heat, row, index, colours)),
    `${" ".repeat(heat.margin)}└${"─".repeat(heat.cells.length * heat.cellWidth)}┘`,
    scaleLine(heat, colours),
    ...(heat.bin > 1 ? [`  A cell is the mean of ${heat.bin} × ${heat.bin} ranks.`] : []),
    ...largest(content, columns),
  ].join("\n");
}

interface HeatMap {
  readonly ranks: readonly number[];
  /** Ranks of a row and of a column: a power of two, so that the GPUs of a node stay together. */
  readonly bin: number;
  /** Characters of a cell, and of what stands left of a row. */
  readonly cellWidth: number;
  readonly margin: number;
  /** [receiver, source], in microseconds; undefined where nothing arrived later. */
  readonly cells: readonly (readonly (number | undefined)[])[];
  readonly least: number;
  readonly most: number;
}

function layOut({ ranks, matrix }: WaitMatrixContent, width: number): HeatMap {
  const longest = String(Math.max(...ranks)).length;
  let bin = 1;
  const marginOf = (): number => 3 + (bin === 1 ? longest : 2 * longest + 1);
  const room = (): number => width - marginOf() - 2;
  while (Math.ceil(ranks.length / bin) > Math.min(room(), MOST_ROWS)) bin *= 2;
  const size = Math.ceil(ranks.length / bin);
  const cells = Array.from({ length: size }, (_, row) =>
    Array.from({ length: size }, (__, column) => binnedMean(matrix, ranks.length, { row, column, bin })),
  );
  const known = cells.flat().filter((cell) => cell !== undefined);
  return {
    ranks,
    bin,
    cellWidth: Math.max(1, Math.min(WIDEST_CELL, Math.floor(room() / size))),
    margin: marginOf(),
    cells,
    least: known.reduce((least, cell) => Math.min(least, cell), Infinity),
    most: known.reduce((most, cell) => Math.max(most, cell), 0),
  };
}

function binnedMean(
  matrix: ArrayLike<number>,
  ranks: number,
  { row, column, bin }: { readonly row: number; readonly column: number; readonly bin: number },
): number | undefined {
  let sum = 0;
  let count = 0;
  for (let receiver = row * bin; receiver < Math.min(ranks, (row + 1) * bin); receiver++) {
    for (let source = column * bin; source < Math.min(ranks, (column + 1) * bin); source++) {
      const wait = matrix[receiver * ranks + source]!;
      if (wait <= 0) continue;
      sum += wait;
      count += 1;
    }
  }
  return count === 0 ? undefined : sum / count;
}

/** A number above every column that has room for one. */
function columnLabels({ ranks, bin, cells, cellWidth, margin }: HeatMap): string[] {
  const longest = String(ranks.at(-1)).length;
  const every = Math.ceil((longest + 1) / cellWidth);
  const step = every <= 2 ? every : every <= 4 ? 4 : 8;
  let line = " ".repeat(margin + 1);
  for (let column = 0; column < cells.length; column += step) {
    line += String(ranks[column * bin]).padEnd(step * cellWidth);
  }
  return [line.trimEnd(), `${" ".repeat(margin)}┌${"─".repeat(cells.length * cellWidth)}┐`];
}

function drawRow(
  heat: HeatMap,
  row: readonly (number | undefined)[],
  index: number,
  colours: Colours,
): string {
  const { ranks, bin, margin, cellWidth } = heat;
  const first = ranks[index * bin]!;
  const last = ranks[Math.min(ranks.length, (index + 1) * bin) - 1]!;
  const label = (first === last ? String(first) : `${first}-${last}`).padStart(margin - 1);
  const cells = row.map((wait) => {
    if (wait === undefined) return { text: centred(NOBODY, cellWidth), colour: undefined };
    const level = levelOf(wait, heat);
    return { text: cellText(level, cellWidth, colours), colour: RAMP[level] };
  });
  return `${label} │${paintCells(cells, colours)}│`;
}

const LEVELS = 10;
const NOBODY = "·";
const SHADES = [" ", "░", "▒", "▓", "█"];
/** From dark blue over red to yellow; text is white on dark and black on light ones. */
const RAMP: readonly CellColour[] = [
  { background: 17, foreground: 231 },
  { background: 18, foreground: 231 },
  { background: 54, foreground: 231 },
  { background: 90, foreground: 231 },
  { background: 126, foreground: 231 },
  { background: 161, foreground: 231 },
  { background: 196, foreground: 231 },
  { background: 202, foreground: 16 },
  { background: 214, foreground: 16 },
  { background: 226, foreground: 16 },
];

/** Equal waits are short ones. */
function levelOf(wait: number, { least, most }: HeatMap): number {
  if (most <= least) return 0;
  return Math.min(LEVELS - 1, Math.floor((LEVELS * (wait - least)) / (most - least)));
}

/** `▒4`, in a cell of one character the digit alone; where colours shade it, the digit in its middle. */
function cellText(level: number, width: number, colours: Colours): string {
  if (colours.isColorSupported) return centred(String(level), width);
  const shade = SHADES[Math.floor(level / 2)]!;
  return `${shade.repeat(width - 1)}${level}`;
}

function scaleLine({ least, most }: HeatMap, colours: Colours): string {
  const levels = RAMP.map((colour, level) => paint(cellText(level, 2, colours), colour, colours));
  return `  ${formatMicroseconds(least)} ${levels.join("")} ${formatMicroseconds(most)}   ${NOBODY} none`;
}

function centred(text: string, width: number): string {
  return text.padStart(Math.ceil((width + text.length) / 2)).padEnd(width);
}

interface Mean {
  sum: number;
  count: number;
}

/** The largest column, row and point; ranks with their names where a line has room. */
function largest({ ranks, matrix, names }: WaitMatrixContent, columns: number): string[] {
  const noMeans = (): Mean[] => ranks.map(() => ({ sum: 0, count: 0 }));
  const [rows, columnMeans] = [noMeans(), noMeans()];
  const all: Mean = { sum: 0, count: 0 };
  let point = { receiver: 0, source: 0, wait: 0 };
  for (let receiver = 0; receiver < ranks.length; receiver++) {
    for (let source = 0; source < ranks.length; source++) {
      const wait = matrix[receiver * ranks.length + source]!;
      if (wait <= 0) continue;
      for (const mean of [rows[receiver]!, columnMeans[source]!, all]) {
        mean.sum += wait;
        mean.count += 1;
      }
      if (wait > point.wait) point = { receiver, source, wait };
    }
  }
  const overall = meanOf(all);
  const withName = (index: number): string =>
    `rank ${ranks[index]}${names?.[index] === undefined ? "" : ` (${names[index]})`}`;
  const line = (
    label: string,
    wait: number,
    textOf: (nameOf: (index: number) => string) => string,
  ): string => {
    const texts = [withName, (index: number) => `rank ${ranks[index]}`].map(
      (nameOf) =>
        `  ${label.padEnd(7)} ${textOf(nameOf)}: ${formatMicroseconds(wait)}, ${(wait / overall).toFixed(2)} × the mean`,
    );
    return texts.find((text) => text.length <= columns) ?? texts.at(-1)!;
  };
  const [row, column] = [indexOfLargest(rows), indexOfLargest(columnMeans)];
  return [
    `  mean of all ${formatMicroseconds(overall)}; the largest`,
    line("column", meanOf(columnMeans[column]!), (nameOf) => `from ${nameOf(column)}`),
    line("row", meanOf(rows[row]!), (nameOf) => `at ${nameOf(row)}`),
    line("point", point.wait, (nameOf) => `at ${nameOf(point.receiver)} from ${nameOf(point.source)}`),
  ];
}

function meanOf({ sum, count }: Mean): number {
  return count === 0 ? 0 : sum / count;
}

function indexOfLargest(means: readonly Mean[]): number {
  let index = 0;
  for (const [at, mean] of means.entries()) if (meanOf(mean) > meanOf(means[index]!)) index = at;
  return index;
}
