// Roofline: how long an operation takes on a share of a GPU. Pure arithmetic over a hardware profile.

import {
  type Duration,
  invariant,
  microseconds,
  picoseconds,
  PICOSECONDS_PER_SECOND,
} from "@windtunnel/base";
import type { HardwareProfile } from "./hardware-profile.ts";

/** What an operation asks of the GPU. */
export interface OperationCost {
  /** Which efficiency its arithmetic reaches. */
  readonly kind: "gemm" | "attention";
  readonly precision: "bf16" | "fp8";
  readonly flops: number;
  /** Read and written in HBM. */
  readonly bytes: number;
  /** Kernels that it launches: each has its overhead on the GPU and on the host. */
  readonly kernels: number;
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

  /** The time on `sms` of the GPU's streaming multiprocessors. */
  duration(costs: CostSequence, sms: number): Duration {
    const { profile } = this;
    invariant(sms > 0 && sms <= profile.sms, `${sms} of ${profile.sms} SMs`);
    const share = sms / profile.sms;
    let total = 0;
    for (const cost of costs) {
      const arithmetic = cost.flops / (profile.flops[cost.precision] * profile.efficiency[cost.kind]);
      const traffic = cost.bytes / (profile.memoryBytesPerSecond * profile.efficiency.memory);
      const busy = (Math.max(arithmetic, traffic) / share) * PICOSECONDS_PER_SECOND;
      total += busy + cost.kernels * microseconds(profile.kernelOverheadUs);
    }
    return picoseconds(total / this.#speed);
  }

  /** Host time to launch them. */
  launchTime(costs: CostSequence): Duration {
    const kernels = costs.reduce((sum, cost) => sum + cost.kernels, 0);
    return picoseconds(kernels * microseconds(this.profile.launchUs));
  }
}
