// What the operations of a micro-batch cost that are the same in every layer: each is made when it is first asked for. No
// rows, no kernels.

import { type AttentionLoad, coreCost, projectionCost } from "@windtunnel/attention-dp";
import { type Duration, NO_TIME } from "@windtunnel/base";
import { gateCost, mlpCost } from "@windtunnel/expert";
import type { CostSequence, Gpu } from "@windtunnel/gpu";
import type { RankSetup } from "./rank-setup.ts";

/** A cost that is asked for again and again, with what it takes on the SMs that it was last asked for. */
export class RepeatedCost {
  readonly cost: CostSequence;
  #sms = 0;
  #needed: Duration = NO_TIME;

  constructor(cost: CostSequence) {
    this.cost = cost;
  }

  /** On a GPU, always the same one. */
  neededOn(gpu: Gpu, sms: number): Duration {
    if (sms !== this.#sms) {
      this.#needed = gpu.durationOf(this.cost, sms);
      this.#sms = sms;
    }
    return this.#needed;
  }
}

export class MicroBatchCosts {
  readonly #timed: RankSetup["timed"];
  readonly #load: AttentionLoad;
  readonly #rows: number;
  #projection: RepeatedCost | undefined;
  #core: RepeatedCost | undefined;
  #gate: RepeatedCost | undefined;
  #dense: RepeatedCost | undefined;
  #shared: RepeatedCost | undefined;

  /** `rows`: what kernels are priced for. */
  constructor(timed: RankSetup["timed"], load: AttentionLoad, rows: number) {
    this.#timed = timed;
    this.#load = load;
    this.#rows = rows;
  }

  get projection(): RepeatedCost {
    const { config, weightPrecision } = this.#timed;
    this.#projection ??= this.#unlessEmpty(() => projectionCost(config, weightPrecision, this.#load));
    return this.#projection;
  }

  get core(): RepeatedCost {
    const { config, weightPrecision } = this.#timed;
    this.#core ??= this.#unlessEmpty(() => coreCost(config, weightPrecision, this.#load));
    return this.#core;
  }

  get gate(): RepeatedCost {
    this.#gate ??= this.#unlessEmpty(() => gateCost(this.#timed.config, this.#rows));
    return this.#gate;
  }

  get dense(): RepeatedCost {
    this.#dense ??= this.#mlp(this.#timed.config.denseInnerSize);
    return this.#dense;
  }

  get shared(): RepeatedCost {
    const { sharedExpertCount, expertInnerSize } = this.#timed.config;
    this.#shared ??= this.#mlp(sharedExpertCount * expertInnerSize);
    return this.#shared;
  }

  #mlp(innerSize: number): RepeatedCost {
    const { config, weightPrecision } = this.#timed;
    return this.#unlessEmpty(() =>
      innerSize === 0 ? [] : mlpCost(config, weightPrecision, this.#rows, innerSize),
    );
  }

  #unlessEmpty(make: () => CostSequence): RepeatedCost {
    return new RepeatedCost(this.#rows === 0 ? [] : make());
  }
}
