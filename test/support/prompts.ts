// Prompts of tests: drawn from a seed, written as a scenario names them, and what the one-process reference says.

import { writeFileSync } from "node:fs";
import path from "node:path";
import { RandomStream } from "@windtunnel/base";
import {
  loadReference,
  type ModelConfig,
  type ReferenceModel,
  type WeightSource,
  type WirePrecision,
} from "@windtunnel/model";
import { createSimdKernels } from "@windtunnel/tensor";

export interface TestPrompt {
  readonly tokens: readonly number[];
  readonly maxNewTokens: number;
}

export interface PromptLimits {
  readonly count: number;
  readonly longest: number;
  readonly mostNewTokens: number;
  readonly vocabularySize: number;
}

/** Prompts of 1 to `longest` tokens, each with 1 to `mostNewTokens` tokens to generate. */
export function drawPrompts(random: RandomStream, limits: PromptLimits): TestPrompt[] {
  return Array.from({ length: limits.count }, () => ({
    tokens: Array.from({ length: 1 + random.below(limits.longest) }, () =>
      random.below(limits.vocabularySize),
    ),
    maxNewTokens: 1 + random.below(limits.mostNewTokens),
  }));
}

/** The path of a new prompts file. */
export function writePrompts(folder: string, prompts: readonly TestPrompt[], name = "prompts.jsonl"): string {
  const file = path.join(folder, name);
  writeFileSync(file, prompts.map((prompt) => `${JSON.stringify(prompt)}\n`).join(""));
  return file;
}

/** The reference of a model, as `windtunnel generate` makes it, for requests of up to 256 positions. */
export function referenceOf(
  { config, source }: { readonly config: ModelConfig; readonly source: WeightSource },
  wire?: WirePrecision,
): ReferenceModel {
  const options = { config, source, kernelsFor: createSimdKernels, positionCount: 256 };
  return loadReference(wire === undefined ? options : { ...options, wire });
}

/** Outputs of a run as its summary lists them, by the reference. */
export function expectedOutputs(
  reference: ReferenceModel,
  prompts: readonly TestPrompt[],
): { request: number; tokens: readonly number[] }[] {
  return prompts.map(({ tokens, maxNewTokens }, request) => ({
    request,
    tokens: reference.generate(tokens, maxNewTokens).tokens,
  }));
}
