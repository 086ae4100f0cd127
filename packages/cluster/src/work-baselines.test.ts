import { expect, test } from "vitest";
import { compareWork, readBaselines } from "../bench/work-baselines.ts";

test("work that grew by more than two in a hundred is told, and so is work that fell", () => {
  const baselines = { one: { events: 1000, frames: 100 }, two: { rounds: 50 } };
  const rows = [
    { name: "one", work: { events: 1020, frames: 103 } },
    { name: "two", work: { rounds: 48 } },
    { name: "three", work: { events: 1 } },
  ];
  expect(compareWork(rows, baselines)).toEqual({
    compared: 3,
    grown: [{ row: "one", count: "frames", baseline: 100, now: 103 }],
    fallen: [{ row: "two", count: "rounds", baseline: 50, now: 48 }],
    unknown: ["three"],
  });
});

test("the committed baselines are counts", () => {
  const baselines = readBaselines();
  expect(Object.keys(baselines).length).toBeGreaterThan(5);
  for (const [row, work] of Object.entries(baselines)) {
    for (const [count, value] of Object.entries(work)) {
      expect(Number.isSafeInteger(value) && value > 0, `${row}: ${count} is ${value}`).toBe(true);
    }
  }
});
