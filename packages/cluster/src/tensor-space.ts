// The tensor memory of an operating-system process: weights of the experts that its ranks hold, row buffers and KV
// caches of its ranks, and for each of its threads scratch space and rotary tables. Its size is known before the run.

import { defined } from "@windtunnel/base";
import { EXPERT_PIECE_ROWS } from "@windtunnel/expert";
import {
  attachWeights,
  createRopeTables,
  fillWeights,
  kvCacheBytes,
  layerScratchBytes,
  type LayerContext,
  type ModelConfig,
  type WeightsLayout,
  weightsLayout,
} from "@windtunnel/model";
import { expertsOfRank } from "@windtunnel/router";
import { type ExecutedModel, rowBufferBytes } from "@windtunnel/serving";
import { createSimdKernels, TensorMemory } from "@windtunnel/tensor";
import type { ExecutedSource } from "./models.ts";
import type { PreparedRun } from "./prepare-run.ts";

/** Memory that all threads of a process share, and where the weights lie in it. Plain data: crosses to workers. */
export interface TensorSpace {
  readonly memory: TensorMemory["memory"];
  readonly weights: WeightsLayout;
}

/** Staging of kernels, alignment, and what else is small. */
const SLACK_BYTES_PER_THREAD = 4 * 1024 ** 2;

/**
 * Reserves the memory of a process that carries `ranks` on `threadCount` threads. Nothing is filled yet. Undefined
 * where nothing is executed.
 */
export function createTensorSpace(
  run: PreparedRun,
  ranks: readonly number[],
  threadCount: number,
): TensorSpace | undefined {
  if (run.executed === undefined || ranks.length === 0) return undefined;
  const { config } = run.executed;
  const { weightBytes, cacheBytes } = modelBytes(run, ranks);
  const rowBytes = ranks.length * rowBufferBytes(config, run.maxRows);
  const memory = TensorMemory.create(weightBytes + cacheBytes + rowBytes + threadCount * threadBytes(run));
  return { memory: memory.memory, weights: layoutAt(run, ranks, memory.allocate(weightBytes)) };
}

/** What weights and KV caches of `ranks` take in one process; nothing where nothing is executed. */
export function modelBytes(
  run: PreparedRun,
  ranks: readonly number[],
): { readonly weightBytes: number; readonly cacheBytes: number } {
  if (run.executed === undefined || ranks.length === 0) return { weightBytes: 0, cacheBytes: 0 };
  const { config } = run.executed;
  const mine = new Set(ranks);
  let cacheBytes = 0;
  for (const { rank, prompt, newTokens, drawnPositions } of run.requests) {
    if (!mine.has(rank)) continue;
    // Each layer's part is aligned by itself.
    cacheBytes += kvCacheBytes(config, drawnPositions + prompt.length + newTokens) + 64 * config.layerCount;
  }
  return { weightBytes: layoutAt(run, ranks, 0).byteLength, cacheBytes };
}

function layoutAt(run: PreparedRun, ranks: readonly number[], address: number): WeightsLayout {
  const held = heldExperts(run, ranks);
  return weightsLayout(executedOf(run).config, (layer, expert) => held[layer]!.has(expert), address);
}

/** By layer: an expert of which several ranks or one rank have replicas is held once. */
function heldExperts(run: PreparedRun, ranks: readonly number[]): Set<number>[] {
  const { placement } = run;
  const unitRanks = [...new Set(ranks.map((rank) => rank % placement.degree))];
  return Array.from(
    { length: executedOf(run).config.layerCount },
    (_, layer) => new Set(unitRanks.flatMap((unitRank) => expertsOfRank(placement, layer, unitRank))),
  );
}

function executedOf(run: PreparedRun): ExecutedSource {
  return defined(run.executed, "the executed model");
}

function scratchBytes(run: PreparedRun): number {
  const { config } = executedOf(run);
  return (
    layerScratchBytes(config, run.maxRows, run.maxPositions) + pieceBytes(config) + SLACK_BYTES_PER_THREAD
  );
}

/** A piece of rows on its way through experts. */
function pieceBytes(config: ModelConfig): number {
  return EXPERT_PIECE_ROWS * 4 * (5 * config.hiddenSize + 4 * config.expertInnerSize);
}

function threadBytes(run: PreparedRun): number {
  const ropeTables = 2 * 4 * run.maxPositions * executedOf(run).config.ropeSize;
  return scratchBytes(run) + ropeTables + SLACK_BYTES_PER_THREAD;
}

/** Fills this thread's share of the weights; when all threads have, the space is ready. */
export function fillShare(run: PreparedRun, space: TensorSpace, part: number, partCount: number): void {
  fillWeights(TensorMemory.attach(space.memory), space.weights, executedOf(run).weights, { part, partCount });
}

/** The executed model as the ranks of one thread use it. */
export function createExecutedModel(run: PreparedRun, space: TensorSpace): ExecutedModel {
  const { config } = executedOf(run);
  const memory = TensorMemory.attach(space.memory);
  const context: LayerContext = {
    config,
    kernels: createSimdKernels(memory),
    arena: memory.arena(scratchBytes(run)),
    ropeTables: createRopeTables(config, run.maxPositions, (shape) => memory.tensor(shape)),
  };
  return { config, weights: attachWeights(memory, space.weights), context, memory, seed: run.scenario.seed };
}
