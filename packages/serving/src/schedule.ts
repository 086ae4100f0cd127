// What a schedule is: the order of a step's operations on a rank. It is written with the operations of micro-batches,
// in the order of its published table. Operations return at issue; those that are programs may wait for what others send.

import type { FollowedBy } from "@windtunnel/expert";
import type { CostSequence } from "@windtunnel/gpu";
import type { Program } from "@windtunnel/virtual-time";
import type { StepKind } from "./plan.ts";
import type { TimedLayer } from "./timed-layers.ts";

/**
 * The operations of a micro-batch in an MoE layer, each issued once for each layer. Those of one layer depend on each
 * other in this order, `shared` on `attention1` alone; a layer's `attention0` on the layer's before `receiveCombine` and
 * `shared`. A schedule that breaks this is refused when it does (`micro-batch-order.ts`).
 */
export interface ScheduledMicroBatch {
  /** ATTN-0: norm, query and latent projections, rotation. */
  attention0(layer: TimedLayer): void;
  /** ATTN-1: attention core, output projection, gate. */
  attention1(layer: TimedLayer): void;
  /** Rows leave for their experts. Patterns whose host waits for counts wait here. */
  sendDispatch(layer: TimedLayer): Program;
  /**
   * Waits until all rows for this rank's experts are here. `followedBy`: kernels that run at least between the last
   * arrival and the program's next send, whichever micro-batch sends; the more a schedule promises, the longer hosts run
   * without each other. A promise that does not hold stops the run.
   */
  receiveDispatch(layer: TimedLayer, followedBy?: FollowedBy): Program;
  /** MLP: this rank's routed experts over the rows that arrived. */
  mlp(layer: TimedLayer): void;
  /** Outputs leave for the ranks of their tokens. */
  sendCombine(layer: TimedLayer): Program;
  /**
   * Waits until all outputs for this rank's tokens are here; `followedBy` as above, or "report" where this ends the step and the
   * rank sends nothing more to others.
   */
  receiveCombine(layer: TimedLayer, followedBy?: FollowedBy): Program;
  /** SHARED: the shared experts. */
  shared(layer: TimedLayer): void;
  /** What may be promised, for the operations that come next. */
  readonly least: LeastKernels;
}

/** Kernels that run at least, whatever the gates of other ranks choose. */
export interface LeastKernels {
  /** From a layer's last output to the next dispatch, when nothing else comes between: attention, gate, sending. */
  untilDispatch(): CostSequence;
  /** From a dispatch's last row to its combine: receiving, experts, sending. */
  untilCombine(layer: TimedLayer): CostSequence;
  /** The same behind `receiveDispatch`, where nothing else is sent before: experts, sending. */
  expertsAndCombine(layer: TimedLayer): CostSequence;
  /** To send a dispatch whose gate is issued already, or a combine whose experts are. */
  toSend(phase: "dispatch" | "combine", layer: TimedLayer): CostSequence;
}

/** The MoE layers of one step on one rank. */
export interface MoeSteps {
  readonly layers: readonly TimedLayer[];
  /** As many as the schedule asks for; some may be without tokens. */
  readonly microBatches: readonly ScheduledMicroBatch[];
  readonly kind: StepKind;
}

export interface Schedule {
  readonly name: string;
  readonly kinds: readonly StepKind[];
  readonly microBatchCount: 1 | 2;
  /** Whether kernels of exchanges run on the pattern's own stream, beside computing ones, which leave them their SMs. */
  readonly overlaps: boolean;
  /** SMs of a pattern that holds some, unless the scenario says otherwise; absent: 20, DeepEP's own. */
  readonly communicationSms?: number;
  /** The micro-batch whose attention comes first in a layer: of a prompt that is cut in two it gets the first part. */
  readonly leading?: 0 | 1;
  /** Set where it is a user's: what it does wrong is an error of that file. */
  readonly file?: string;
  /** All MoE layers, from the dense ones' output to the last residual. */
  moeLayers(step: MoeSteps): Program;
}
