// Rotary position embedding: frequencies with and without YaRN, the tables that kernels rotate by, and the softmax
// scale that belongs to them (mechanics §1.3). Computed in 64 bits with our own functions, rounded once.

import { cos, invariant, log, pow, sin } from "@windtunnel/base";
import type { RopeTables, Tensor } from "@windtunnel/tensor";
import type { ModelConfig, YarnConfig } from "./config.ts";

/** Radians per position for each pair of rotated dimensions: [ropeSize / 2]. */
export function rotaryFrequencies(config: ModelConfig): Float64Array {
  const { ropeSize, ropeTheta, yarn } = config;
  const plain = Float64Array.from({ length: ropeSize / 2 }, (_, pair) =>
    pow(ropeTheta, (-2 * pair) / ropeSize),
  );
  if (yarn === null) return plain;
  const { low, high } = correctionRange(config, yarn);
  return plain.map((frequency, pair) => {
    const ramp = Math.min(Math.max((pair - low) / (high - low), 0), 1);
    return (frequency / yarn.factor) * ramp + frequency * (1 - ramp);
  });
}

/** Pairs below `low` keep their frequency, those above `high` are stretched by the whole factor. */
function correctionRange(config: ModelConfig, yarn: YarnConfig): { low: number; high: number } {
  const { ropeSize, ropeTheta } = config;
  // The pair that turns `rotations` times over the original context.
  const pairOf = (rotations: number) =>
    (ropeSize * log(yarn.originalPositions / (2 * Math.PI * rotations))) / (2 * log(ropeTheta));
  const low = Math.max(Math.floor(pairOf(yarn.betaFast)), 0);
  const high = Math.min(Math.ceil(pairOf(yarn.betaSlow)), ropeSize - 1);
  return low === high ? { low, high: high + 0.001 } : { low, high };
}

/** Cosines and sines of positions 0 … positionCount - 1, each [positionCount, ropeSize / 2]. */
export function createRopeTables(
  config: ModelConfig,
  positionCount: number,
  allocate: (shape: readonly number[]) => Tensor,
): RopeTables {
  invariant(
    positionCount >= 1 && positionCount <= config.maxPositions,
    `rotary tables of ${positionCount} positions`,
  );
  const frequencies = rotaryFrequencies(config);
  const factor = rotaryMagnitude(config.yarn);
  const pairCount = frequencies.length;
  const cosines = allocate([positionCount, pairCount]);
  const sines = allocate([positionCount, pairCount]);
  for (let position = 0; position < positionCount; position++) {
    for (let pair = 0; pair < pairCount; pair++) {
      const angle = position * frequencies[pair]!;
      cosines.data[position * pairCount + pair] = cos(angle) * factor;
      sines.data[position * pairCount + pair] = sin(angle) * factor;
    }
  }
  return { cosines, sines };
}

/** (nope + rope)^-1/2, and with YaRN times mscale², for both families (mechanics §1.3, §12.5). */
export function softmaxScale(config: ModelConfig): number {
  const plain = 1 / Math.sqrt(config.nopeSize + config.ropeSize);
  if (config.yarn === null) return plain;
  return plain * square(magnitude(config.yarn, config.yarn.mscaleAllDim));
}

/** What YaRN multiplies cosines and sines by: 1 where both mscales are equal. */
function rotaryMagnitude(yarn: YarnConfig | null): number {
  if (yarn === null) return 1;
  return magnitude(yarn, yarn.mscale) / magnitude(yarn, yarn.mscaleAllDim);
}

function magnitude(yarn: YarnConfig, mscale: number): number {
  return 0.1 * mscale * log(yarn.factor) + 1;
}

/** The operator ** may round like Math.pow, differently from engine to engine. */
function square(value: number): number {
  return value * value;
}
