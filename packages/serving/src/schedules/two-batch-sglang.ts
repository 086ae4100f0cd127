// SGLang's two-batch overlap: micro-batches A and B (μ0 and μ1) run the same operations, cut into stages; A runs ahead by
// `delta` stages, then both take turns (mechanics §4.4; sgl-project/sglang, batch_overlap/operations_strategy.py and
// operations.py). The last stage of a layer goes on with the first of the next.
//
//   prefill, delta 0   1  ATTN-0, ATTN-1
//                      2  DISPATCH, MLP
//                      3  SHARED, COMBINE; next layer's 1
//   decode, delta 2    1  ATTN-0
//                      2  ATTN-1
//                      3  send DISPATCH, SHARED
//                      4  receive DISPATCH, MLP, send COMBINE
//                      5  receive COMBINE
//                      6  nothing; next layer's 1
//
// In prefill, with DeepEP's normal kernels, `dispatch_a` and `combine_a` only record an event: layout, counts, the wait of
// the host and the kernels all come in `dispatch_b` and `combine_b` (token_dispatcher/deepep.py). So B's attention is
// launched before the host waits for A's counts, and hides them.

import type { Program } from "@windtunnel/virtual-time";
import type { StepKind } from "../plan.ts";
import type { MoeSteps, Schedule, ScheduledMicroBatch } from "../schedule.ts";
import type { TimedLayer } from "../timed-layers.ts";

interface StageRun {
  readonly role: "A" | "B";
  readonly batch: ScheduledMicroBatch;
  readonly layer: TimedLayer;
  /** What is sent next after a wait of this stage is sent by the other micro-batch. */
  readonly other: ScheduledMicroBatch;
  /** Only a report follows the combine of the last layer that ends the step. */
  readonly isLast: boolean;
}

type Stage = (run: StageRun) => Program;

const PREFILL: readonly Stage[] = [
  function* ({ batch, layer }) {
    batch.attention0(layer);
    batch.attention1(layer);
  },
  function* ({ batch, layer, other, role }) {
    yield* batch.sendDispatch(layer);
    const next = role === "A" ? "dispatch" : "combine";
    yield* batch.receiveDispatch(layer, other.least.toSend(next, layer));
    batch.mlp(layer);
  },
  function* ({ batch, layer, other, role, isLast }) {
    batch.shared(layer);
    yield* batch.sendCombine(layer);
    const next = role === "A" ? "combine" : "dispatch";
    yield* batch.receiveCombine(layer, isLast ? "report" : other.least.toSend(next, layer));
  },
];

const DECODE: readonly Stage[] = [
  function* ({ batch, layer }) {
    batch.attention0(layer);
  },
  function* ({ batch, layer }) {
    batch.attention1(layer);
  },
  function* ({ batch, layer }) {
    yield* batch.sendDispatch(layer);
    batch.shared(layer);
  },
  function* ({ batch, layer }) {
    yield* batch.receiveDispatch(layer, batch.least.expertsAndCombine(layer));
    batch.mlp(layer);
    yield* batch.sendCombine(layer);
  },
  function* ({ batch, layer, other, isLast }) {
    yield* batch.receiveCombine(layer, isLast ? "report" : other.least.toSend("dispatch", layer));
  },
];

/** `merges`: the last stage of a layer and the first of the next are one, without a turn of the other between them. */
const STRATEGIES = {
  prefill: { stages: PREFILL, delta: 0, merges: true },
  decode: { stages: DECODE, delta: 2, merges: false },
} as const;

export const twoBatchSglang: Schedule = {
  name: "two-batch-sglang",
  kinds: ["prefill", "decode"],
  microBatchCount: 2,
  overlaps: true,
  *moeLayers({ layers, microBatches, kind }: MoeSteps): Program {
    const [first, second] = [microBatches[0]!, microBatches[1]!];
    const { delta } = STRATEGIES[kind];
    const a = stagesOf({ role: "A", batch: first, other: second }, layers, kind);
    const b = stagesOf({ role: "B", batch: second, other: first }, layers, kind);
    for (const stage of a.slice(0, delta)) yield* stage();
    for (const [index, stage] of a.slice(delta).entries()) {
      yield* stage();
      yield* b[index]!();
    }
    for (const stage of b.slice(a.length - delta)) yield* stage();
  },
};

/** A micro-batch's stages over all layers. */
function stagesOf(
  taker: Pick<StageRun, "role" | "batch" | "other">,
  layers: readonly TimedLayer[],
  kind: StepKind,
): (() => Program)[] {
  const { stages, merges } = STRATEGIES[kind];
  const all: (() => Program)[] = [];
  for (const [index, layer] of layers.entries()) {
    const isLast = taker.role === "B" && layer === layers.at(-1);
    for (const [place, stage] of stages.entries()) {
      const run = (): Program => stage({ ...taker, layer, isLast });
      const before = all.at(-1);
      if (merges && place === 0 && index > 0 && before !== undefined) {
        all[all.length - 1] = function* () {
          yield* before();
          yield* run();
        };
      } else all.push(run);
    }
  }
  return all;
}
