// What a schedule is: the order of a step's operations on a rank. It is written with the operations of micro-batches,
// in the order of its published table.

import type { Program } from "@windtunnel/virtual-time";
import type { MicroBatch } from "./micro-batch.ts";
import type { StepKind } from "./plan.ts";
import type { TimedLayer } from "./timed-layers.ts";

/** The MoE layers of one step on one rank. */
export interface MoeSteps {
  readonly layers: readonly TimedLayer[];
  /** As many as the schedule asks for; some may be without tokens. */
  readonly microBatches: readonly MicroBatch[];
}

export interface Schedule {
  readonly name: "sequential" | "five-stage";
  readonly kinds: readonly StepKind[];
  readonly microBatchCount: 1 | 2;
  /** Whether kernels of exchanges run on the pattern's own stream, beside computing ones, which leave them their SMs. */
  readonly overlaps: boolean;
  /** All MoE layers, from the dense ones' output to the last residual. */
  moeLayers(step: MoeSteps): Program;
}
