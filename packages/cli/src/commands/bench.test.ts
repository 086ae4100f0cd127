import pc from "picocolors";
import { describe, expect, test } from "vitest";
import { renderBenchRow, renderBenchRows, renderWork } from "./bench.ts";

const plain = pc.createColors(false);
const row = {
  name: "Small frames: threads",
  work: { frames: 4000, bytes: 542_976 },
  seconds: 0.0978,
  rates: { "frames/s": 40_910.2 },
};

describe("a benchmark's report", () => {
  test("says what was done, then how long it took, then what that makes in a second", () => {
    expect(renderBenchRow({ ...row, notes: ["median of 5"] }, plain).split("\n")).toEqual([
      "Small frames: threads",
      "  work  frames      4,000",
      "        bytes     542,976",
      "  time  seconds    0.0978",
      "  rate  frames/s   40,910",
      "  median of 5",
    ]);
  });

  test("puts rows that belong together into one table of at most 80 columns", () => {
    const large = { frames: 40_000, events: 5_120_000, bytes: 104_872_000 };
    const rates = { "frames/s": 1e6, "events/s": 23_456_789 };
    const wide = (name: string) => ({ name, work: large, seconds: 0.0123, rates });
    const noted = { ...wide("Events: threads"), notes: ["median of 5"] };
    const text = renderBenchRows([row, noted, { ...noted, name: "Events: ZeroMQ, ipc" }], plain);
    expect(text).toMatch(/^Small frames: threads\n/);
    expect(text).toMatch(/\n\nEvents\n +frames +events +bytes +seconds +frames\/s +events\/s\n/);
    expect(text).toMatch(/\n {2}ZeroMQ, ipc +40,000 +5,120,000 +104,872,000 +0\.0123 +/);
    expect(text.match(/\n {2}median of 5$/g), "what several rows note is said once").toHaveLength(1);
    expect(text.match(/median/g)).toHaveLength(1);
    expect(Math.max(...text.split("\n").map((line) => line.length))).toBeLessThanOrEqual(80);
  });
});

describe("work beside its baseline", () => {
  test("is one line where nothing changed, and a table of at most 80 columns of what did", () => {
    const none = { compared: 12, grown: [], fallen: [], unknown: [] };
    expect(renderWork(none, plain)).toBe("Work is as committed: 12 counts within 2 %");
    const grown = [
      { row: "Decode step at EP144 without math, threads:2", count: "rounds", baseline: 100, now: 150 },
    ];
    const text = renderWork({ ...none, grown, unknown: ["new"] }, plain);
    expect(text).toMatch(/Decode step at EP144 without math, threads:2: rounds +100 +150 +50\.0 %/);
    expect(text).toContain("Without a baseline: 1 rows; --write-baselines keeps them");
    expect(Math.max(...text.split("\n").map((line) => line.length))).toBeLessThanOrEqual(80);
  });
});
