// vLLM's dual-batch overlap in decode, as its design document orders it (vllm-project/vllm, docs/design/dbo.md): attention is
// not cut, so that a dispatch hides behind all of the other micro-batch's attention, and a combine behind its experts.
//
//   slot  compute stream              in flight
//   1     ATTN-0(μ0), ATTN-1(μ0)      DISPATCH(μ1)
//   2     MLP(μ1)                     DISPATCH(μ0)
//   3     SHARED(μ1), MLP(μ0)         COMBINE(μ1)
//   4     SHARED(μ0), ATTN(μ1, next)  COMBINE(μ0)

import type { Schedule } from "@windtunnel/serving";

const schedule: Schedule = {
  name: "dual-batch-vllm",
  kinds: ["decode"],
  microBatchCount: 2,
  overlaps: true,
  leading: 1,
  *moeLayers({ layers, microBatches }) {
    const [first, second] = [microBatches[0]!, microBatches[1]!];
    for (const [index, layer] of layers.entries()) {
      const next = layers[index + 1];
      if (index === 0) {
        second.attention0(layer);
        second.attention1(layer);
      }
      // Slot 1.
      yield* second.sendDispatch(layer);
      first.attention0(layer);
      first.attention1(layer);
      yield* second.receiveDispatch(layer, first.least.toSend("dispatch", layer));
      // Slot 2.
      yield* first.sendDispatch(layer);
      second.mlp(layer);
      yield* first.receiveDispatch(layer, second.least.toSend("combine", layer));
      // Slot 3.
      yield* second.sendCombine(layer);
      second.shared(layer);
      first.mlp(layer);
      yield* second.receiveCombine(layer, first.least.toSend("combine", layer));
      // Slot 4.
      yield* first.sendCombine(layer);
      first.shared(layer);
      if (next !== undefined) {
        second.attention0(next);
        second.attention1(next);
      }
      yield* first.receiveCombine(
        layer,
        next === undefined ? "report" : second.least.toSend("dispatch", next),
      );
    }
  },
};

export default schedule;
