// The fidelity tables for people: a block for each part, its rows in columns, then its command and its notes. At most 100
// columns; what is longer wraps under its own beginning.

import {
  type ComputedPart,
  errorText,
  type FidelityRow,
  type FidelityTables,
  NOT_YET_PREDICTED,
  oursText,
  publishedText,
  summaryLines,
} from "@windtunnel/fidelity";
import type { Colours } from "../screen.ts";

const WIDTH = 100;
const COLUMNS = { published: 15, ours: 15, error: 16 } as const;
const INDENT = "  ";
const QUANTITY_WIDTH = WIDTH - INDENT.length - COLUMNS.published - COLUMNS.ours - COLUMNS.error;

const TITLES = {
  calibration: "Calibration: constants are fitted to these figures",
  identity: "Identity: arithmetic, to the printed digits",
  prediction: "Prediction: nothing is fitted to these figures",
} as const;

export function renderFidelity({ tables, summary }: FidelityTables, colours: Colours): string {
  const blocks = (Object.keys(TITLES) as (keyof typeof TITLES)[]).flatMap((table) => {
    const parts = tables[table];
    if (parts.length === 0) return [];
    return [
      `${colours.cyan(TITLES[table])}\n${headLine(colours)}`,
      ...parts.map((part) => renderPart(part, colours)),
    ];
  });
  if (summary === null) return blocks.join("\n\n");
  const later = NOT_YET_PREDICTED.map(({ id, quantity }) => `${INDENT}${id.padEnd(5)}${quantity}`);
  const lines = summaryLines(summary).map((line) => wrapped(line, ""));
  return [
    ...blocks,
    [colours.cyan("Summary of predictions"), ...lines].join("\n"),
    [
      colours.cyan("Not yet predicted: these need traffic that comes and goes, and caches of prefixes"),
      ...later,
    ].join("\n"),
  ].join("\n\n");
}

function headLine(colours: Colours): string {
  const cells = [
    " ".repeat(QUANTITY_WIDTH),
    "published".padStart(COLUMNS.published),
    "ours".padStart(COLUMNS.ours),
    "error".padStart(COLUMNS.error),
  ];
  return colours.bold(INDENT + cells.join(""));
}

function renderPart({ id, title, command, rows }: ComputedPart, colours: Colours): string {
  const notes = [
    ...Map.groupBy(
      rows.filter(({ note }) => note !== undefined),
      ({ note }) => note!,
    ),
  ];
  return [
    colours.bold(wrapped(`${id}  ${title}`, "")),
    ...rows.flatMap(rowLines),
    colours.dim(wrapped(`$ ${command}`, INDENT, "    ")),
    ...notes.map(([note, noted]) => {
      const whose = noted.length === rows.length ? "" : `${noted.map(shortName).join(", ")}: `;
      return wrapped(`${whose}${note}`, INDENT);
    }),
  ].join("\n");
}

/** "combine" of "combine, low latency, EP8". */
function shortName({ quantity }: FidelityRow): string {
  return quantity.split(",")[0]!;
}

function rowLines(row: FidelityRow): string[] {
  const [published, ours, error] = [publishedText(row), oursText(row), errorText(row)];
  const isWide = published.length >= COLUMNS.published || ours.length >= COLUMNS.ours;
  const quantity = wrapped(row.quantity, INDENT, INDENT + INDENT, QUANTITY_WIDTH + INDENT.length).split("\n");
  const last = quantity.pop()!;
  if (isWide) {
    return [
      ...quantity,
      `${last.padEnd(WIDTH - COLUMNS.error)}${error.padStart(COLUMNS.error)}`,
      wrapped(`published  ${published}`, "    "),
      wrapped(`ours       ${ours}`, "    "),
    ];
  }
  const cells = [
    published.padStart(COLUMNS.published),
    ours.padStart(COLUMNS.ours),
    error.padStart(COLUMNS.error),
  ];
  return [...quantity, last.padEnd(QUANTITY_WIDTH + INDENT.length) + cells.join("")];
}

/** Lines of at most `width` characters; all but the first begin with `hanging`. */
function wrapped(text: string, indent: string, hanging: string = indent, width: number = WIDTH): string {
  const lines: string[] = [];
  let line = indent;
  let isEmpty = true;
  for (const word of text.split(" ")) {
    if (!isEmpty && line.length + 1 + word.length > width) {
      lines.push(line);
      line = hanging + word;
    } else {
      line = isEmpty ? line + word : `${line} ${word}`;
    }
    isEmpty = false;
  }
  return [...lines, line].join("\n");
}
