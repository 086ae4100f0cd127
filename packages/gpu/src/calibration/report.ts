// The table that `npm run calibrate` prints: every figure beside ours, and what each family comes to.

import type { CalibrationRow } from "./calibration-step.ts";

export function errorOf({ ours, published }: CalibrationRow): number {
  return ours / published - 1;
}

/** Median and worst of the errors' sizes. */
export function errorsOf(rows: readonly CalibrationRow[]): {
  readonly median: number;
  readonly worst: number;
} {
  const sizes = rows.map((row) => Math.abs(errorOf(row))).toSorted((a, b) => a - b);
  const middle = (sizes.length - 1) / 2;
  return {
    median: (sizes[Math.floor(middle)]! + sizes[Math.ceil(middle)]!) / 2,
    worst: sizes.at(-1)!,
  };
}

export function renderRows(rows: readonly CalibrationRow[]): string {
  const lines: string[] = [];
  for (const [family, own] of Map.groupBy(rows, (row) => row.family)) {
    const [first] = own;
    const shown = first!.fitted ? "" : ", shown and not fitted";
    lines.push(`\n${family}: ${first!.quantity} (${first!.source}${shown})`);
    for (const row of own) {
      const numbers = [row.published.toFixed(1), row.ours.toFixed(1), percent(errorOf(row))];
      const cells = numbers.map((cell) => cell.padStart(10));
      lines.push(`  ${row.configuration.padEnd(46)}${cells.join("")}  ${row.unit}`);
    }
    const { median, worst } = errorsOf(own);
    lines.push(`  ${own.length} figures: median error ${percent(median)}, worst ${percent(worst)}`);
  }
  return lines.join("\n");
}

function percent(fraction: number): string {
  return `${(100 * fraction).toFixed(1)} %`;
}
