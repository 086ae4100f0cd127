// Plain tables without borders: a bold head, columns by content, numbers to the right. At most 80 columns where
// the callers keep their cells short; a long cell is cut with an ellipsis rather than wrapped.

import Table from "cli-table3";
import type { Colours } from "../screen.ts";

export type Align = "left" | "right";
export const SCREEN_WIDTH = 80;

const NO_BORDERS = {
  top: "",
  "top-mid": "",
  "top-left": "",
  "top-right": "",
  bottom: "",
  "bottom-mid": "",
  "bottom-left": "",
  "bottom-right": "",
  left: "",
  "left-mid": "",
  mid: "",
  "mid-mid": "",
  right: "",
  "right-mid": "",
  middle: "  ",
};

export interface TableContent {
  /** Missing: a table of labels and values. */
  readonly head?: readonly string[];
  readonly aligns: readonly Align[];
  readonly rows: readonly (readonly string[])[];
}

/** The table's lines, indented by two. */
export function renderTable({ head, aligns, rows }: TableContent, colours: Colours): string {
  const table = new Table({
    chars: NO_BORDERS,
    colAligns: [...aligns],
    style: { head: [], border: [], "padding-left": 0, "padding-right": 0, compact: true },
    ...(head === undefined ? {} : { head: head.map((name) => colours.bold(name)) }),
  });
  const widest = SCREEN_WIDTH - 2;
  for (const row of rows) table.push(row.map((cell) => shortenLines(cell, widest)));
  return table
    .toString()
    .split("\n")
    .map((line) => `  ${line.trimEnd()}`)
    .join("\n");
}

/** A section: its title, then its table. */
export function renderSection(title: string, content: TableContent, colours: Colours): string {
  return `${colours.cyan(title)}\n${renderTable(content, colours)}`;
}

/** Text of at most `width` characters. */
export function shorten(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, width - 1)}…`;
}

function shortenLines(text: string, width: number): string {
  return text
    .split("\n")
    .map((line) => shorten(line, width))
    .join("\n");
}

/** Breaks a paragraph into lines of at most `width` characters; later ones begin with `indent`. */
export function wrap(text: string, width: number = SCREEN_WIDTH, indent: string = ""): string {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(/\s+/)) {
    if (line !== "" && line.length + 1 + word.length > width) {
      lines.push(line);
      line = `${indent}${word}`;
    } else {
      line = line === "" ? word : `${line} ${word}`;
    }
  }
  return [...lines, line].join("\n");
}
