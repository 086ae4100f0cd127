import { describe, expect, test } from "vitest";
import {
  checkedInstant,
  cos,
  exp,
  log,
  mix32,
  picoseconds,
  pow,
  RandomStream,
  sin,
  WorldError,
} from "./index.ts";

describe("transcendental functions", () => {
  test("agree with the platform's to 1e-14", () => {
    const random = new RandomStream(7, "transcendental");
    for (let i = 0; i < 20_000; i++) {
      const x = (random.uniform() - 0.5) * 200;
      expect(Math.abs(exp(x) / Math.exp(x) - 1)).toBeLessThan(1e-14);
      expect(Math.abs(sin(x) - Math.sin(x))).toBeLessThan(1e-14);
      expect(Math.abs(cos(x) - Math.cos(x))).toBeLessThan(1e-14);
      const positive = Math.exp(x);
      expect(Math.abs(log(positive) - Math.log(positive))).toBeLessThan(1e-13);
    }
    expect(pow(10_000, -0.5)).toBeCloseTo(0.01, 14);
    expect(sin(163_840)).toBeCloseTo(Math.sin(163_840), 9);
  });

  test("exp underflows to zero and overflows to infinity", () => {
    expect(exp(-800)).toBe(0);
    expect(exp(800)).toBe(Number.POSITIVE_INFINITY);
    expect(exp(0)).toBe(1);
    expect(exp(-740) / Math.exp(-740)).toBeCloseTo(1, 3);
  });
});

describe("random streams", () => {
  test("two streams of one seed differ, the same stream repeats", () => {
    const draw = (name: string): number[] => {
      const stream = new RandomStream(1, name);
      return Array.from({ length: 4 }, () => stream.uint32());
    };
    expect(draw("a")).toEqual(draw("a"));
    expect(draw("a")).not.toEqual(draw("b"));
  });

  test("uniform and normal draws have the moments of their distributions", () => {
    const stream = new RandomStream(3, "moments");
    const count = 100_000;
    let sum = 0;
    let squares = 0;
    let uniforms = 0;
    for (let i = 0; i < count; i++) {
      const value = stream.normal();
      sum += value;
      squares += value * value;
      uniforms += stream.uniform();
    }
    expect(Math.abs(sum / count)).toBeLessThan(0.02);
    expect(Math.abs(squares / count - 1)).toBeLessThan(0.02);
    expect(Math.abs(uniforms / count - 0.5)).toBeLessThan(0.005);
    expect(mix32(0)).not.toBe(mix32(1));
  });
});

describe("virtual time", () => {
  test("ends at 2^53 picoseconds with an error that says what to do", () => {
    expect(() => checkedInstant(2 ** 53)).toThrow(WorldError);
    expect(() => checkedInstant(1.5)).toThrow(/not an instant/);
    expect(picoseconds(0.1)).toBe(1);
  });
});
