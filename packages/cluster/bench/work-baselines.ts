// Work that benchmarks did when somebody last looked at it: events, frames, rounds, bytes. It is counted, so it is the same
// on every machine; a run that does more of it has become slower wherever it runs.

import { readFileSync, writeFileSync } from "node:fs";
import type { BenchRow } from "./bench-row.ts";

const FILE = new URL("./baselines.json", import.meta.url);

/** Growth beyond this is an error; so much less is worth a new baseline. */
const TOLERANCE = 0.02;

/** Work by the name of its row. */
export type WorkBaselines = Readonly<Record<string, Readonly<Record<string, number>>>>;

/** A count that is not what it was. */
export interface WorkChange {
  readonly row: string;
  readonly count: string;
  readonly baseline: number;
  readonly now: number;
}

export interface WorkComparison {
  readonly compared: number;
  readonly grown: readonly WorkChange[];
  readonly fallen: readonly WorkChange[];
  /** Rows that have no baseline. */
  readonly unknown: readonly string[];
}

export function readBaselines(): WorkBaselines {
  return JSON.parse(readFileSync(FILE, "utf8")) as WorkBaselines;
}

/** Keeps the rows' work as the new baseline; rows that are not among them keep theirs. */
export function writeBaselines(rows: readonly BenchRow[]): void {
  const work = { ...readBaselines(), ...Object.fromEntries(rows.map((row) => [row.name, row.work])) };
  const sorted = Object.fromEntries(Object.entries(work).toSorted(([a], [b]) => (a < b ? -1 : 1)));
  writeFileSync(FILE, `${JSON.stringify(sorted, undefined, 2)}\n`);
}

export function compareWork(
  rows: readonly Pick<BenchRow, "name" | "work">[],
  baselines: WorkBaselines,
): WorkComparison {
  const changes = rows.flatMap(({ name, work }) =>
    Object.entries(baselines[name] ?? {}).map(([count, baseline]): WorkChange => {
      return { row: name, count, baseline, now: work[count] ?? 0 };
    }),
  );
  return {
    compared: changes.length,
    grown: changes.filter(({ baseline, now }) => now > baseline * (1 + TOLERANCE)),
    fallen: changes.filter(({ baseline, now }) => now < baseline * (1 - TOLERANCE)),
    unknown: rows.filter(({ name }) => baselines[name] === undefined).map(({ name }) => name),
  };
}
