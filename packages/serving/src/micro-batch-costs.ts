// What the operations of a micro-batch cost that are the same in every layer: each is made when it is first asked for. No
// rows, no kernels.

import { type AttentionLoad, coreCost, projectionCost } from "@windtunnel/attention-dp";
import { gateCost, mlpCost } from "@windtunnel/expert";
import type { CostSequence } from "@windtunnel/gpu";
import type { RankSetup } from "./rank-setup.ts";

export class MicroBatchCosts {
  readonly #timed: RankSetup["timed"];
  readonly #load: AttentionLoad;
  readonly #rows: number;
  #projection: CostSequence | undefined;
  #core: CostSequence | undefined;
  #gate: CostSequence | undefined;
  #dense: CostSequence | undefined;
  #shared: CostSequence | undefined;

  /** `rows`: what kernels are priced for. */
  constructor(timed: RankSetup["timed"], load: AttentionLoad, rows: number) {
    this.#timed = timed;
    this.#load = load;
    this.#rows = rows;
  }

  get projection(): CostSequence {
    const { config, weightPrecision } = this.#timed;
    this.#projection ??= this.#rows === 0 ? [] : projectionCost(config, weightPrecision, this.#load);
    return this.#projection;
  }

  get core(): CostSequence {
    const { config, weightPrecision } = this.#timed;
    this.#core ??= this.#rows === 0 ? [] : coreCost(config, weightPrecision, this.#load);
    return this.#core;
  }

  get gate(): CostSequence {
    this.#gate ??= this.#rows === 0 ? [] : gateCost(this.#timed.config, this.#rows);
    return this.#gate;
  }

  get dense(): CostSequence {
    this.#dense ??= this.#mlp(this.#timed.config.denseInnerSize);
    return this.#dense;
  }

  get shared(): CostSequence {
    const { sharedExpertCount, expertInnerSize } = this.#timed.config;
    this.#shared ??= this.#mlp(sharedExpertCount * expertInnerSize);
    return this.#shared;
  }

  #mlp(innerSize: number): CostSequence {
    const { config, weightPrecision } = this.#timed;
    return this.#rows === 0 || innerSize === 0 ? [] : mlpCost(config, weightPrecision, this.#rows, innerSize);
  }
}
