import { expect, test } from "vitest";
import { coveredParts, fillRow, type Mark } from "./timeline-cells.ts";

const GRID = { start: 100, end: 140, cells: 4 };

function shown(marks: readonly Mark[]): string {
  return fillRow(marks, GRID)
    .cells.map((cell) => (cell === undefined ? "." : cell.mark.key))
    .join("");
}

test("a cell shows what covers most of it, and the first of equals", () => {
  // Cells of 10: a covers 6 of the first, b 4 of it and 5 of the second, c the other 5.
  const marks = [
    { key: "a", start: 90, end: 106 },
    { key: "b", start: 106, end: 115 },
    { key: "c", start: 115, end: 121 },
  ];
  expect(shown(marks)).toBe("abc.");
});

test("marks of one key count together, and what no cell shows is named", () => {
  const marks = [
    { key: "a", start: 100, end: 104 },
    { key: "b", start: 104, end: 106 },
    { key: "a", start: 106, end: 107 },
    { key: "c", start: 120, end: 120 },
  ];
  expect(shown(marks)).toBe("a...");
  expect(fillRow(marks, GRID).unseen.map(({ key }) => key)).toEqual(["b", "c"]);
});

test("runs of equal cells are numbered", () => {
  const { cells } = fillRow([{ key: "a", start: 110, end: 140 }], GRID);
  expect(cells.map((cell) => cell && [cell.index, cell.length])).toEqual([undefined, [0, 3], [1, 3], [2, 3]]);
});

test("covered parts are those of each cell", () => {
  const stretches = [
    { start: 95, end: 105 },
    { start: 108, end: 120 },
  ];
  expect(coveredParts(stretches, GRID)).toEqual([0.7, 1, 0, 0]);
});
