// Whether the timed model fits the emulated GPUs: weights, KV cache and exchange buffers of one GPU against its memory.

import { WorldError } from "@windtunnel/base";
import { cacheBytesPerPosition } from "@windtunnel/attention-dp";
import { type HardwareProfile, WEIGHT_BYTES, type WeightPrecision } from "@windtunnel/gpu";
import {
  attentionParameterCount,
  denseParameterCount,
  expertParameterCount,
  type ModelConfig,
} from "@windtunnel/model";

export interface MemoryNeed {
  readonly weightBytes: number;
  readonly cacheBytes: number;
  readonly bufferBytes: number;
}

export interface MemoryQuestion {
  readonly timed: ModelConfig;
  readonly precision: WeightPrecision;
  /** Routed experts in each MoE layer of a GPU, every replica counted. */
  readonly expertsPerRank: number;
  /** Cached positions of the fullest rank, over all its requests. */
  readonly cachedPositions: number;
  /** Most tokens of a rank in one exchange. */
  readonly tokensPerExchange: number;
}

export function memoryNeed(question: MemoryQuestion): MemoryNeed {
  const { timed, precision, expertsPerRank, cachedPositions, tokensPerExchange } = question;
  const moeLayers = timed.layerCount - timed.denseLayerCount;
  const experts = moeLayers * (expertsPerRank + timed.sharedExpertCount) * expertParameterCount(timed);
  const everywhere =
    timed.layerCount * attentionParameterCount(timed) + timed.denseLayerCount * denseParameterCount(timed);
  const bf16 =
    WEIGHT_BYTES.bf16 * timed.hiddenSize * (2 * timed.vocabularySize + moeLayers * timed.expertCount);
  return {
    weightBytes: (experts + everywhere) * WEIGHT_BYTES[precision] + bf16,
    cacheBytes: cachedPositions * cacheBytesPerPosition(timed),
    // Each token's row to each of its experts, sent and received, in two buffers (BF16 slots).
    bufferBytes: 2 * 2 * tokensPerExchange * timed.expertsPerToken * (16 + 2 * timed.hiddenSize),
  };
}

/** Refuses what does not fit, with the sum. */
export function checkMemory(question: MemoryQuestion, profile: HardwareProfile): void {
  const need = memoryNeed(question);
  const total = need.weightBytes + need.cacheBytes + need.bufferBytes;
  if (total <= profile.memoryBytes) return;
  const gigabytes = (bytes: number): string => (bytes / 1e9).toFixed(1);
  throw new WorldError(
    "oversubscribed",
    `the timed model does not fit the memory of ${profile.name}: ` +
      `${gigabytes(need.weightBytes)} GB of weights + ${gigabytes(need.cacheBytes)} GB of KV cache ` +
      `(${question.cachedPositions} positions) + ${gigabytes(need.bufferBytes)} GB of exchange buffers ` +
      `= ${gigabytes(total)} GB of ${gigabytes(profile.memoryBytes)} GB`,
    {
      path: "timing",
      found: `${gigabytes(total)} GB`,
      allowed:
        `at most ${gigabytes(profile.memoryBytes)} GB: fewer requests, a shorter kvLength, a higher degree, ` +
        "or --allow-oversubscription",
    },
  );
}
