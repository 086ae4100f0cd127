// The reference: a whole model in one process, greedy, with a latent KV cache. It defines the tokens of every
// placement. Prompts attend expanded, generated positions absorbed; prompts run in pieces, which changes no bit and
// bounds the scratch space.

import { inputError, invariant } from "@windtunnel/base";
import { Arena, type Kernels, rowsOf, type Tensor, TensorMemory } from "@windtunnel/tensor";
import { attentionBatch, type AttentionForm } from "./attention-batch.ts";
import type { ModelConfig } from "./config.ts";
import { decoderLayer } from "./decoder.ts";
import { EXPANDED_BLOCK_ROWS } from "./expanded-attention.ts";
import type { GateChoices } from "./gate.ts";
import { KvCache, kvCacheBytes } from "./kv-cache.ts";
import type { LayerContext } from "./layer-context.ts";
import { createRopeTables } from "./rotary.ts";
import { embed, greedyTokens, projectLogits } from "./vocabulary.ts";
import { loadWeights, type ModelWeights, weightBytes } from "./weights.ts";
import type { WeightSource } from "./weight-source.ts";
import { FULL_PRECISION, type WirePrecision } from "./wire.ts";

export interface ReferenceOptions {
  readonly config: ModelConfig;
  readonly weights: ModelWeights;
  readonly kernels: Kernels;
  /** Needs room for referenceScratchBytes beside the weights. */
  readonly memory: TensorMemory;
  /** Positions of the longest request, for which scratch space is taken at once; without it, by the first request. */
  readonly positionCount?: number;
  /** Rounds rows where this wire would: the one-process twin of a cluster. */
  readonly wire?: WirePrecision;
}

export interface Generation {
  /** The new tokens, without the prompt. */
  readonly tokens: readonly number[];
  /** [vocabulary]: the logits of the first new token. */
  readonly firstLogits: Float32Array;
}

/** Sees what happens inside; arrays are valid during the call. */
export interface GenerationObserver {
  /** Step 0 has the logits of the first new token. */
  readonly onLogits?: (step: number, logits: Float32Array) => void;
  readonly onChoices?: (step: number, layer: number, choices: GateChoices, rows: number) => void;
}

/** Kernels may take a little memory of their own for arrays that lie outside it. */
const KERNEL_STAGING_BYTES = 65_536;

/** Prompt rows computed at once. */
const PROMPT_PIECE_ROWS = 256;

export class ReferenceModel {
  readonly config: ModelConfig;
  readonly #weights: ModelWeights;
  readonly #kernels: Kernels;
  readonly #memory: TensorMemory;
  readonly #wire: WirePrecision;
  #arena: { readonly space: Arena; readonly bytes: number } | undefined;

  constructor(options: ReferenceOptions) {
    this.config = options.config;
    this.#weights = options.weights;
    this.#kernels = options.kernels;
    this.#memory = options.memory;
    this.#wire = options.wire ?? FULL_PRECISION;
    const { positionCount } = options;
    if (positionCount !== undefined) this.#scratch(referenceScratchBytes(this.config, positionCount));
  }

  /** Continues the prompt greedily. Wrong prompts are input errors. */
  generate(
    promptIds: readonly number[],
    maxNewTokens: number,
    observer: GenerationObserver = {},
  ): Generation {
    checkPrompt(this.config, promptIds, maxNewTokens);
    const positionCount = promptIds.length + maxNewTokens;
    const arena = this.#scratch(referenceScratchBytes(this.config, positionCount));
    return arena.scope(() => {
      const allocate = (shape: readonly number[]) => arena.tensor(shape);
      const ropeTables = createRopeTables(this.config, positionCount, allocate);
      const context: LayerContext = { config: this.config, kernels: this.#kernels, arena, ropeTables };
      const cache = new KvCache(this.config, positionCount, allocate);
      return this.#continue(context, cache, promptIds, maxNewTokens, observer);
    });
  }

  #continue(
    context: LayerContext,
    cache: KvCache,
    promptIds: readonly number[],
    maxNewTokens: number,
    observer: GenerationObserver,
  ): Generation {
    const tokens: number[] = [];
    let firstLogits = new Float32Array(0);
    let next = promptIds;
    for (let step = 0; step < maxNewTokens; step++) {
      context.arena.scope(() => {
        const logits = this.#step(context, cache, next, step, observer);
        if (step === 0) firstLogits = logits.data.slice();
        observer.onLogits?.(step, logits.data);
        tokens.push(...greedyTokens(logits));
      });
      next = tokens.slice(-1);
    }
    return { tokens, firstLogits };
  }

