// Overridden loads of experts: what is refused, and what a run makes of them. Rows of many tokens: expert-loads.long.test.ts.

import { placeExperts, type RoutingShape } from "@windtunnel/router";
import { type DrawnRouting, popularitiesOf, RoutingPool } from "@windtunnel/serving";
import { describe, expect, test } from "vitest";
import { withLoads } from "./expert-loads.ts";
import { type PreparedRun, prepareRun } from "./prepare-run.ts";
import { resolveScenario, type ScenarioOverrides } from "./scenario/index.ts";

const V3: RoutingShape = { expertCount: 256, expertsPerToken: 8, groupCount: 8, limitedGroupCount: 4 };
const SMALL: RoutingShape = { expertCount: 16, expertsPerToken: 4, groupCount: 4, limitedGroupCount: 2 };

type Loads = Readonly<Record<number, number>>;

function overridden(drawn: Omit<DrawnRouting, "seed" | "exponent">, loads: Loads): DrawnRouting {
  const experts = Object.fromEntries(Object.entries(loads).map(([expert, load]) => [expert, { load }]));
  const overrides: ScenarioOverrides = { gpus: {}, links: {}, experts };
  return withLoads({ ...drawn, exponent: 1, seed: 1 }, overrides);
}

/** Rows of an expert over the mean of those that are not overridden. */
function ratio(rows: Int32Array, expert: number, loads: Loads): number {
  const others = rows.filter((_, other) => loads[other] === undefined);
  return rows[expert]! / (others.reduce((sum, each) => sum + each, 0) / others.length);
}

describe("an overridden load", () => {
  test("of 1 changes nothing, not even how choices are drawn", () => {
    expect(overridden({ draw: "balanced", shape: V3 }, { 17: 1 }).weights).toBeUndefined();
  });

  test("that can't be had is refused", () => {
    const drawn = { draw: "gate-like", shape: SMALL } as const;
    // An expert of every token: 4 · f / (15 + f) = 1 at f = 5.
    expect(() => overridden(drawn, { 3: 6 })).toThrow(
      "overrides.experts.3.load: found 6; allowed: below 5, where every token chooses it",
    );
    expect(() => overridden(drawn, { 3: 4.9 })).not.toThrow();
    expect(() => overridden(drawn, { 16: 2 })).toThrow("found 16; allowed: experts from 0 to 15");
    // Three groups with an expert that nearly all tokens choose, and two groups for each token.
    const loads = { 0: 9, 4: 9, 8: 9 };
    expect(() => overridden(drawn, loads)).toThrow("loads that a token's groups can have together");
  });
});

describe("a run with an overridden load", () => {
  const prepared = (fields: object): PreparedRun =>
    prepareRun(
      resolveScenario(
        { model: { preset: "v3-small" }, math: "skip", parallelism: { redundantExperts: 16 }, ...fields },
        { folder: "." },
      ),
    );

  test("places experts as if it knew nothing of it", () => {
    const usual = prepared({});
    const hot = prepared({ overrides: { experts: { 17: { load: 4 } } } });
    expect(hot.placement).toEqual(usual.placement);
    expect(hot.routing!.weights).toHaveLength(popularitiesOf(usual.routing!).length);
  });

  test("loads that expert in every layer", () => {
    const { routing } = prepared({ overrides: { experts: { 17: { load: 4 } } } });
    const pool = new RoutingPool(routing!, placeExperts({ expertCount: 64, degree: 1 }));
    const tokenCount = 256;
    // 8 · 4 / 67 of 4,096 tokens: 1,956 rows with a deviation of 32.
    for (const layer of [0, 1, 2, 3]) {
      const rows = new Int32Array(64);
      for (let variant = 0; variant < 16; variant++) {
        const { rowOffsets } = pool.layout({ tokenCount, layer, variant, unitRank: 0, firstRow: 0 });
        for (let expert = 0; expert < 64; expert++)
          rows[expert]! += rowOffsets[expert + 1]! - rowOffsets[expert]!;
      }
      expect(Math.abs(ratio(rows, 17, { 17: 4 }) / 4 - 1)).toBeLessThan(0.11);
    }
  });
});
