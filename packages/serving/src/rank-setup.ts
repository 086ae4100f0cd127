// What a rank's program stands on: its GPU, its unit, the timed model, and the executed one with its weights.

import type { Duration } from "@windtunnel/base";
import type { Gpu, WeightPrecision } from "@windtunnel/gpu";
import type { DispatchPattern, Unit } from "@windtunnel/expert";
import type { LayerContext, ModelConfig, ModelWeights, WirePrecision } from "@windtunnel/model";
import type { ExpertPlacement } from "@windtunnel/router";
import type { TensorMemory } from "@windtunnel/tensor";
import type { StepKind } from "./plan.ts";
import type { RankWork } from "./rank-work.ts";
import type { Schedule } from "./schedule.ts";
import type { TimedLayer } from "./timed-layers.ts";

/** The small real model, as one rank sees it. Context and weights are shared by the ranks of a thread. */
export interface ExecutedModel {
  readonly config: ModelConfig;
  readonly weights: ModelWeights;
  readonly context: LayerContext;
  readonly memory: TensorMemory;
  /** For cached positions whose contents are drawn. */
  readonly seed: number;
}

export interface TimedModel {
  readonly config: ModelConfig;
  readonly layers: readonly TimedLayer[];
  readonly weightPrecision: WeightPrecision;
  /** Whether experts' SwiGLU and the cast of its result are one kernel. */
  readonly fusedActivation: boolean;
  /** Cached positions that every decoding request is priced with; undefined: as many as it has. */
  readonly cachedPositions: number | undefined;
}

export interface StepStyle {
  readonly schedule: Schedule;
  readonly pattern: DispatchPattern;
  /** Set where a step is a captured graph that one launch replays: the numbers of requests that graphs were captured for. */
  readonly graphSizes?: readonly number[];
}

export interface RankSetup {
  readonly gpu: Gpu;
  readonly rank: number;
  /** The expert-parallel unit, as this rank sees it. */
  readonly unit: Unit;
  /** What dispatch patterns keep on this rank from one exchange to the next. */
  readonly patternMemory: Map<string, unknown>;
  /** Over the network and back, at least. */
  readonly roundTrip: Duration;
  readonly placement: ExpertPlacement;
  readonly timed: TimedModel;
  /** What gives rows their routing: a model that is executed, or draws. */
  readonly work: RankWork;
  readonly wire: WirePrecision;
  readonly styles: Readonly<Record<StepKind, StepStyle>>;
  /** Rows that the rank ever has in a step. */
  readonly maxRows: number;
  /** Told of every dispatch: one for each MoE layer and micro-batch. */
  readonly onExchange?: () => void;
}
