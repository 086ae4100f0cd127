// What an MoE benchmark does, before anything is allocated: the model's sizes, the experts' owners, the ranks of each
// host, the drawn tokens, and how much memory that takes. Plain data and arithmetic; every host makes the same plan.

import { inputError, RandomStream } from "@windtunnel/base";
import { EXPERT_PIECE_ROWS } from "@windtunnel/expert";
import { findPreset, type ModelConfig, type WeightsLayout, weightsLayout } from "@windtunnel/model";
import { type ExpertPlacement, ownerOf, placeExperts } from "@windtunnel/router";
import { TensorMemory } from "@windtunnel/tensor";
import { hostCount, type Placement } from "../src/scenario/placement.ts";

export interface MoeBenchOptions {
  readonly hiddenSize: number;
  readonly innerSize: number;
  readonly expertCount: number;
  readonly expertsPerToken: number;
  readonly rankCount: number;
  readonly tokensPerRank: number;
  readonly layerCount: number;
  readonly placement: Placement;
  /** Timed repetitions, of which the median counts; 9 when absent. */
  readonly repetitions?: number;
}

export interface MoePlan extends Omit<MoeBenchOptions, "placement" | "repetitions"> {
  readonly config: ModelConfig;
  readonly experts: ExpertPlacement;
  readonly hostCount: number;
  readonly warmUps: number;
  readonly repetitions: number;
}

export const SEED = 11;
/** Rounds after which code is compiled and pages are there. */
const WARM_UPS = 2;
const REPETITIONS = 9;
/**
 * How much of every token is the same for all: it makes some experts better liked than others, by a factor of about
 * e^(0.25 · 1.9 · z) with a normal z, since the best 8 of 256 begin 1.9 deviations above the mean.
 */
const COMMON_PART = 0.25;
const FLOAT_BYTES = 4;
/** Staging of kernels, alignment, and what else is small. */
const SLACK_BYTES = 4 * 1024 ** 2;

export function planMoe(options: MoeBenchOptions): MoePlan {
  const { placement, repetitions = REPETITIONS, ...sizes } = options;
  const { expertCount, expertsPerToken, rankCount } = sizes;
  const hosts = hostCount(placement);
  if (expertsPerToken > expertCount) {
    throw inputError(`a token can't choose ${expertsPerToken} of ${expertCount} experts`, {
      path: "topk",
      found: expertsPerToken,
      allowed: `at most ${expertCount}`,
    });
  }
  if (hosts > rankCount) {
    throw inputError(`${hosts} hosts for ${rankCount} ranks`, {
      path: "placement",
      found: hosts,
      allowed: `at most ${rankCount} hosts, one for each rank`,
    });
  }
  return {
    ...sizes,
    config: configOf(options),
    experts: placeExperts({ expertCount, degree: rankCount }),
    hostCount: hosts,
    warmUps: WARM_UPS,
    repetitions,
  };
}

/** MoE layers alone: a sigmoid gate with a correction bias over one group, no shared experts, next to no attention. */
function configOf(options: MoeBenchOptions): ModelConfig {
  return {
    ...findPreset("v3-tiny").config,
    vocabularySize: 1,
    hiddenSize: options.hiddenSize,
    expertInnerSize: options.innerSize,
    layerCount: options.layerCount,
    denseLayerCount: 0,
    expertCount: options.expertCount,
    expertsPerToken: options.expertsPerToken,
    sharedExpertCount: 0,
    groupCount: 1,
    limitedGroupCount: 1,
    headCount: 1,
    queryRank: null,
    latentSize: 1,
    nopeSize: 1,
    ropeSize: 2,
    valueSize: 1,
  };
}

/** Consecutive ranks on consecutive hosts, as evenly as they divide. */
export function ranksOfHost(plan: Pick<MoePlan, "rankCount" | "hostCount">, host: number): number[] {
  const { rankCount, hostCount: hosts } = plan;
  const ranks = Array.from({ length: rankCount }, (_, rank) => rank);
  return ranks.filter((rank) => Math.floor((rank * hosts) / rankCount) === host);
}

/** A rank's tokens [tokensPerRank, hidden]: uneven choices come from what they have in common. */
export function drawTokens(plan: MoePlan, rank: number, into: Float32Array): void {
  const { hiddenSize } = plan;
  const common = new RandomStream(SEED, "moe bench, common");
  const own = new RandomStream(SEED, `moe bench, rank ${rank}`);
  const shared = Float64Array.from({ length: hiddenSize }, () => COMMON_PART * common.normal());
  for (let i = 0; i < into.length; i++) into[i] = own.normal() + shared[i % hiddenSize]!;
}

/** The tensor memory of an operating-system process, and where the weights lie in it. Crosses to workers. */
export interface MoeSpace {
  readonly memory: TensorMemory["memory"];
  readonly weights: WeightsLayout;
}

/** Reserves memory for the experts of `ranks`, and for `threadCount` threads that compute. */
export function createMoeSpace(plan: MoePlan, ranks: readonly number[], threadCount: number): MoeSpace {
  const held = new Set(ranks);
  const holds = (_layer: number, expert: number): boolean => held.has(ownerOf(plan.experts, expert));
  const { byteLength } = weightsLayout(plan.config, holds, 0);
  const rows = plan.rankCount * plan.tokensPerRank * plan.hiddenSize * FLOAT_BYTES;
  // Two copies of the tokens for the hosts, two for the twin.
  const bytes =
    byteLength + 4 * rows + (threadCount + 1) * (scratchBytes(plan) + SLACK_BYTES) + twinBytes(plan);
  const memory = TensorMemory.create(bytes);
  return { memory: memory.memory, weights: weightsLayout(plan.config, holds, memory.allocate(byteLength)) };
}

/** Scratch of a thread that runs ranks: gate and combine of one rank, or a piece of rows through experts. */
export function scratchBytes(plan: MoePlan): number {
  const { tokensPerRank, expertCount, expertsPerToken, hiddenSize } = plan;
  const gate = tokensPerRank * (2 * expertCount + 4 * expertsPerToken);
  const combine = tokensPerRank * (expertsPerToken + 3) * hiddenSize;
  return FLOAT_BYTES * (gate + combine + expertElements(plan, EXPERT_PIECE_ROWS)) + SLACK_BYTES;
}

/** Scratch of the one-process twin, which takes all tokens of all ranks at once. */
export function twinBytes(plan: MoePlan): number {
  const { rankCount, tokensPerRank, expertCount, expertsPerToken, hiddenSize } = plan;
  const tokens = rankCount * tokensPerRank;
  const gate = tokens * (2 * expertCount + 4 * expertsPerToken);
  return (
    FLOAT_BYTES * (gate + 4 * tokens * hiddenSize + expertElements(plan, tokens * expertsPerToken)) +
    SLACK_BYTES
  );
}

function expertElements({ hiddenSize, innerSize }: MoePlan, rows: number): number {
  return rows * (3 * hiddenSize + 3 * innerSize);
}
