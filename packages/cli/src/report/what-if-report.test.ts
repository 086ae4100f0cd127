import type { WhatIfMeasures, WhatIfOutcome, WhatIfResult } from "@windtunnel/cluster";
import pc from "picocolors";
import { expect, test } from "vitest";
import { SCREEN_WIDTH } from "./table.ts";
import { renderWhatIf } from "./what-if-report.ts";

const BEFORE = { stepUs: 78_300, layerUs: 1300, exposedUs: 12_100 };

function measures(stepUs: number, exposedUs: number): WhatIfMeasures {
  const digests = { events: "e", tokens: "t", trace: "x" };
  return { totalUs: stepUs, exposedUs, steps: { decode: { ...BEFORE, stepUs, exposedUs } }, digests };
}

function outcome(
  change: string,
  stepUs: number,
  exposedUs: number,
  remark: string | null = null,
): WhatIfOutcome {
  const difference = (before: number, after: number): { us: number; fraction: number } => {
    return { us: after - before, fraction: (after - before) / before };
  };
  const step = difference(BEFORE.stepUs, stepUs);
  const exposed = difference(BEFORE.exposedUs, exposedUs);
  return {
    change,
    measures: measures(stepUs, exposedUs),
    difference: {
      total: step,
      exposed,
      steps: { decode: { stepUs: step, layerUs: { us: 0, fraction: 0 }, exposedUs: exposed } },
    },
    remark,
  };
}

test("what if is a table of 80 columns by gain, and remarks", () => {
  const drawn =
    "Run with math: skip and routing drawn balanced: a changed gate changes the routing that is timed, never tokens.";
  const same = "Nothing in this run depends on it.";
  const result: WhatIfResult = {
    schema: "windtunnel/what-if@1",
    name: "slow",
    unchanged: measures(BEFORE.stepUs, BEFORE.exposedUs),
    outcomes: [
      outcome("launch=0", BEFORE.stepUs, BEFORE.exposedUs, same),
      outcome("dispatch=normal", 123_456, 30_000.5),
      outcome("link:plane 3 / leaf 0 - spine 5=1x", 70_470, 900),
      outcome("nvlink=2x", BEFORE.stepUs, BEFORE.exposedUs, same),
      outcome("gate=balanced", 78_299, 12_000, drawn),
    ],
  };
  const text = renderWhatIf(result, pc.createColors(false));
  expect(text).toBe(`What if: mean decode step, and its exposed communication
  change              step     step      gain     gain  exposed  exposed
                    before    after                      before    after
  link:plane 3 / leaf 0 - spine 5=1x
                   78.3 ms  70.5 ms   7.83 ms   10.0 %  12.1 ms   900 µs
  gate=balanced    78.3 ms  78.3 ms   1.00 µs    0.0 %  12.1 ms  12.0 ms
  launch=0         78.3 ms  78.3 ms      0 µs    0.0 %  12.1 ms  12.1 ms
  nvlink=2x        78.3 ms  78.3 ms      0 µs    0.0 %  12.1 ms  12.1 ms
  dispatch=normal  78.3 ms   123 ms  -45.2 ms  -57.7 %  12.1 ms  30.0 ms

launch=0, nvlink=2x: Nothing in this run depends on it.

gate=balanced: Run with math: skip and routing drawn balanced: a changed gate
changes the routing that is timed, never tokens.`);
  for (const line of text.split("\n")) expect(line.length).toBeLessThanOrEqual(SCREEN_WIDTH);
});
