// How many parameters and bytes a model has, part by part, from its configuration alone.
// The identities are those of mechanics §1.2: an expert of DeepSeek-V3 has 44,040,192, the whole 671,026,419,200.

import type { ModelConfig } from "./config.ts";

export interface ModelDescription {
  readonly totalParameters: number;
  readonly parametersPerExpert: number;
  /** Matrices of one layer's attention, without norms. */
  readonly attentionParametersPerLayer: number;
  /** The MLP of a dense layer. */
  readonly denseParametersPerLayer: number;
  /** Gate, routed and shared experts of an MoE layer. */
  readonly moeParametersPerLayer: number;
  /** Parameters that a token passes, with the head and without the embedding table. */
  readonly activatedParameters: number;
  /** Floats in the KV cache for a token. */
  readonly cacheFloatsPerToken: number;
  readonly totalBytesF32: number;
  readonly bytesPerExpertF32: number;
}

/** Gate, up and down projection of one routed expert. */
export function expertParameterCount(config: ModelConfig): number {
  return 3 * config.hiddenSize * config.expertInnerSize;
}

/** The attention matrices of one layer, norms not counted. */
export function attentionParameterCount(config: ModelConfig): number {
  const { hiddenSize, headCount, queryRank, latentSize, nopeSize, ropeSize, valueSize } = config;
  const querySize = headCount * (nopeSize + ropeSize);
  const query = queryRank === null ? hiddenSize * querySize : queryRank * (hiddenSize + querySize);
  const keyValue = hiddenSize * (latentSize + ropeSize) + latentSize * headCount * (nopeSize + valueSize);
  return query + keyValue + headCount * valueSize * hiddenSize;
}

/** The MLP of one dense layer. */
export function denseParameterCount(config: ModelConfig): number {
  return 3 * config.hiddenSize * config.denseInnerSize;
}

/** Gate with its correction bias, routed and shared experts of one MoE layer. */
export function moeParameterCount(config: ModelConfig): number {
  const experts = (config.expertCount + config.sharedExpertCount) * expertParameterCount(config);
  return experts + gateParameterCount(config);
}

/** Everything but multi-token-prediction layers. */
export function totalParameterCount(config: ModelConfig): number {
  const moeLayerCount = config.layerCount - config.denseLayerCount;
  return (
    vocabularyParameterCount(config) +
    config.hiddenSize + // the last norm
    config.layerCount * (attentionParameterCount(config) + normParameterCount(config)) +
    config.denseLayerCount * denseParameterCount(config) +
    moeLayerCount * moeParameterCount(config)
  );
}

export function describeModel(config: ModelConfig): ModelDescription {
  const parametersPerExpert = expertParameterCount(config);
  const totalParameters = totalParameterCount(config);
  const idleExperts = config.expertCount - config.expertsPerToken;
  const moeLayerCount = config.layerCount - config.denseLayerCount;
  const embeddingTable = config.tiedEmbeddings ? 0 : config.vocabularySize * config.hiddenSize;
  return {
    totalParameters,
    parametersPerExpert,
    attentionParametersPerLayer: attentionParameterCount(config),
    denseParametersPerLayer: denseParameterCount(config),
    moeParametersPerLayer: moeParameterCount(config),
    activatedParameters: totalParameters - embeddingTable - moeLayerCount * idleExperts * parametersPerExpert,
    cacheFloatsPerToken: config.layerCount * (config.latentSize + config.ropeSize),
    totalBytesF32: totalParameters * Float32Array.BYTES_PER_ELEMENT,
    bytesPerExpertF32: parametersPerExpert * Float32Array.BYTES_PER_ELEMENT,
  };
}

function gateParameterCount(config: ModelConfig): number {
  const bias = config.selection === "noaux" ? config.expertCount : 0;
  return config.expertCount * config.hiddenSize + bias;
}

function normParameterCount(config: ModelConfig): number {
  return 2 * config.hiddenSize + (config.queryRank ?? 0) + config.latentSize;
}

function vocabularyParameterCount(config: ModelConfig): number {
  return (config.tiedEmbeddings ? 1 : 2) * config.vocabularySize * config.hiddenSize;
}
