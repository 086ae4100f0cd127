// Kernels of a layer that no span shows by themselves, priced by the cost model on the SMs that a schedule leaves them.

import { type AttentionLoad, coreCost, projectionCost } from "@windtunnel/attention-dp";
import { defined, PICOSECONDS_PER_MICROSECOND } from "@windtunnel/base";
import { CostModel, HARDWARE_PROFILES, matrixProduct, type OperationCost } from "@windtunnel/gpu";
import { findPreset } from "@windtunnel/model";
import type { StepConditions } from "./step-scenario.ts";

/** SMs of communication in DeepSeek's prefill (mechanics §4.1); decode leaves all to computing kernels. */
const PREFILL_COMMUNICATION_SMS = 24;
const MICRO_BATCHES = 2;

/** Both micro-batches' attention cores, and all matrix products but those of routed experts, in microseconds. */
export function layerKernels(conditions: StepConditions): {
  readonly coreUs: number;
  readonly productsUs: number;
} {
  const { config } = findPreset("deepseek-v3");
  const model = new CostModel(defined(HARDWARE_PROFILES.get(conditions.gpu), conditions.gpu));
  const isPrefill = conditions.kind === "prefill";
  const sms = model.profile.sms - (isPrefill ? PREFILL_COMMUNICATION_SMS : 0);
  const load = loadOf(conditions);
  const rows = load.newPositions.reduce((sum, count) => sum + count, 0);
  const core = coreCost(config, "fp8", load);
  const { hiddenSize, expertInnerSize, expertCount } = config;
  const all: OperationCost[] = [
    ...projectionCost(config, "fp8", load),
    ...core,
    matrixProduct(rows, hiddenSize, expertCount, "bf16"),
    matrixProduct(rows, hiddenSize, 2 * expertInnerSize, "fp8"),
    matrixProduct(rows, expertInnerSize, hiddenSize, "fp8"),
  ];
  const us = (costs: readonly OperationCost[]): number =>
    (MICRO_BATCHES * model.duration(costs, sms)) / PICOSECONDS_PER_MICROSECOND;
  return {
    coreUs: us(core.filter(({ shape }) => shape.kind.endsWith("-attention"))),
    productsUs: us(all.filter(({ shape }) => shape.kind === "product")),
  };
}

/** Of one micro-batch: half of the requests. */
function loadOf({ kind, requestsPerGpu, positions, positionsPerRequest = 1 }: StepConditions): AttentionLoad {
  const each = <Value>(value: Value): Value[] =>
    Array.from({ length: requestsPerGpu / MICRO_BATCHES }, () => value);
  return kind === "prefill"
    ? { form: "expanded", newPositions: each(positions), contextPositions: each(positions) }
    : {
        form: "absorbed",
        newPositions: each(positionsPerRequest),
        contextPositions: each(positions + positionsPerRequest),
      };
}
