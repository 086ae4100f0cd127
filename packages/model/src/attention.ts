// Multi-head latent attention (mechanics §1.3), cut in two where the five-stage decode schedule cuts it:
// projectAttention is everything before the core, attentionCore the attention itself and its output projection.
// Neither adds to the residual stream. Invariant: a row's result depends on its request alone, bit for bit.

import { invariant } from "@windtunnel/base";
import { rowCount, type Tensor } from "@windtunnel/tensor";
import { absorbedAttention } from "./absorbed-attention.ts";
import { type AttentionBatch, forEachRow } from "./attention-batch.ts";
import { expandedAttention } from "./expanded-attention.ts";
import { type LayerContext, stridedRows } from "./layer-context.ts";
import { softmaxScale } from "./rotary.ts";
import type { AttentionWeights } from "./weights.ts";

/** The norms of compressed queries and latents ignore the configured epsilon (Hugging Face, mechanics §1.3). */
const COMPRESSED_EPSILON = 1e-6;

export interface AttentionLayer {
  readonly layer: number;
  readonly weights: AttentionWeights;
}

/**
 * Norm, query and latent projections, rotation; latents and keys go to the caches of the batch.
 * x [rows, hidden] is the residual stream. Returns queries [rows, heads · (nope + rope)], rotated, in the arena.
 */
export function projectAttention(
  context: LayerContext,
  at: AttentionLayer,
  x: Tensor,
  batch: AttentionBatch,
): Tensor {
  const { config, kernels, arena } = context;
  const rows = batch.rowCount;
  invariant(rowCount(x) === rows, `${rowCount(x)} rows for a batch of ${rows}`);
  const queries = arena.tensor([rows, config.headCount * (config.nopeSize + config.ropeSize)]);
  arena.scope(() => {
    const normed = arena.tensor([rows, config.hiddenSize]);
    kernels.rmsNorm(normed, x, at.weights.inputNorm, config.epsilon);
    projectQueries(context, at.weights, normed, queries);
    rotateQueries(context, queries, batch.positions);
    appendLatents(context, at, normed, batch);
  });
  return queries;
}

/**
 * Attention of projected queries over the caches and the output projection: [rows, hidden], in the arena.
 * Rows of expanded segments attend by keys and values of each head, the others by latents.
 */
export function attentionCore(
  context: LayerContext,
  at: AttentionLayer,
  queries: Tensor,
  batch: AttentionBatch,
): Tensor {
  const { config, kernels, arena } = context;
  const out = arena.tensor([batch.rowCount, config.hiddenSize]);
  arena.scope(() => {
    const heads = arena.tensor([batch.rowCount, config.headCount * config.valueSize]);
    const core = {
      layer: at.layer,
      latentUp: at.weights.latentUp,
      queries,
      out: heads,
      scale: softmaxScale(config),
    };
    expandedAttention(context, core, batch);
    absorbedAttention(context, core, batch);
    kernels.matmul(out, heads, at.weights.output);
  });
  return out;
}

function projectQueries(
  context: LayerContext,
  weights: AttentionWeights,
  normed: Tensor,
  queries: Tensor,
): void {
  const { config, kernels, arena } = context;
  if (weights.queryDown === null || weights.queryNorm === null) {
    kernels.matmul(queries, normed, weights.query);
    return;
  }
  invariant(config.queryRank !== null, "compressed queries have a rank");
  const compressed = arena.tensor([rowCount(normed), config.queryRank]);
  kernels.matmul(compressed, normed, weights.queryDown);
  kernels.rmsNorm(compressed, compressed, weights.queryNorm, COMPRESSED_EPSILON);
  kernels.matmul(queries, compressed, weights.query);
}

/** Rotates the rope part of every head of every row. */
function rotateQueries(context: LayerContext, queries: Tensor, positions: Int32Array): void {
  const { config, kernels, arena, ropeTables } = context;
  const { headCount, nopeSize, ropeSize } = config;
  const rows = positions.length * headCount;
  const positionOfHead = arena.integers(rows);
  for (let i = 0; i < rows; i++) positionOfHead[i] = positions[Math.floor(i / headCount)]!;
  const parts = stridedRows(queries, { offset: nopeSize, stride: nopeSize + ropeSize, rows });
  kernels.rope(parts, ropeSize, positionOfHead, ropeTables);
}

function appendLatents(
  context: LayerContext,
  at: AttentionLayer,
  normed: Tensor,
  batch: AttentionBatch,
): void {
  const { config, kernels, arena, ropeTables } = context;
  const { latentSize, ropeSize } = config;
  const rows = batch.rowCount;
  const stride = latentSize + ropeSize;
  const projected = arena.tensor([rows, stride]);
  kernels.matmul(projected, normed, at.weights.latentDown);
  const positions = arena.integers(rows);
  positions.set(batch.positions);
  kernels.rope(stridedRows(projected, { offset: latentSize, stride, rows }), ropeSize, positions, ropeTables);
  const latents = arena.tensor([rows, latentSize]);
  for (let row = 0; row < rows; row++) {
    latents.data.set(projected.data.subarray(row * stride, row * stride + latentSize), row * latentSize);
  }
  kernels.rmsNorm(latents, latents, at.weights.latentNorm, COMPRESSED_EPSILON);
  forEachRow(batch.segments, (row, position, segment) => {
    const target = segment.cache.append(at.layer, position);
    target.set(latents.data.subarray(row * latentSize, (row + 1) * latentSize));
    target.set(projected.data.subarray(row * stride + latentSize, (row + 1) * stride), latentSize);
  });
}
