// Models that come with Windtunnel. The full-sized ones are for timing: no laptop executes them. The others are
// executed with weights drawn from a seed (drawn-weights.ts).

import { inputError } from "@windtunnel/base";
import type { ModelConfig, YarnConfig } from "./config.ts";
import { totalParameterCount } from "./parameter-counts.ts";

export interface Preset {
  readonly name: string;
  readonly config: ModelConfig;
  readonly parameters: number;
  /** Bytes of all parameters as 32-bit floats, as they are executed. */
  readonly bytes: number;
  /** Small enough for one machine; the others only give their sizes to the clock. */
  readonly isExecutable: boolean;
}

const YARN: YarnConfig = {
  factor: 40,
  originalPositions: 4096,
  betaFast: 32,
  betaSlow: 1,
  mscale: 1,
  mscaleAllDim: 1,
};

// mechanics §1.1
const DEEPSEEK_V3: ModelConfig = {
  family: "deepseek_v3",
  vocabularySize: 129_280,
  hiddenSize: 7168,
  denseInnerSize: 18_432,
  expertInnerSize: 2048,
  layerCount: 61,
  denseLayerCount: 3,
  headCount: 128,
  expertCount: 256,
  sharedExpertCount: 1,
  expertsPerToken: 8,
  groupCount: 8,
  limitedGroupCount: 4,
  gate: "sigmoid",
  selection: "noaux",
  normalizeWeights: true,
  routedScale: 2.5,
  queryRank: 1536,
  latentSize: 512,
  nopeSize: 128,
  ropeSize: 64,
  valueSize: 128,
  ropeTheta: 10_000,
  yarn: YARN,
  maxPositions: 163_840,
  epsilon: 1e-6,
  tiedEmbeddings: false,
  scaleFormat: "f32",
  mtpLayerCount: 1,
};

// The released config says 0.707, DeepSeek's own reference 1; the released one counts.
// oxlint-disable-next-line oxc/approx-constant -- the released number, not 1/sqrt(2)
const V2_MSCALE = 0.707;

const DEEPSEEK_V2: ModelConfig = {
  ...DEEPSEEK_V3,
  family: "deepseek_v2",
  vocabularySize: 102_400,
  hiddenSize: 5120,
  denseInnerSize: 12_288,
  expertInnerSize: 1536,
  layerCount: 60,
  denseLayerCount: 1,
  expertCount: 160,
  sharedExpertCount: 2,
  expertsPerToken: 6,
  limitedGroupCount: 3,
  gate: "softmax",
  selection: "group-limited",
  normalizeWeights: false,
  routedScale: 16,
  yarn: { ...YARN, mscale: V2_MSCALE, mscaleAllDim: V2_MSCALE },
  mtpLayerCount: 0,
};

const DEEPSEEK_V2_LITE: ModelConfig = {
  ...DEEPSEEK_V2,
  hiddenSize: 2048,
  denseInnerSize: 10_944,
  expertInnerSize: 1408,
  layerCount: 27,
  headCount: 16,
  expertCount: 64,
  groupCount: 1,
  limitedGroupCount: 1,
  selection: "greedy",
  routedScale: 1,
  queryRank: null,
};

const V3_SCALE: ModelConfig = {
  ...DEEPSEEK_V3,
  vocabularySize: 4096,
  hiddenSize: 256,
  denseInnerSize: 512,
  expertInnerSize: 128,
  layerCount: 8,
  denseLayerCount: 1,
  headCount: 8,
  queryRank: 128,
  latentSize: 64,
  nopeSize: 32,
  ropeSize: 16,
  valueSize: 32,
  mtpLayerCount: 0,
};

const V3_SMALL: ModelConfig = {
  ...V3_SCALE,
  vocabularySize: 1024,
  hiddenSize: 128,
  denseInnerSize: 256,
  expertInnerSize: 64,
  layerCount: 4,
  headCount: 4,
  expertCount: 64,
  queryRank: 64,
};

const V3_TINY: ModelConfig = {
  ...V3_SMALL,
  vocabularySize: 512,
  hiddenSize: 64,
  denseInnerSize: 128,
  layerCount: 3,
  expertCount: 16,
  expertsPerToken: 4,
  groupCount: 4,
  limitedGroupCount: 2,
  queryRank: 32,
  latentSize: 32,
  nopeSize: 16,
  ropeSize: 8,
  valueSize: 16,
};

const PRESETS: readonly Preset[] = [
  preset("v3-tiny", V3_TINY, true),
  preset("v3-small", V3_SMALL, true),
  preset("v3-scale", V3_SCALE, true),
  preset("deepseek-v2-lite", DEEPSEEK_V2_LITE, false),
  preset("deepseek-v2", DEEPSEEK_V2, false),
  preset("deepseek-v3", DEEPSEEK_V3, false),
];

/** All presets, the smallest first. */
export function listPresets(): readonly Preset[] {
  return PRESETS;
}

/** The preset of that name; an input error lists the names that exist. */
export function findPreset(name: string): Preset {
  const found = PRESETS.find((candidate) => candidate.name === name);
  if (found !== undefined) return found;
  const allowed = PRESETS.map((candidate) => candidate.name).join(", ");
  throw inputError(`no preset is called "${name}"; there are ${allowed}`, {
    path: "preset",
    found: name,
    allowed,
  });
}

function preset(name: string, config: ModelConfig, isExecutable: boolean): Preset {
  const parameters = totalParameterCount(config);
  return { name, config, parameters, bytes: parameters * Float32Array.BYTES_PER_ELEMENT, isExecutable };
}
