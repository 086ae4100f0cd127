import { describe, expect, test } from "vitest";
import { PUBLISHED_PIPELINES } from "./bubble-rows.ts";
import { type ChunkTimes, idleTimes } from "./pipeline-schedules.ts";

const UNIT: ChunkTimes = { forward: 1, backward: 2, weights: 1, overlapped: 3 };
/** Nothing divides anything. */
const ODD: ChunkTimes = { forward: 10, backward: 21, weights: 9, overlapped: 29 };

describe("a pipeline's schedule, run operation by operation", () => {
  test.each([
    ["1F1B", 4, 8],
    ["1F1B", 8, 20],
    ["ZB1P", 4, 8],
    ["ZB1P", 16, 40],
  ] as const)(
    "%s of %i stages leaves every rank idle as long as its formula says",
    (name, stages, chunks) => {
      for (const times of [UNIT, ODD]) {
        const bubble = PUBLISHED_PIPELINES[name].bubble(stages, times);
        expect(idleTimes(name, { stages, chunks }, times)).toEqual(
          Array.from({ length: stages }, () => bubble),
        );
      }
    },
  );

  test.each([
    [4, 8],
    [8, 20],
    [16, 40],
  ])("DualPipe on %i stages leaves none idle for longer than its formula says", (stages, chunks) => {
    const bubble = PUBLISHED_PIPELINES.DualPipe.bubble(stages, UNIT);
    expect(idleTimes("DualPipe", { stages, chunks }, UNIT)).toEqual(
      Array.from({ length: stages }, () => bubble),
    );
    for (const idle of idleTimes("DualPipe", { stages, chunks }, ODD)) {
      expect(idle).toBeLessThanOrEqual(PUBLISHED_PIPELINES.DualPipe.bubble(stages, ODD));
    }
  });
});
