// Several positions of a request in a decode step, where nothing is executed.

import { placeExperts } from "@windtunnel/router";
import { describe, expect, test } from "vitest";
import { DrawnWork, RoutingPool } from "./drawn-work.ts";
import { drawRequests, positionsOf } from "./index.ts";

const speculation = { positionsPerStep: 2, acceptedPerStep: 1.6 };
const drawn = { seed: 1, rankCount: 2, requestsPerGpu: 1, promptTokens: 9, vocabularySize: 50, newTokens: 3 };

describe("a request with two positions in a step", () => {
  test("begins with two when its cache is drawn, and has room for all that are ever fed", () => {
    const [request] = drawRequests({ ...drawn, prefill: false, speculation });
    expect(request).toMatchObject({ drawnPositions: 9, speculation });
    expect(request!.prompt).toHaveLength(2);
    // 9 in the cache, and 3 steps of 2.
    expect(positionsOf(request!)).toBe(9 + 3 * 2);
  });

  test("prefills its prompt like any other", () => {
    const [request] = drawRequests({ ...drawn, prefill: true, speculation });
    expect(request!.prompt).toHaveLength(9);
    // The prefill gives the first of 3, and the last is never fed: 2 steps of 2.
    expect(positionsOf(request!)).toBe(9 + 2 * 2);
  });

  test("keeps as many positions as are accepted, on average", () => {
    const placement = placeExperts({
      expertCount: 8,
      degree: 1,
      redundancy: { count: 0, groupCount: 1, nodeCount: 1, loads: [new Float64Array(8).fill(1)] },
    });
    const shape = { expertCount: 8, expertsPerToken: 2, groupCount: 1, limitedGroupCount: 1 };
    const pool = new RoutingPool({ draw: "balanced", exponent: 1, shape, seed: 1 }, placement);
    const work = new DrawnWork(0, 0, pool);
    const step = { request: 0, tokens: [0, 0], last: false };
    work.admit({ ...step, admit: { positions: 99, drawnPositions: 9, acceptedPerStep: 1.6 } });
    const cached = [1, 2, 3, 4, 5].map(() => {
      work.newTokens([step]);
      return work.cachedPositions(0);
    });
    // 10.6, 12.2, 13.8, 15.4, 17.
    expect(cached).toEqual([10, 12, 13, 15, 17]);
    expect(work.rowsOf([step], { step: 0, kind: "decode", microBatch: 0, firstRow: 0 }).rowCount).toBe(2);
  });
});
