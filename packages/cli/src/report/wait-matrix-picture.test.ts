import pc from "picocolors";
import { expect, test } from "vitest";
import { renderWaitMatrix } from "./wait-matrix-picture.ts";

const colours = pc.createColors(false);

/** Waits of 10 µs, of 100 µs for the rank `slow`, and none for oneself. */
function content(size: number, slow: number): { ranks: number[]; matrix: Float64Array } {
  const ranks = Array.from({ length: size }, (_, rank) => rank);
  const matrix = new Float64Array(size * size);
  for (const receiver of ranks) {
    for (const source of ranks) {
      if (receiver !== source) matrix[receiver * size + source] = source === slow ? 100 : 10;
    }
  }
  return { ranks, matrix };
}

test("a slow source is a column, with its number under it", () => {
  const names = ["node 0 · GPU 0", "node 0 · GPU 1", "node 1 · GPU 0"];
  expect(renderWaitMatrix({ ...content(3, 1), names }, { width: 80, colours }).split("\n")).toEqual([
    "Arrivals after the receiver's own send, hidden or not (row: receiver, column:",
    "source)",
    "     0   1   2",
    "    ┌────────────┐",
    "  0 │  · ███9   0│",
    "  1 │   0  ·    0│",
    "  2 │   0███9  · │",
    "    └────────────┘",
    "  10.0 µs  0 1░2░3▒4▒5▓6▓7█8█9 100 µs   · none",
    // (2 x 100 + 4 x 10) / 6
    "  mean of all 40.0 µs; the largest",
    "  column  from rank 1 (node 0 · GPU 1): 100 µs, 2.50 × the mean",
    "  row     at rank 0 (node 0 · GPU 0): 55.0 µs, 1.38 × the mean",
    "  point   at rank 0 from rank 1: 100 µs, 2.50 × the mean",
  ]);
});

test.each([
  [16, 60, 1],
  [40, 60, 1],
  [64, 80, 2],
  [320, 80, 8],
  [320, 200, 8],
])("%i ranks in %i columns are binned by %i, and the picture says so", (size, width, bin) => {
  const text = renderWaitMatrix(content(size, 5), { width, colours });
  const rows = text.split("\n").filter((line) => line.includes("│"));
  expect(rows).toHaveLength(size / bin);
  expect(text.split("\n").filter((line) => line.length > width)).toEqual([]);
  expect(text.includes(`A cell is the mean of ${bin} × ${bin} ranks.`)).toBe(bin > 1);
  // The column stands out whatever the bin.
  const column = Math.floor(5 / bin);
  for (const row of rows.slice(column + 1)) expect(row.split("│")[1]).toMatch(/9/);
  expect(text).toContain("column  from rank 5: 100 µs");
});

test("equal waits and none at all are drawn too", () => {
  const equal = { ranks: [0, 1], matrix: [0, 7, 7, 0] };
  expect(renderWaitMatrix(equal, { colours })).toContain("  0 │  ·    0│");
  const none = renderWaitMatrix({ ranks: [0, 1], matrix: [0, 0, 0, 0] }, { colours });
  expect(none).toContain("No message arrived after its receiver's own send.");
});

test("colours change no character but the shades", () => {
  const coloured = renderWaitMatrix(content(3, 1), { width: 80, colours: pc.createColors(true) });
  expect(coloured).toContain("\u001B[38;5;16;48;5;226m  9 \u001B[0m");
  expect(coloured).not.toContain("█");
});
