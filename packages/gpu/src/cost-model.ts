// What an operation asks of a GPU, and how long a sequence of kernels takes on some of its SMs.

import {
  type Duration,
  invariant,
  microseconds,
  picoseconds,
  PICOSECONDS_PER_MICROSECOND,
} from "@windtunnel/base";
import { type ExchangeKernel, exchangeKernelTime } from "./exchange-costs.ts";
import type { HardwareProfile } from "./hardware-profile.ts";
import { kernelTime } from "./kernel-time.ts";

/**
 * How the rows of a grouped product are divided among its matrices: the same number for each; unevenly, as a gate
 * chooses; or whichever way takes least, for a bound.
 */
export type RowSpread = "even" | "uneven" | "least";

/** The kind of a kernel, and what its time depends on beside operations and bytes. */
export type KernelShape =
  /** [rows, inputs] by [inputs, outputs], each row with one of `matrices`. */
  | {
      readonly kind: "product";
      readonly rows: number;
      readonly inputs: number;
      readonly outputs: number;
      readonly matrices: number;
      readonly spread: RowSpread;
    }
  /** Moves bytes as they are. */
  | { readonly kind: "copy" }
  /** Reads, computes next to nothing, writes. */
  | { readonly kind: "stream" }
  /** As `stream`, and finds the largest of every 128 values before it writes them. */
  | { readonly kind: "cast" }
  /** As `stream`, and reduces each row. */
  | { readonly kind: "rows"; readonly rows: number }
  /** Counts rows by expert and finds their places: bound by atomics and single elements, not by bytes. */
  | { readonly kind: "index"; readonly rows: number }
  /** Blocks of query rows over all requests, and the positions that each of them passes. */
  | {
      readonly kind: "absorbed-attention";
      readonly queryBlocks: number;
      readonly blockPositions: number;
      readonly flopsPerBlockPosition: number;
    }
  /** Tiles of query rows over all requests and heads. */
  | { readonly kind: "expanded-attention"; readonly tiles: number };

/** What an operation asks of the GPU. */
export interface OperationCost {
  readonly shape: KernelShape;
  readonly precision: "bf16" | "fp8";
  readonly flops: number;
  /** Read and written in HBM. */
  readonly bytes: number;
  /** Kernels that it launches: each has its overhead on the GPU and on the host. */
  readonly kernels: number;
  /** Set on kernels of dispatch and combine; see `exchange-costs.ts`. */
  readonly exchange?: ExchangeKernel;
}

/** Several kernels in a row, each bound by itself. */
export type CostSequence = readonly OperationCost[];

export class CostModel {
  readonly profile: HardwareProfile;
  readonly #speed: number;

  /** `speed` below 1 makes everything on this GPU slower by that factor. */
  constructor(profile: HardwareProfile, speed: number = 1) {
    invariant(speed > 0, `a GPU's speed is above zero, not ${speed}`);
    this.profile = profile;
    this.#speed = speed;
  }

  /**
   * The time on `sms` of the GPU's streaming multiprocessors, each kernel with the gap behind it. Kernels of dispatch and
   * combine have theirs in their fitted times.
   */
  duration(costs: CostSequence, sms: number): Duration {
    const { profile } = this;
    invariant(sms > 0 && sms <= profile.sms, `${sms} of ${profile.sms} SMs`);
    let total = 0;
    for (const cost of costs) {
      total +=
        cost.exchange === undefined
          ? kernelTime({ cost, sms, profile }) + cost.kernels * profile.gapUs * PICOSECONDS_PER_MICROSECOND
          : exchangeKernelTime(cost.exchange, cost, sms, profile);
    }
    return picoseconds(total / this.#speed);
  }

  /** Host time to launch them. */
  launchTime(costs: CostSequence): Duration {
    const kernels = costs.reduce((sum, cost) => sum + cost.kernels, 0);
    return picoseconds(kernels * microseconds(this.profile.launchUs));
  }
}
