// Prefill with two micro-batches, μ0 and μ1, on two streams (DeepSeek's day-6 overview; mechanics §4.1): of 132 SMs, 108
// compute and 24 communicate. While one micro-batch's tokens travel, the other computes. In a layer in steady state:
//
//   slot  compute stream             communication stream
//   1     ATTN(μ1)                   COMBINE(μ0), previous layer
//   2     SHARED(μ0), previous layer … until it ends
//   3     ATTN(μ0)                   DISPATCH(μ1)
//   4     MLP(μ1)                    DISPATCH(μ0)
//   5     MLP(μ0)                    COMBINE(μ1)
//   6     SHARED(μ1)                 … until it ends
//
// Nothing is exposed while COMBINE(μ0) ≤ ATTN(μ1) + SHARED(μ0), DISPATCH(μ1) ≤ ATTN(μ0), DISPATCH(μ0) ≤ MLP(μ1) and
// COMBINE(μ1) ≤ MLP(μ0) + SHARED(μ1). Where a dispatch makes the host wait for counts, what computes meanwhile is
// launched before it.

import type { Program } from "@windtunnel/virtual-time";
import type { MoeSteps, Schedule } from "../schedule.ts";

export const dualBatch: Schedule = {
  name: "dual-batch",
  kinds: ["prefill"],
  microBatchCount: 2,
  overlaps: true,
  communicationSms: 24,
  leading: 1,
  *moeLayers({ layers, microBatches }: MoeSteps): Program {
    const [first, second] = [microBatches[0]!, microBatches[1]!];
    for (const [index, layer] of layers.entries()) {
      const previous = layers[index - 1];
      // Slot 1.
      second.attention0(layer);
      second.attention1(layer);
      if (previous !== undefined) yield* first.sendCombine(previous);
      // Slot 2.
      if (previous !== undefined) {
        first.shared(previous);
        yield* first.receiveCombine(previous, second.least.toSend("dispatch", layer));
      }
      // Slot 3.
      first.attention0(layer);
      first.attention1(layer);
      yield* second.sendDispatch(layer);
      // Slot 4.
      yield* second.receiveDispatch(layer, first.least.toSend("dispatch", layer));
      second.mlp(layer);
      yield* first.sendDispatch(layer);
      // Slot 5.
      yield* first.receiveDispatch(layer, second.least.toSend("combine", layer));
      first.mlp(layer);
      yield* second.sendCombine(layer);
      // Slot 6.
      second.shared(layer);
      yield* second.receiveCombine(layer, first.least.toSend("combine", layer));
    }
    const last = layers.at(-1);
    if (last === undefined) return;
    yield* first.sendCombine(last);
    first.shared(last);
    yield* first.receiveCombine(last, "report");
  },
};
