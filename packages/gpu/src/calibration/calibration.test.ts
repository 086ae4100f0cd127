import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { HOPPER_KERNELS, kernelCalibrationRows } from "../index.ts";
import type { CalibrationRow } from "./calibration-step.ts";
import { CALIBRATION_STEPS, constantsFile } from "./calibration-steps.ts";
import { minimise } from "./minimise.ts";
import { errorsOf, renderRows } from "./report.ts";

describe("the calibration", () => {
  const results = CALIBRATION_STEPS.map((step) => ({ name: step.name, ...step.fit() }));

  test("gives the constants that are kept (if not: npm run calibrate)", () => {
    const kept = readFileSync(new URL("constants.json", import.meta.url), "utf8");
    expect(JSON.parse(kept)).toEqual(constantsFile(results));
  });

  test("names the figures behind every constant of kernels", () => {
    const { constants, rows } = results.find(({ name }) => name === "kernels")!;
    expect(Object.keys(constants).toSorted()).toEqual(Object.keys(HOPPER_KERNELS).toSorted());
    const families = new Set(rows.filter(({ fitted }) => fitted).map(({ family }) => family));
    const named = new Set(Object.values(constants).flatMap(({ fittedTo }) => fittedTo));
    expect([...named].toSorted()).toEqual([...families].toSorted());
  });

  test("prints every figure", () => {
    const rows = kernelCalibrationRows();
    const text = renderRows(rows);
    for (const { configuration } of rows) expect(text).toContain(configuration);
  });
});

describe("the cost model beside published kernels", () => {
  const rows = kernelCalibrationRows();

  test("has a row for every figure, each with its own name", () => {
    expect(new Set(rows.map(({ id }) => id)).size).toBe(rows.length);
  });

  // What the fit reaches, rounded up: median and worst error in percent. Where the sources contradict each other, see
  // docs/adr/0015-kernel-cost-model.md.
  test.each([
    ["mla-decode", 1, 9],
    ["mla-prefill", 3, 11],
    ["grouped-decode", 9, 25],
    ["grouped-prefill", 4, 11],
    ["dense", 11, 15],
    ["deepgemm-dense", 6, 26],
    ["deepgemm-contiguous", 1, 3],
    ["deepgemm-masked", 3, 11],
    ["trace-attention", 17, 17],
    ["trace-copies", 5, 5],
    ["trace-streaming", 7, 12],
    ["trace-casts", 6, 11],
    ["trace-index", 1, 1],
    ["trace-rows", 3, 9],
    ["trace-products", 15, 29],
  ])("errs on %s by %i %% in the median and %i %% at most", (family, median, worst) => {
    const errors = errorsOf(rows.filter((row: CalibrationRow) => row.family === family));
    expect(100 * errors.median).toBeLessThan(median);
    expect(100 * errors.worst).toBeLessThan(worst);
  });
});

describe("the search", () => {
  test("finds the least of a bowl from afar", () => {
    const found = minimise(([x, y]) => (x! - 3) ** 2 + 10 * (y! - 0.5) ** 2, {
      start: [1, 1],
      iterations: 200,
    });
    expect(found[0]).toBeCloseTo(3, 6);
    expect(found[1]).toBeCloseTo(0.5, 6);
  });

  test("asks for positive points only", () => {
    const found = minimise(([x]) => x!, { start: [1], iterations: 200 });
    expect(found[0]).toBeGreaterThan(0);
  });
});
