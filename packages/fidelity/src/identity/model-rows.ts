// I1, I2 and I9: bytes of a token in the KV cache, operations of training, bytes of the weights and what they fit into.

import { cacheBytesPerPosition } from "@windtunnel/attention-dp";
import { expandedAttention, type HeadShape } from "@windtunnel/gpu";
import { describeModel, findPreset } from "@windtunnel/model";
import { comparedRow, exactRow, exactText, type FidelityRow } from "../row.ts";
import {
  denseCacheBytesPerPosition,
  type DenseModel,
  denseMultipliedParameters,
  LLAMA_405B,
  QWEN_72B,
} from "./dense-models.ts";

const V3 = findPreset("deepseek-v3").config;
const V2 = findPreset("deepseek-v2").config;

export function cacheRows(): FidelityRow[] {
  const row = (name: string, published: number, ours: number): FidelityRow =>
    exactRow({
      quantity: `KV cache of a token, BF16, ${name}`,
      published,
      ours,
      unit: "bytes",
      decimals: 0,
      source: "ISCA'25 paper, table 1",
    });
  return [
    row("DeepSeek-V3", 70_272, cacheBytesPerPosition(V3)),
    row(QWEN_72B.name, 327_680, denseCacheBytesPerPosition(QWEN_72B)),
    row(LLAMA_405B.name, 516_096, denseCacheBytesPerPosition(LLAMA_405B)),
  ];
}

const TRAINED_POSITIONS = 4096;
/** Forward and backward: three times the forward pass. */
const PASSES = 3;

/** Two operations for each parameter and pass, and the causal attention core. */
function trainingFlops(multipliedParameters: number, layers: number, shape: HeadShape): number {
  const sequence = { newPositions: [TRAINED_POSITIONS], contextPositions: [TRAINED_POSITIONS] };
  const core = (layers * expandedAttention(shape, sequence).flops) / TRAINED_POSITIONS;
  return PASSES * (2 * multipliedParameters + core);
}

export function trainingRows(): FidelityRow[] {
  const row = (name: string, published: number, flops: number, note?: string): FidelityRow =>
    comparedRow("shown", {
      quantity: `training operations of a token at 4,096 positions, ${name}`,
      published,
      ours: flops / 1e9,
      unit: "GFLOP",
      decimals: 1,
      source: "ISCA'25 paper, table 2",
      note,
    });
  const ofDense = (model: DenseModel): number => {
    const shape = { heads: model.heads, keySize: model.headSize, valueSize: model.headSize };
    return trainingFlops(denseMultipliedParameters(model), model.layers, shape);
  };
  const ofMoe = (config: typeof V3): number =>
    trainingFlops(describeModel(config).activatedParameters, config.layerCount, {
      heads: config.headCount,
      keySize: config.nopeSize + config.ropeSize,
      valueSize: config.valueSize,
    });
  const open =
    "The paper does not say which parameters it counts; two operations for each of them give more.";
  return [
    row("DeepSeek-V2", 155, ofMoe(V2)),
    row("DeepSeek-V3", 249.7, ofMoe(V3)),
    row(QWEN_72B.name, 394, ofDense(QWEN_72B), open),
    row(LLAMA_405B.name, 2448, ofDense(LLAMA_405B)),
  ];
}

const WEIGHT_BYTES = { BF16: 2, FP8: 1, INT4: 0.5 } as const;
type Precision = keyof typeof WEIGHT_BYTES;

/** Nominal sizes, 1e9 bytes a gigabyte: GPUs, gigabytes of each, and what was published to fit. */
const MACHINES: readonly [number, number, Partial<Record<Precision, boolean>>][] = [
  [1, 80, { FP8: false, INT4: false }],
  [4, 80, { INT4: false }],
  [8, 80, { FP8: false, INT4: true }],
  [8, 96, { FP8: true }],
  [8, 141, { FP8: true }],
  [16, 80, { FP8: true, BF16: false }],
  [1, 192, { INT4: false }],
  [1, 512, { INT4: true }],
];

export function weightRows(): FidelityRow[] {
  const { totalParameters } = describeModel(V3);
  const gigabytes = (precision: Precision): number => (totalParameters * WEIGHT_BYTES[precision]) / 1e9;
  const source = "arithmetic, 671 B parameters";
  const sizes = (
    [
      ["BF16", 1342],
      ["FP8", 671],
      ["INT4", 336],
    ] as const
  ).map(([precision, published]) =>
    exactRow({
      quantity: `weights of DeepSeek-V3, ${precision}`,
      published,
      ours: gigabytes(precision),
      unit: "GB",
      decimals: 0,
      source,
    }),
  );
  const said = (isFit: boolean): string => (isFit ? "fits" : "does not fit");
  const fits = MACHINES.flatMap(([count, size, published]) =>
    (Object.entries(published) as [Precision, boolean][]).map(([precision, isFit]) =>
      exactText({
        quantity: `${precision} into ${count} × ${size} GB`,
        published: said(isFit),
        ours: said(gigabytes(precision) <= count * size),
        source,
      }),
    ),
  );
  return [...sizes, ...fits];
}
