// Decode in five stages over two micro-batches, μ0 and μ1 (DeepSeek's day-6 overview; mechanics §4.2). Exchanges are
// sent and received by short kernels; in between the network moves bytes while the other micro-batch computes:
//
//   slot  compute stream                        in flight
//   1     SHARED(μ0), ATTN-0(μ1)                DISPATCH(μ0)
//   2     MLP(μ0)
//   3     ATTN-1(μ1)                            COMBINE(μ0)
//   4     SHARED(μ1), ATTN-0(μ0, next layer)    DISPATCH(μ1)
//   5     MLP(μ1)
//   6     ATTN-1(μ0, next layer)                COMBINE(μ1)

import type { Program } from "@windtunnel/virtual-time";
import type { MoeSteps, Schedule } from "../schedule.ts";

export const fiveStage: Schedule = {
  name: "five-stage",
  kinds: ["decode"],
  microBatchCount: 2,
  overlaps: true,
  *moeLayers({ layers, microBatches }: MoeSteps): Program {
    const [first, second] = [microBatches[0]!, microBatches[1]!];
    for (const [index, layer] of layers.entries()) {
      const previous = layers[index - 1];
      const next = layers[index + 1];
      if (previous === undefined) {
        first.attention0(layer);
        first.attention1(layer);
      }
      // Slot 1.
      yield* first.sendDispatch(layer);
      first.shared(layer);
      if (previous !== undefined) yield* second.receiveCombine(previous, first.least.untilCombine(layer));
      second.attention0(layer);
      // Slot 2.
      yield* first.receiveDispatch(layer, first.least.expertsAndCombine(layer));
      first.mlp(layer);
      // Slot 3.
      yield* first.sendCombine(layer);
      second.attention1(layer);
      // Slot 4.
      yield* second.sendDispatch(layer);
      second.shared(layer);
      yield* first.receiveCombine(layer, second.least.untilCombine(layer));
      if (next !== undefined) first.attention0(next);
      // Slot 5.
      yield* second.receiveDispatch(layer, second.least.expertsAndCombine(layer));
      second.mlp(layer);
      // Slot 6.
      yield* second.sendCombine(layer);
      if (next !== undefined) first.attention1(next);
    }
    const last = layers.at(-1);
    if (last !== undefined) yield* second.receiveCombine(last, "report");
  },
};
