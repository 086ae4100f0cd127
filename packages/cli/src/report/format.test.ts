import { describe, expect, test } from "vitest";
import * as format from "./format.ts";

describe("numbers for people", () => {
  test("have three significant digits and a fitting unit", () => {
    const { formatMicroseconds, formatBytes, formatMagnitude } = format;
    expect([0, 0.25, 1, 12.345, 999.4, 1500, 2.5e6].map(formatMicroseconds)).toEqual([
      "0 µs",
      "250 ns",
      "1.00 µs",
      "12.3 µs",
      "999 µs",
      "1.50 ms",
      "2.50 s",
    ]);
    expect([0, 999, 1500, 999_600, 4.2e9].map(formatBytes)).toEqual([
      "0 B",
      "999 B",
      "1.50 kB",
      "1.00 MB",
      "4.20 GB",
    ]);
    expect([12, 1500, 181e6, 671e9].map(formatMagnitude)).toEqual(["12", "1.50 k", "181 M", "671 B"]);
  });

  test("group thousands and name ranges", () => {
    expect([0, 999, 1000, 1_234_567].map(format.formatCount)).toEqual(["0", "999", "1,000", "1,234,567"]);
    expect([16, 1.5, 20_000.4].map(format.formatNumber)).toEqual(["16", "1.50", "20,000"]);
    expect(format.formatRanges([0, 1, 2, 5, 7, 8])).toBe("0-2, 5, 7-8");
    expect(format.formatRanges([])).toBe("–");
    expect([null, 0.8734].map(format.formatFraction)).toEqual(["–", "87.3 %"]);
  });
});