  /** Runs the prompt or one new token; logits [1, vocabulary] of the last row. */
  #step(
    context: LayerContext,
    cache: KvCache,
    tokens: readonly number[],
    step: number,
    observer: GenerationObserver,
  ): Tensor {
    const form = step === 0 ? "expanded" : "absorbed";
    for (let start = 0; start + PROMPT_PIECE_ROWS < tokens.length; start += PROMPT_PIECE_ROWS) {
      const piece = tokens.slice(start, start + PROMPT_PIECE_ROWS);
      context.arena.scope(() => this.#forward(context, cache, piece, { step, form, observer }));
    }
    const last = tokens.slice(Math.floor((tokens.length - 1) / PROMPT_PIECE_ROWS) * PROMPT_PIECE_ROWS);
    const x = this.#forward(context, cache, last, { step, form, observer });
    return projectLogits(context, this.#weights, rowsOf(x, last.length - 1, last.length));
  }

  #forward(
    context: LayerContext,
    cache: KvCache,
    tokens: readonly number[],
    run: { readonly step: number; readonly form: AttentionForm; readonly observer: GenerationObserver },
  ): Tensor {
    const x = embed(context, this.#weights, tokens);
    const startPosition = cache.lengthOf(0);
    const batch = attentionBatch([{ cache, startPosition, rowCount: tokens.length, form: run.form }]);
    for (const [layer, weights] of this.#weights.layers.entries()) {
      const onChoices = (choices: GateChoices, rows: number) =>
        run.observer.onChoices?.(run.step, layer, choices, rows);
      decoderLayer(context, { layer, weights }, x, batch, { wire: this.#wire, onChoices });
    }
    return x;
  }

  /** One arena serves every call; a longer request takes a larger one. */
  #scratch(bytes: number): Arena {
    if (this.#arena === undefined || this.#arena.bytes < bytes) {
      this.#arena = { space: this.#memory.arena(bytes), bytes };
    }
    return this.#arena.space;
  }
}

/** A reference with a memory of its own, large enough for requests of `positionCount` positions. */
export function loadReference(options: {
  readonly config: ModelConfig;
  readonly source: WeightSource;
  readonly kernelsFor: (memory: TensorMemory) => Kernels;
  readonly positionCount: number;
  readonly wire?: WirePrecision;
}): ReferenceModel {
  const { config, source } = options;
  const positionCount = Math.min(options.positionCount, config.maxPositions);
  const bytes = weightBytes(config, config.expertCount) + referenceScratchBytes(config, positionCount);
  const memory = TensorMemory.create(bytes + KERNEL_STAGING_BYTES);
  const kernels = options.kernelsFor(memory);
  const weights = loadWeights(memory, config, source);
  const wire = options.wire ?? FULL_PRECISION;
  return new ReferenceModel({ config, weights, kernels, memory, positionCount, wire });
}

/** Input errors for a prompt that the model can't take. */
export function checkPrompt(config: ModelConfig, promptIds: readonly number[], maxNewTokens: number): void {
  if (promptIds.length === 0) {
    throw inputError("the prompt is empty; it needs at least one token id", {
      path: "prompt",
      found: "no tokens",
      allowed: "at least one token id",
    });
  }
  const allowed = `0 to ${config.vocabularySize - 1}`;
  for (const [index, token] of promptIds.entries()) {
    if (Number.isInteger(token) && token >= 0 && token < config.vocabularySize) continue;
    throw inputError(`token ${index} of the prompt is ${token}; the vocabulary allows ${allowed}`, {
      path: `prompt[${index}]`,
      found: token,
      allowed,
    });
  }
  if (!Number.isSafeInteger(maxNewTokens) || maxNewTokens < 1) {
    throw inputError(`${maxNewTokens} new tokens can't be generated; allowed: an integer of at least 1`, {
      path: "maxNewTokens",
      found: maxNewTokens,
      allowed: "an integer of at least 1",
    });
  }
  const positionCount = promptIds.length + maxNewTokens;
  if (positionCount <= config.maxPositions) return;
  throw inputError(
    `${promptIds.length} prompt and ${maxNewTokens} new tokens need ${positionCount} positions; ` +
      `the model has ${config.maxPositions} (max_position_embeddings)`,
    { path: "maxNewTokens", found: positionCount, allowed: `at most ${config.maxPositions} positions` },
  );
}

/** Scratch space for requests of up to `positionCount` positions, cache and tables included: an upper bound. */
export function referenceScratchBytes(config: ModelConfig, positionCount: number): number {
  invariant(positionCount >= 1, `${positionCount} positions`);
  const rows = Math.min(positionCount, PROMPT_PIECE_ROWS);
  const floatBytes = Float32Array.BYTES_PER_ELEMENT;
  const resident = kvCacheBytes(config, positionCount) + positionCount * config.ropeSize * floatBytes;
  // Every tensor may lose 63 bytes to alignment, and there are a few for each layer.
  return resident + layerScratchBytes(config, rows, positionCount) + 65_536 + 64 * config.layerCount;
}

/**
 * Scratch space of any layer function, and of the head, over `rows` rows whose requests have up to `positionCount`
 * positions: an upper bound.
 */
export function layerScratchBytes(config: ModelConfig, rows: number, positionCount: number): number {
  const layer = Math.max(attentionFloats(config, rows, positionCount), moeFloats(config, rows));
  const head = rows * (config.vocabularySize + 2 * config.hiddenSize);
  return (rows * config.hiddenSize + Math.max(layer, head)) * Float32Array.BYTES_PER_ELEMENT;
}

function attentionFloats(config: ModelConfig, rows: number, positionCount: number): number {
  const { hiddenSize, headCount, nopeSize, ropeSize, valueSize, latentSize, queryRank } = config;
  const querySize = headCount * (nopeSize + ropeSize);
  const projection = rows * (hiddenSize + (queryRank ?? 0) + headCount + 1 + 2 * (latentSize + ropeSize));
  const expanded =
    positionCount *
    (headCount * (nopeSize + valueSize) + latentSize + 2 * Math.min(rows, EXPANDED_BLOCK_ROWS));
  const absorbed = headCount * (rows * (nopeSize + 2 * latentSize + valueSize) + 2 * positionCount);
  const core = rows * (hiddenSize + headCount * valueSize) + Math.max(expanded, absorbed);
  return rows * querySize + Math.max(projection, core);
}

function moeFloats(config: ModelConfig, rows: number): number {
  const { hiddenSize, expertCount, expertsPerToken, expertInnerSize, sharedExpertCount, denseInnerSize } =
    config;
  const gate = rows * (3 * expertCount + 4 * expertsPerToken) + 2 * expertCount;
  const routed = rows * expertsPerToken * (3 * hiddenSize + expertInnerSize);
  const plain = rows * Math.max(denseInnerSize, sharedExpertCount * expertInnerSize);
  return gate + routed + plain + rows * 6 * hiddenSize;
}
