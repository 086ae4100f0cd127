// Results of sweeps for tests of what is made of them.

import type { SweepAxis, SweepFailure, SweepMeasures, SweepResult } from "@windtunnel/cluster";

export function axis(path: string, ...values: readonly unknown[]): SweepAxis {
  return {
    name: path,
    path: path.split("."),
    values: values.map((value) => ({ text: String(value), value })),
  };
}

/** A decode step of so many microseconds, a tenth of it exposed. */
export function measures(decodeStepUs: number, changed: Partial<SweepMeasures> = {}): SweepMeasures {
  return {
    decodeStepUs,
    decodeLayerUs: decodeStepUs / 4,
    decodeExposedUs: decodeStepUs / 10,
    prefillStepUs: null,
    prefillLayerUs: null,
    prefillExposedUs: null,
    timeToFirstTokenUs: null,
    timePerOutputTokenUs: decodeStepUs + 12.5,
    tokensPerSecondPerNode: 1e9 / decodeStepUs,
    hiddenFraction: null,
    exposedUs: decodeStepUs / 5,
    nvlinkBytes: 4_808_384,
    rdmaBytes: 0,
    eventsDigest: "0123456789abcdef".repeat(4),
    ...changed,
  };
}

/** A point for each of `outcomes`, in the order of the grid: its measures, or why there are none. */
export function sweepOf(
  axes: readonly SweepAxis[],
  outcomes: readonly (SweepMeasures | SweepFailure)[],
): SweepResult {
  let places: SweepResult["rows"][number]["place"][] = [[]];
  for (const { values } of axes) places = places.flatMap((place) => values.map((value) => [...place, value]));
  const rows = places.map((place, index) => {
    const outcome = outcomes[index]!;
    return "code" in outcome
      ? { place, measures: null, failure: outcome }
      : { place, measures: outcome, failure: null };
  });
  return { name: "test", axes, rows };
}
