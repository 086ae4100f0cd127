// All of the fidelity tables, which take a while; and whether the fit of the all-to-alls is one.

import { readFileSync } from "node:fs";
import {
  computeFidelity,
  currentConstants,
  EXCHANGE_CONSTANTS,
  ExchangeTrials,
  fidelityParts,
  type FidelityTables,
  MOST,
  NOISE_FLOOR,
  renderFidelityDocument,
} from "@windtunnel/fidelity";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

describe("the fidelity tables", () => {
  let computed: FidelityTables;
  beforeAll(async () => {
    computed = await computeFidelity();
  }, 900_000);

  test("are docs/fidelity.md (if not: windtunnel validate --write docs/fidelity.md)", () => {
    const page = readFileSync(new URL("../docs/fidelity.md", import.meta.url), "utf8");
    expect(renderFidelityDocument(computed)).toBe(page);
  });

  test("predict dispatch and combine within 6 % at the median and 15 % at worst", () => {
    const { dispatch, combine, together } = computed.summary!;
    for (const { rows, median, worst } of [dispatch, combine, together]) {
      expect(rows).toBeGreaterThanOrEqual(12);
      expect(median).toBeLessThan(0.06);
      expect(worst).toBeLessThan(0.15);
    }
  });

  test("predict layers and steps within 10 % at the median and 15 % at worst", () => {
    const { rows, median, worst } = computed.summary!.steps;
    expect(rows).toBe(12);
    expect(median).toBeLessThan(0.1);
    expect(worst).toBeLessThan(0.15);
  });

  test("find the batch from which on overlapping pays where it was published", () => {
    const [row] = computed.tables.prediction.find(({ id }) => id === "break-even")!.rows;
    expect(row!.error).toBe(0);
  });

  test("err less than the closed-form predictor on low latency over EP16 to EP256: 15.8 % and 24.4 % on average", () => {
    const rows = computed.tables.prediction
      .flatMap((part) => part.rows)
      .filter(({ quantity }) => /low latency, EP(?:16|32|64|128|256)\b/.test(quantity));
    const mean = (phase: string): number => {
      const errors = rows
        .filter(({ quantity }) => quantity.startsWith(phase))
        .map(({ error }) => Math.abs(error!));
      expect(errors.length).toBeGreaterThanOrEqual(3);
      return errors.reduce((sum, error) => sum + error, 0) / errors.length;
    };
    expect(mean("dispatch")).toBeLessThan(0.158);
    expect(mean("combine")).toBeLessThan(0.244);
  });

  test("say why where a prediction errs beyond the noise", () => {
    const rows = computed.tables.prediction.flatMap((part) => part.rows);
    const silent = rows.filter(({ error, note }) => Math.abs(error!) > NOISE_FLOOR[1] && note === undefined);
    expect(silent.map(({ quantity }) => quantity)).toEqual([]);
  });

  test("have every part in its table", () => {
    const { calibration, identity, prediction } = computed.tables;
    expect([...calibration, ...identity, ...prediction].map(({ id }) => id)).toEqual(
      fidelityParts().map(({ id }) => id),
    );
  });
});

describe("the fit of dispatch and combine (if not: npm run calibrate)", () => {
  const trials = new ExchangeTrials();
  afterAll(() => trials.end());
  const constants = currentConstants();

  test("meets its eight figures within the noise", () => {
    const { figures } = trials.at(constants);
    expect(figures).toHaveLength(8);
    for (const { id, published, ours } of figures) {
      expect(Math.abs(ours / published - 1), id).toBeLessThan(NOISE_FLOOR[0]);
    }
  });

  test.each(EXCHANGE_CONSTANTS)("gains nothing by a fiftieth more or less of %s", (name) => {
    const { loss } = trials.at(constants);
    for (const factor of [0.98, 1.02]) {
      const value = constants[name] * factor;
      if (value > (MOST[name] ?? Number.POSITIVE_INFINITY)) continue;
      expect(trials.at({ ...constants, [name]: value }).loss, `${name} ${value}`).toBeGreaterThan(loss);
    }
  });

  test.each(EXCHANGE_CONSTANTS)("moves by %s the figures that name it, and no others", (name) => {
    const file = new URL("../packages/gpu/src/calibration/exchange-constants.json", import.meta.url);
    const kept = JSON.parse(readFileSync(file, "utf8")) as {
      readonly exchanges: Readonly<Record<string, { readonly fittedTo: readonly string[] }>>;
    };
    const before = trials.at(constants).figures;
    // Nothing is taken from runs that are known already.
    const fresh = new ExchangeTrials({ remembers: false });
    const after = fresh.at({ ...constants, [name]: constants[name] * 0.9 }).figures;
    fresh.end();
    const moved = before.filter(({ ours }, index) => after[index]!.ours !== ours).map(({ id }) => id);
    expect(moved).toEqual(kept.exchanges[name]!.fittedTo);
  });
});
