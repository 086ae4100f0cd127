import { expect, test } from "vitest";
import { fieldDifferences } from "./field-differences.ts";

test("documents differ field by field, in lists as a whole, and in fields that one of them lacks", () => {
  const before = { seed: 1, run: { schedule: "sequential", sizes: [1, 2] }, gpus: { 5: { speed: 1 } } };
  const after = { seed: 1, run: { schedule: "five-stage", sizes: [1, 3] }, name: "new", gpus: {} };
  expect(fieldDifferences(before, after)).toEqual([
    { path: "run.schedule", before: "sequential", after: "five-stage" },
    { path: "run.sizes", before: [1, 2], after: [1, 3] },
    { path: "gpus.5", before: { speed: 1 } },
    { path: "name", after: "new" },
  ]);
  expect(fieldDifferences(before, structuredClone(before))).toEqual([]);
});
