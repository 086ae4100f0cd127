// The hiding conditions of mechanics §4.1, on real streams with times drawn at random.

import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { exposedInSteadyState, type ScriptedTimes } from "../test-support/scripted-rank.ts";
import { dualBatch } from "./dual-batch.ts";

/** Whole microseconds above 3, so that thirds are near-integers of picoseconds and every window is wide. */
const us = fc.integer({ min: 30, max: 3000 });
const compute = fc.record({ attention: us.map((each) => 3 * each), shared: us, mlp: us });

const seeds = [{ seed: 20241128 }, {}];
const picoseconds = (value: number): number => value * 1e6;

/** The windows of the four exchanges, by the table: what computes while each of them travels. */
function windowsOf(
  a: Compute,
  b: Compute,
): { combine0: number; dispatch1: number; dispatch0: number; combine1: number } {
  return {
    combine0: b.attention + a.shared,
    dispatch1: a.attention,
    dispatch0: b.mlp,
    combine1: a.mlp + b.shared,
  };
}
type Compute = Omit<ScriptedTimes, "dispatch" | "combine">;

function exposureOf(a: Compute, b: Compute, times: ReturnType<typeof windowsOf>): Map<string, number> {
  const first = { ...a, dispatch: times.dispatch0, combine: times.combine0 };
  const second = { ...b, dispatch: times.dispatch1, combine: times.combine1 };
  const exposed = new Map<string, number>();
  for (const { microBatch, phase, layer, exposed: value } of exposedInSteadyState(dualBatch, [
    first,
    second,
  ])) {
    const name = `${phase}${microBatch}`;
    const known = exposed.get(name);
    if (known !== undefined) expect(value, `${name} of layer ${layer}`).toBe(known);
    exposed.set(name, value);
  }
  return exposed;
}

describe.each(seeds)("dual-batch in steady state (%j)", (run) => {
  test("exposes nothing while every hiding condition holds with slack", () => {
    const share = fc.integer({ min: 1, max: 99 });
    fc.assert(
      fc.property(compute, compute, fc.tuple(share, share, share, share), (a, b, shares) => {
        const windows = windowsOf(a, b);
        const times = {
          combine0: (windows.combine0 * shares[0]) / 100,
          dispatch1: (windows.dispatch1 * shares[1]) / 100,
          dispatch0: (windows.dispatch0 * shares[2]) / 100,
          combine1: (windows.combine1 * shares[3]) / 100,
        };
        const exposed = exposureOf(a, b, times);
        expect([...exposed.keys()].toSorted()).toEqual(["combine0", "combine1", "dispatch0", "dispatch1"]);
        expect([...exposed.values()]).toEqual([0, 0, 0, 0]);
      }),
      { numRuns: 40, ...run },
    );
  });

  // A combine's outputs and a dispatch's rows are ready at the end of a slot, but for those of combine0 and dispatch1, which
  // begin earlier where the exchange before them on the stream ends earlier. So that their window is their slot, the ones
  // before them fill their own slots exactly.
  const exact: Readonly<Record<string, readonly string[]>> = {
    combine0: ["combine1"],
    dispatch1: ["combine1", "combine0"],
  };

  test.each(["combine0", "dispatch1", "dispatch0", "combine1"] as const)(
    "exposes x of %s where its condition is broken by x",
    (broken) => {
      fc.assert(
        fc.property(compute, compute, us, fc.integer({ min: 1, max: 90 }), (a, b, x, share) => {
          const windows = windowsOf(a, b);
          const slack = (name: keyof typeof windows): number =>
            exact[broken]?.includes(name) ? windows[name] : (windows[name] * share) / 100;
          const times = {
            combine0: slack("combine0"),
            dispatch1: slack("dispatch1"),
            dispatch0: slack("dispatch0"),
            combine1: slack("combine1"),
            [broken]: windows[broken] + x,
          };
          const exposed = exposureOf(a, b, times);
          for (const [name, value] of exposed) expect(value, name).toBe(name === broken ? picoseconds(x) : 0);
        }),
        { numRuns: 20, ...run },
      );
    },
  );
});
