// What a sweep keeps of a point's run: the numbers of its table. All of them are the same on every placement; times are
// in microseconds, means over steps, requests or GPUs as in the summary.

import { z } from "zod";
import type { Summary } from "../result.ts";
import { stepMeans } from "../step-means.ts";

export interface SweepMeasures {
  /** Null where no step of that kind was run. */
  readonly decodeStepUs: number | null;
  readonly decodeLayerUs: number | null;
  /** Exposed communication of one step. */
  readonly decodeExposedUs: number | null;
  readonly prefillStepUs: number | null;
  readonly prefillLayerUs: number | null;
  readonly prefillExposedUs: number | null;
  readonly timeToFirstTokenUs: number | null;
  readonly timePerOutputTokenUs: number | null;
  readonly tokensPerSecondPerNode: number;
  /** Of the whole run; null where nothing was communicated. */
  readonly hiddenFraction: number | null;
  /** Exposed communication of the whole run. */
  readonly exposedUs: number;
  readonly nvlinkBytes: number;
  readonly rdmaBytes: number;
  readonly eventsDigest: string;
}

export function measuresOf(summary: Summary): SweepMeasures {
  const { virtual, communication, traffic, digests } = summary;
  const { decode, prefill } = stepMeans(summary);
  return {
    decodeStepUs: decode?.stepUs ?? null,
    decodeLayerUs: decode?.layerUs ?? null,
    decodeExposedUs: decode?.exposedUs ?? null,
    prefillStepUs: prefill?.stepUs ?? null,
    prefillLayerUs: prefill?.layerUs ?? null,
    prefillExposedUs: prefill?.exposedUs ?? null,
    timeToFirstTokenUs: virtual.timeToFirstTokenUs,
    timePerOutputTokenUs: virtual.timePerOutputTokenUs,
    tokensPerSecondPerNode: virtual.tokensPerSecondPerNode,
    hiddenFraction: communication.hiddenFraction,
    exposedUs: communication.exposedUs,
    nvlinkBytes: traffic.nvlinkBytes,
    rdmaBytes: traffic.rdmaBytes,
    eventsDigest: digests.events,
  };
}

const perhaps = z.number().nullable();

/** For what was stored and is read again. */
export const measuresSchema: z.ZodType<SweepMeasures> = z.strictObject({
  decodeStepUs: perhaps,
  decodeLayerUs: perhaps,
  decodeExposedUs: perhaps,
  prefillStepUs: perhaps,
  prefillLayerUs: perhaps,
  prefillExposedUs: perhaps,
  timeToFirstTokenUs: perhaps,
  timePerOutputTokenUs: perhaps,
  tokensPerSecondPerNode: z.number(),
  hiddenFraction: perhaps,
  exposedUs: z.number(),
  nvlinkBytes: z.number(),
  rdmaBytes: z.number(),
  eventsDigest: z.string(),
});
