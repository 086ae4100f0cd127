import { placeExperts } from "@windtunnel/router";
import { describe, expect, test } from "vitest";
import { type DrawnRouting, DrawnWork, popularitiesOf, RoutingPool } from "./drawn-work.ts";
import type { PlannedRequest } from "./plan.ts";

const SHAPE = { expertCount: 256, expertsPerToken: 8, groupCount: 1, limitedGroupCount: 1 };
const TOKENS = 128;

function routing(draw: DrawnRouting["draw"]): DrawnRouting {
  return { draw, exponent: 1, shape: SHAPE, seed: 3 };
}

/** A rank's requests of one token each. */
function requests(count: number): PlannedRequest[] {
  return Array.from({ length: count }, (_, request) => ({ request, tokens: [0], last: false }));
}

/** Tokens of each physical expert in one exchange of all ranks: [physical experts]. */
function expertLoads(pool: RoutingPool, degree: number, place: { step: number; layer: number }): number[] {
  const loads: number[] = [];
  for (let rank = 0; rank < degree; rank++) {
    const rows = new DrawnWork(rank, rank, pool).rowsOf(requests(TOKENS), {
      step: place.step,
      kind: "decode",
      microBatch: 0,
      firstRow: 0,
    });
    const { rowOffsets } = rows.layoutOf(place.layer);
    for (let expert = 0; expert + 1 < rowOffsets.length; expert++) {
      loads[expert] = (loads[expert] ?? 0) + rowOffsets[expert + 1]! - rowOffsets[expert]!;
    }
  }
  return loads;
}

describe("drawn routing of many ranks", () => {
  test("loads experts as unevenly as independent tokens would", () => {
    const degree = 144;
    const pool = new RoutingPool(
      routing("gate-like"),
      placeExperts({
        expertCount: 256,
        degree,
        redundancy: { count: 32, groupCount: 1, nodeCount: 1, loads: popularitiesOf(routing("gate-like")) },
      }),
    );
    const plain = new RoutingPool(routing("gate-like"), placeExperts({ expertCount: 256, degree: 128 }));
    expect(expertLoads(pool, degree, { step: 0, layer: 0 })).toHaveLength(288);
    // A token takes an expert with p = 8 / 256: of n = 128 · 128 tokens n p, with variance n p (1 - p). Over 256
    // experts the ratio of the variances is 1 within 0.09 (one sigma). Draws that ranks share would multiply it.
    const mean = (128 * TOKENS * 8) / 256;
    for (const layer of [0, 1, 2]) {
      const loads = expertLoads(plain, 128, { step: 1, layer });
      const squares = loads.reduce((sum, load) => sum + (load - mean) ** 2, 0);
      const ratio = squares / 256 / (mean * (1 - 8 / 256));
      expect(ratio).toBeGreaterThan(0.6);
      expect(ratio).toBeLessThan(1.4);
    }
  });

  test("agrees on popular experts from rank to rank, and replicas by popularity even them out", () => {
    const degree = 32;
    const worst = (redundantCount: number): number => {
      const drawn = routing("zipf");
      const redundancy = { count: redundantCount, groupCount: 1, nodeCount: 1, loads: popularitiesOf(drawn) };
      const placement = placeExperts({ expertCount: 256, degree, redundancy });
      const pool = new RoutingPool(drawn, placement);
      // The rows of the fullest rank, over the mean: layers 1 and 5 have the same popularities.
      const ratios = [1, 2, 5].map((layer) => {
        const rows = Array.from({ length: degree }, () => 0);
        for (const [physical, load] of expertLoads(pool, degree, { step: 0, layer }).entries()) {
          rows[Math.floor(physical / placement.expertsPerRank)]! += load;
        }
        return Math.max(...rows) / ((degree * TOKENS * 8) / degree);
      });
      return Math.max(...ratios);
    };
    expect(worst(0)).toBeGreaterThan(2.5);
    expect(worst(32)).toBeLessThan(1.4);
  });

  test("depends on the place of the rows and on nothing that was asked before", () => {
    const placement = placeExperts({
      expertCount: 256,
      degree: 8,
      redundancy: { count: 8, groupCount: 1, nodeCount: 1, loads: popularitiesOf(routing("zipf")) },
    });
    const layoutAt = (pool: RoutingPool, firstRow: number): Int32Array =>
      new DrawnWork(13, 5, pool)
        .rowsOf(requests(6), { step: 2, kind: "decode", microBatch: 1, firstRow })
        .layoutOf(7).rowOfSlot;
    const used = new RoutingPool(routing("zipf"), placement);
    expertLoads(used, 8, { step: 2, layer: 7 });
    expect(layoutAt(used, 6)).toEqual(layoutAt(new RoutingPool(routing("zipf"), placement), 6));
    // The row's number in its step decides over the replica.
    expect(layoutAt(used, 6)).not.toEqual(layoutAt(used, 7));
  });

  test("a layer's layout is made once for its micro-batch", () => {
    const placement = placeExperts({
      expertCount: 256,
      degree: 8,
      redundancy: { count: 8, groupCount: 1, nodeCount: 1, loads: popularitiesOf(routing("balanced")) },
    });
    const pool = new RoutingPool(routing("balanced"), placement);
    const place = { step: 0, kind: "decode", microBatch: 0, firstRow: 0 } as const;
    const rows = new DrawnWork(0, 0, pool).rowsOf(requests(4), place);
    expect(rows.layoutOf(3)).toBe(rows.layoutOf(3));
    expect(rows.layoutOf(3)).not.toBe(rows.layoutOf(4));
  });
});
