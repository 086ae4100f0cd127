// One micro-batch, one operation after the other: every exchange is waited for at once. The baseline.

import type { Program } from "@windtunnel/virtual-time";
import type { MoeSteps, Schedule } from "../schedule.ts";

export const sequential: Schedule = {
  name: "sequential",
  kinds: ["prefill", "decode"],
  microBatchCount: 1,
  overlaps: false,
  *moeLayers({ layers, microBatches }: MoeSteps): Program {
    const [all] = microBatches;
    for (const [index, layer] of layers.entries()) {
      const hasNext = index + 1 < layers.length;
      all!.attention0(layer);
      all!.attention1(layer);
      yield* all!.sendDispatch(layer);
      yield* all!.receiveDispatch(layer, all!.least.expertsAndCombine(layer));
      all!.mlp(layer);
      yield* all!.sendCombine(layer);
      yield* all!.receiveCombine(layer, hasNext ? all!.least.untilDispatch() : "report");
      all!.shared(layer);
    }
  },
};
