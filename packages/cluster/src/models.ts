// The two models of a run: the executed one with where its weights come from, and the timed one.

import path from "node:path";
import { inputError } from "@windtunnel/base";
import {
  drawnWeights,
  findPreset,
  type ModelConfig,
  openCheckpoint,
  parseModelConfig,
  type WeightSource,
} from "@windtunnel/model";
import { readDataFile } from "./read-data-file.ts";
import { isFileReference, type Scenario } from "./scenario/index.ts";

export interface ExecutedSource {
  /** Without folders: where files lie must not reach a recording. */
  readonly name: string;
  readonly config: ModelConfig;
  readonly weights: WeightSource;
}

export function executedSource(scenario: Scenario): ExecutedSource {
  const { model, seed } = scenario;
  if ("checkpoint" in model) {
    const { config, source } = openCheckpoint(model.checkpoint);
    return { name: path.basename(model.checkpoint), config, weights: source };
  }
  const preset = findPreset(model.preset);
  if (!preset.isExecutable) {
    throw inputError(
      `preset ${preset.name} can be timed, not executed: its weights do not fit a computer like this`,
      {
        path: "model.preset",
        found: preset.name,
        allowed: "an executable preset (see windtunnel models); use the large one as timing.model",
      },
    );
  }
  return { name: preset.name, config: preset.config, weights: drawnWeights(seed) };
}

/** The sizes of a model that is not executed. */
export function namedModel(scenario: Scenario): { readonly name: string; readonly config: ModelConfig } {
  const { model } = scenario;
  if ("preset" in model) return findPreset(model.preset);
  return { name: path.basename(model.checkpoint), config: openCheckpoint(model.checkpoint).config };
}

export function timedConfig(scenario: Scenario, executed: ModelConfig): ModelConfig {
  const { model } = scenario.timing;
  if (model === "executed") return executed;
  if (!isFileReference(model)) return findPreset(model).config;
  return parseModelConfig(readDataFile(model), model);
}
