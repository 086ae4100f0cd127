import { expect, test } from "vitest";
import { formatChange, isNoise } from "./diff-steps-report.ts";

test.each([
  // Half a nanosecond: noise in a microsecond, a change in ten nanoseconds.
  [0.0005, 1, "·"],
  [-0.0005, 0.01, "-500 ps"],
  // A nanosecond and more is shown, whatever it is part of.
  [0.001, 1e6, "+1.00 ns"],
  [-45.6, 100, "-45.6 µs"],
  [0, 0, "·"],
])("a change of %d µs in %d µs is shown as %s", (us, of, text) => {
  expect(formatChange(us, of)).toBe(text);
  expect(isNoise(us, of)).toBe(text === "·");
});
