import { describe, expect, test } from "vitest";
import { exchangeCommand } from "./measured-exchange.ts";
import { computeFidelity, fidelityData, fidelityParts, renderFidelityDocument } from "./index.ts";
import { summarizePredictions } from "./prediction-parts.ts";
import { CALIBRATION_EXCHANGES, PREDICTION_EXCHANGES } from "./published-exchanges.ts";
import { findPreset, parseModelConfig } from "@windtunnel/model";
import { comparedRow, exactRow, exactText, type FidelityRow, rangeRow } from "./row.ts";
import { breakEven } from "./steps/break-even.ts";
import type { MeasuredStep } from "./steps/measured-step.ts";
import { PUBLISHED_STEPS, type PublishedStep, sglangDecode } from "./steps/published-steps.ts";
import { LAYERS, positionsOfStep, type StepConditions, v3WithLayers } from "./steps/step-scenario.ts";

const COMMON = { quantity: "q", unit: "µs", decimals: 1, source: "s" };

describe("the parts of the tables", () => {
  test("have names of their own, and a command each", () => {
    const parts = fidelityParts();
    expect(new Set(parts.map(({ id }) => id.toLowerCase())).size).toBe(parts.length);
    for (const { command } of parts) expect(command).toMatch(/^windtunnel (?:alltoall|validate|topology) --/);
  });

  test("share no all-to-all between calibration and prediction", () => {
    const calibrated = new Set(CALIBRATION_EXCHANGES.map((exchange) => exchangeCommand(exchange)));
    expect(calibrated.size).toBe(4);
    for (const exchange of PREDICTION_EXCHANGES) expect(calibrated).not.toContain(exchangeCommand(exchange));
  });

  test("are computed one by one when one is asked for, whatever the case of its name", async () => {
    const seen: string[] = [];
    const { tables, summary } = await computeFidelity({ only: "i3", onPart: ({ id }) => void seen.push(id) });
    expect(seen).toEqual(["I3"]);
    expect(tables.identity.map(({ id }) => id)).toEqual(["I3"]);
    expect([tables.calibration, tables.prediction, summary]).toEqual([[], [], null]);
    expect(renderFidelityDocument({ tables, summary })).toContain("| I3 | time of a token, 61 layers |");
    expect(fidelityData({ tables, summary })).toMatchObject({ identity: [{ id: "I3" }, {}, {}, {}] });
  });

  test("that there are not are refused with the names that there are", async () => {
    await expect(computeFidelity({ only: "P99" })).rejects.toThrow(
      /no part of the tables is called P99; allowed: links, /,
    );
  });
});

describe("a row", () => {
  test("is exact if ours, rounded as the publication rounds, is what it printed", () => {
    expect(exactRow({ ...COMMON, published: 14.8, ours: 14.757 })).toMatchObject({ isExact: true });
    expect(exactRow({ ...COMMON, published: 14.8, ours: 14.86 })).toMatchObject({ isExact: false });
    expect(exactRow({ ...COMMON, published: 67, ours: 67.9 }, Math.floor)).toMatchObject({ isExact: true });
    const text = { quantity: "q", source: "s", published: "1 2" };
    expect(exactText({ ...text, ours: "1 2" })).toMatchObject({ isExact: true, error: null });
    expect(exactText({ ...text, ours: "2 1" })).toMatchObject({ isExact: false });
  });

  test("has the relative error of ours", () => {
    expect(comparedRow("shown", { ...COMMON, published: 80, ours: 76 }).error).toBeCloseTo(-0.05, 12);
  });
});

describe("a row of a published range", () => {
  const row = (ours: number): FidelityRow =>
    rangeRow({ ...COMMON, range: [64, 128], ours, unit: "requests" });

  test("errs by nothing inside and from the nearer end outside, and is shown", () => {
    expect(row(88)).toMatchObject({
      judged: "shown",
      published: "64 to 128 requests",
      error: 0,
      isExact: null,
    });
    expect(row(32).error).toBe(-0.5);
    expect(row(160).error).toBe(0.25);
  });
});

