export {
  attentionBatch,
  type AttentionBatch,
  type AttentionForm,
  type AttentionSegment,
} from "./attention-batch.ts";
export { attentionCore, type AttentionLayer, projectAttention } from "./attention.ts";
export { type Checkpoint, openCheckpoint } from "./checkpoint.ts";
export {
  cacheRowSize,
  type GateScoring,
  type GateSelection,
  isMoeLayer,
  type ModelConfig,
  type ModelFamily,
  parseModelConfig,
  type YarnConfig,
} from "./config.ts";
export { decoderLayer, feedForwardInput } from "./decoder.ts";
export { drawnWeights } from "./drawn-weights.ts";
export { expertForward, mlpForward } from "./feed-forward.ts";
export { chooseExperts, type GateChoices, gateTokens } from "./gate.ts";
export { KvCache, kvCacheBytes } from "./kv-cache.ts";
export { type LayerContext } from "./layer-context.ts";
export { type ChoiceGroups, countChoices, groupChoices, moeForward, type MoeOptions } from "./moe.ts";
export {
  attentionParameterCount,
  denseParameterCount,
  describeModel,
  expertParameterCount,
  type ModelDescription,
  moeParameterCount,
  totalParameterCount,
} from "./parameter-counts.ts";
export { findPreset, listPresets, type Preset } from "./presets.ts";
export {
  checkPrompt,
  type Generation,
  type GenerationObserver,
  layerScratchBytes,
  loadReference,
  ReferenceModel,
  type ReferenceOptions,
  referenceScratchBytes,
} from "./reference.ts";
export { createRopeTables, rotaryFrequencies, softmaxScale } from "./rotary.ts";
export { type NamedShape, requiredTensors } from "./tensor-names.ts";
export { embed, greedyTokens, projectLogits } from "./vocabulary.ts";
export { type WeightSource } from "./weight-source.ts";
export {
  attachWeights,
  type AttentionWeights,
  type DenseWeights,
  type ExpertFilter,
  fillWeights,
  type GateWeights,
  type LatentUpWeights,
  type LayerWeights,
  loadWeights,
  type MlpWeights,
  type ModelWeights,
  type MoeWeights,
  weightBytes,
  type WeightsLayout,
  weightsLayout,
} from "./weights.ts";
export {
  dequantizeFromWire,
  FULL_PRECISION,
  quantizeForWire,
  roundAsOnWire,
  type WirePrecision,
  type WireRows,
  wireRowBytes,
} from "./wire.ts";
