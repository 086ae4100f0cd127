import { type DispatchLayout, layoutDispatch } from "@windtunnel/router";
import { describe, expect, test } from "vitest";
import { runAllToAll } from "./all-to-all.ts";
import { type AllToAllOptions, withBenchmarkDefaults } from "./all-to-all-options.ts";
import { prepareAllToAll } from "./all-to-all-scenario.ts";
import { fanOutOf, logicalBytes, logicalCopies } from "./fan-out.ts";
import type { PreparedRun } from "./prepare-run.ts";

function prepared(given: Partial<AllToAllOptions>): PreparedRun {
  return prepareAllToAll(withBenchmarkDefaults(given));
}

describe("fan-out", () => {
  const sizes = { ranks: 4, gpusPerNode: 2, experts: 8, topk: 3, pattern: "normal" };
  const run = prepared(sizes);
  const layout = (...choices: readonly number[]): DispatchLayout =>
    layoutDispatch(Int32Array.from(choices), choices.length / 3, 3, run.placement);
  /** 8 experts on 4 ranks in 2 nodes; two tokens on rank 0, one on rank 1, none on the others. */
  const layouts = [layout(0, 1, 7, 4, 5, 2), layout(6, 3, 0), layout(), layout()];

  test("counts choices, distinct ranks and distinct nodes of each token", () => {
    // Token 0: ranks 0, 0, 3; token 1: ranks 2, 2, 1; the third: ranks 3, 1, 0. Nodes: two each.
    expect(fanOutOf(run, layouts)).toEqual({
      tokens: 3,
      rowsOfRank: [3, 2, 2, 2],
      tokensOfRank: [2, 2, 1, 2],
      ranksPerToken: 7 / 3,
      nodesPerToken: 2,
    });
  });

  test("takes all ranks of an NVLink domain for one node", () => {
    const domain = prepared({ ...sizes, fabric: { kind: "nvlink-domain" } });
    expect(fanOutOf(domain, layouts)).toMatchObject({ ranksPerToken: 7 / 3, nodesPerToken: 1 });
  });

  test("counts a layout as often as ranks share it", () => {
    const [one, other] = [layout(0, 1, 7, 4, 5, 2), layout(0, 1, 7, 4, 5, 2)];
    expect(fanOutOf(run, [one, one, one, layout()])).toEqual(fanOutOf(run, [one, other, layout(), one]));
  });
});

describe("logical bytes", () => {
  // Published: GB/s and the time that they stand for. Copies are those of uniform choices: 5.295 of 8 ranks, 1.993 of 2
  // nodes and 3.614 of 4; for low latency, all 8 choices.
  test.each([
    ["normal", 8, 5.295, 153e9 * 1048e-6, 158e9 * 1968e-6],
    ["normal", 16, 1.993, 43e9 * 1403e-6, 43e9 * 2722e-6],
    ["normal", 32, 3.614, 58e9 * 1887e-6, 57e9 * 3723e-6],
    ["low-latency", 8, 8, 98e9 * 77e-6, 127e9 * 114e-6],
    ["low-latency", 16, 8, 63e9 * 118e-6, 74e9 * 195e-6],
    ["low-latency", 32, 8, 48e9 * 155e-6, 53e9 * 273e-6],
  ])(
    "of %s on %i ranks are those of DeepEP's published rows",
    (pattern, ranks, copies, dispatch, combine) => {
      const options = withBenchmarkDefaults({ pattern, ranks });
      const run = prepareAllToAll(options);
      const fanOut = {
        tokens: options.tokens[0]! * ranks,
        rowsOfRank: [],
        tokensOfRank: [],
        ranksPerToken: ranks === 8 ? copies : Number.NaN,
        nodesPerToken: ranks === 8 ? Number.NaN : copies,
      };
      // Bandwidths have two or three digits.
      expect(Math.abs(logicalBytes(run, fanOut, "dispatch") / dispatch - 1)).toBeLessThan(0.025);
      expect(Math.abs(logicalBytes(run, fanOut, "combine") / combine - 1)).toBeLessThan(0.025);
    },
  );

  test("of low latency are eight rows of 7,408 and 14,336 bytes for each of 128 tokens, over the mean time", () => {
    const { dispatch, combine } = runAllToAll(withBenchmarkDefaults({}));
    expect([dispatch.logicalBytes, combine.logicalBytes]).toEqual([128 * 8 * 7408, 128 * 8 * 14_336]);
    expect(dispatch.logicalGBps).toBeCloseTo((128 * 8 * 7408) / dispatch.us / 1e3, 9);
  });

  test.each([
    ["normal", {}, "node"],
    ["normal", { ranks: 8 }, "rank"],
    ["normal", { fabric: { kind: "nvlink-domain" } }, "rank"],
    ["direct", {}, "choice"],
    ["low-latency", { ranks: 8 }, "choice"],
  ])("%s with %j counts a copy for each %s", (pattern, given, copies) => {
    expect(logicalCopies(prepared({ pattern, ...given }))).toBe(copies);
  });
});
