import { expect, test } from "vitest";
import { exponential, sigmoidOf, siluOf } from "./exponential.ts";

test("the exponential is within 3e-7 of Math.exp, relative, from −87 to 88", () => {
  let largestError = 0;
  for (let i = -87 * 1024; i <= 88 * 1024; i++) {
    const x = i / 1024;
    largestError = Math.max(largestError, Math.abs(exponential(x) / Math.exp(x) - 1));
  }
  expect(largestError).toBeLessThan(3e-7);
});

test("it never falls where its argument rises by a step", () => {
  let before = 0;
  for (let i = -90 * 64; i <= 90 * 64; i++) {
    const now = exponential(i / 64);
    expect(now >= before).toBe(true);
    before = now;
  }
});

test("e^0 is exactly 1; the ends saturate to 0 and to a finite number; NaN stays", () => {
  expect(exponential(0)).toBe(1);
  expect(exponential(-0)).toBe(1);
  expect([exponential(-87.5), exponential(-Infinity)]).toEqual([0, 0]);
  expect(exponential(Infinity)).toBe(exponential(88));
  expect(Math.fround(exponential(88))).toBeLessThan(1.7e38);
  expect(exponential(Number.NaN)).toBeNaN();
});

test("sigmoid and silu follow from it", () => {
  expect(sigmoidOf(0)).toBe(0.5);
  expect(siluOf(0)).toBe(0);
  expect(siluOf(2)).toBeCloseTo(2 / (1 + Math.exp(-2)), 6);
});
