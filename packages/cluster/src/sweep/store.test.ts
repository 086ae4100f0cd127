import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { WorldError } from "@windtunnel/base";
import { afterAll, expect, test } from "vitest";
import type { SweepMeasures } from "./measures.ts";
import { storedMeasures, storeMeasures, writeWhole } from "./store.ts";

const folder = mkdtempSync(path.join(tmpdir(), "windtunnel-store-"));
afterAll(() => rmSync(folder, { recursive: true }));

const MEASURES: SweepMeasures = {
  decodeStepUs: 0.1 + 0.2,
  decodeLayerUs: 1 / 3,
  decodeExposedUs: 0,
  prefillStepUs: null,
  prefillLayerUs: null,
  prefillExposedUs: null,
  timeToFirstTokenUs: null,
  timePerOutputTokenUs: 12,
  tokensPerSecondPerNode: 5e-324,
  hiddenFraction: null,
  exposedUs: 7,
  nvlinkBytes: 2 ** 53,
  rdmaBytes: 0,
  eventsDigest: "abc",
};

test("a stored point comes back bit for bit, and is known by its key alone", () => {
  storeMeasures(folder, "one", { place: "seed=1", measures: MEASURES });
  expect(storedMeasures(folder, "one")).toEqual(MEASURES);
  expect(storedMeasures(folder, "other")).toBeUndefined();
  expect(readdirSync(path.join(folder, "points"))).toEqual(["one.json"]);
});

test("a file that is cut, changed or another point's is no finished point", () => {
  storeMeasures(folder, "two", { place: "seed=2", measures: MEASURES });
  const file = path.join(folder, "points", "two.json");
  const text = readFileSync(file, "utf8");
  for (const other of [
    "",
    text.slice(0, -20),
    text.replace('"two"', '"three"'),
    text.replace("12", '"12"'),
  ]) {
    writeFileSync(file, other);
    expect(storedMeasures(folder, "two"), other).toBeUndefined();
  }
});

test("what can't be written is a disk error that names the file", () => {
  const file = path.join(folder, "points", "one.json", "below.csv");
  expect(() => writeWhole(file, "")).toThrow(WorldError);
  expect(() => writeWhole(file, "")).toThrow("below.csv can't be written");
});