describe("published steps", () => {
  test("run the whole of DeepSeek-V3 with fewer layers", () => {
    expect(parseModelConfig(v3WithLayers(LAYERS), "here")).toEqual(findPreset("deepseek-v3").config);
    expect(parseModelConfig(v3WithLayers(5), "here")).toMatchObject({ layerCount: 5, denseLayerCount: 3 });
  });

  test("are gated where they are complete: the list that was written before they were compared", () => {
    const gated = PUBLISHED_STEPS.filter(({ isGated }) => isGated).map(({ id }) => id);
    expect(gated).toEqual("P8 P9 P11 P12 P13 T1 T1 T2 T2 T3 T4 H200".split(" "));
  });

  test("bring as many positions as they say", () => {
    const [p8, , p11] = PUBLISHED_STEPS as readonly PublishedStep[];
    expect(positionsOfStep(p8!.conditions)).toBe(256);
    expect(positionsOfStep(p11!.conditions)).toBe(16_384);
  });
});

describe("the search for the break-even", () => {
  test("halves until 8 requests remain, and runs each step once", async () => {
    const asked: number[] = [];
    // Overlapping pays from 83 requests on.
    const steps = {
      measure: async ({ schedule, requestsPerGpu }: StepConditions) => {
        asked.push(requestsPerGpu);
        return { stepUs: schedule === "sequential" ? requestsPerGpu : 82.5 } as MeasuredStep;
      },
    };
    expect(await breakEven({ steps, conditions: sglangDecode, from: 32, to: 256 })).toBe(88);
    expect(new Set(asked)).toEqual(new Set([32, 256, 144, 88, 64, 80]));
  });
});

describe("the summary of predictions", () => {
  const rows = (phase: string, ...errors: number[]): FidelityRow[] =>
    errors.map((error) =>
      comparedRow("gated", { ...COMMON, quantity: `${phase}, EP8`, published: 1, ours: 1 + error }),
    );

  test("has medians and worst errors by size, apart and together", () => {
    const all = [...rows("dispatch", -0.02, 0.04, 0.03), ...rows("combine", -0.08, 0.01)];
    const { dispatch, combine, together } = summarizePredictions(all);
    expect(dispatch).toMatchObject({ rows: 3, meetsGates: true });
    expect([dispatch.median, dispatch.worst]).toEqual([expect.closeTo(0.03), expect.closeTo(0.04)]);
    expect([combine.median, combine.worst]).toEqual([expect.closeTo(0.045), expect.closeTo(0.08)]);
    expect([together.rows, together.median]).toEqual([5, expect.closeTo(0.03)]);
  });

  test("misses the gates at 6 % in the median or 15 % at worst", () => {
    expect(summarizePredictions(rows("dispatch", 0.07, 0.07, 0.01)).dispatch.meetsGates).toBe(false);
    expect(summarizePredictions(rows("dispatch", 0.01, 0.01, -0.16)).dispatch.meetsGates).toBe(false);
  });

  test("keeps layers and steps apart, under gates of their own", () => {
    const all = [...rows("dispatch", 0.01), ...rows("decode", -0.09, 0.14), ...rows("prefill", 0.02)];
    const { steps, together } = summarizePredictions(all);
    expect(steps).toMatchObject({ rows: 3, meetsGates: true });
    expect([steps.median, steps.worst]).toEqual([expect.closeTo(0.09), expect.closeTo(0.14)]);
    expect(together.rows).toBe(1);
    expect(summarizePredictions(rows("decode", 0.16)).steps.meetsGates).toBe(false);
  });

  test("leaves out rows without a gate", () => {
    const shown = comparedRow("shown", { ...COMMON, published: 1, ours: 2 });
    expect(summarizePredictions([shown]).together.rows).toBe(0);
  });
});
