// Attention of generated positions: queries are turned into queries for latents (q̃ = UKᵀ·q), all heads attend to the
// cached latents themselves, and the result becomes each head's value (o = UV·z). Nothing is expanded per position.

import type { Tensor } from "@windtunnel/tensor";
import { type AttentionBatch, type AttentionSegment, forEachRow } from "./attention-batch.ts";
import { attentionWeights, type CoreOperands } from "./attention-scores.ts";
import { type LayerContext, stridedRows } from "./layer-context.ts";

interface AbsorbedRow {
  /** In the batch. */
  readonly row: number;
  readonly position: number;
  readonly segment: AttentionSegment;
}

/** Fills the rows of absorbed segments in `core.out`. */
export function absorbedAttention(context: LayerContext, core: CoreOperands, batch: AttentionBatch): void {
  const rows: AbsorbedRow[] = [];
  forEachRow(batch.segments, (row, position, segment) => {
    if (segment.form === "absorbed") rows.push({ row, position, segment });
  });
  if (rows.length === 0) return;
  const { config, kernels, arena } = context;
  arena.scope(() => {
    // Head-major, so that one grouped matmul serves all heads: [heads · rows, …].
    const groups = headOffsets(context, rows.length);
    const latentQueries = arena.tensor([config.headCount * rows.length, config.latentSize]);
    kernels.groupedMatmul(
      latentQueries,
      gatherNope(context, core.queries, rows),
      groups,
      core.latentUp.absorbedKeys,
    );
    const attended = arena.tensor([config.headCount * rows.length, config.latentSize]);
    for (let i = 0; i < rows.length; i++) {
      arena.scope(() =>
        attendRow(context, core, rows[i]!, { latentQueries, attended, index: i, count: rows.length }),
      );
    }
    const values = arena.tensor([config.headCount * rows.length, config.valueSize]);
    kernels.groupedMatmul(values, attended, groups, core.latentUp.absorbedValues);
    scatterValues(context, core.out, values, rows);
  });
}

function headOffsets(context: LayerContext, count: number): Int32Array {
  const offsets = context.arena.integers(context.config.headCount + 1);
  for (let head = 0; head < offsets.length; head++) offsets[head] = head * count;
  return offsets;
}

/** The nope parts of the rows' queries: [heads · rows, nope]. */
function gatherNope(context: LayerContext, queries: Tensor, rows: readonly AbsorbedRow[]): Tensor {
  const { headCount, nopeSize, ropeSize } = context.config;
  const gathered = context.arena.tensor([headCount * rows.length, nopeSize]);
  for (let head = 0; head < headCount; head++) {
    for (let i = 0; i < rows.length; i++) {
      const start = (rows[i]!.row * headCount + head) * (nopeSize + ropeSize);
      gathered.data.set(queries.data.subarray(start, start + nopeSize), (head * rows.length + i) * nopeSize);
    }
  }
  return gathered;
}

interface LatentOperands {
  /** [heads · rows, latent] */
  readonly latentQueries: Tensor;
  readonly attended: Tensor;
  readonly index: number;
  readonly count: number;
}

/** All heads of one row over its request's cache. */
function attendRow(
  context: LayerContext,
  core: CoreOperands,
  row: AbsorbedRow,
  operands: LatentOperands,
): void {
  const { config, kernels, arena } = context;
  const { headCount, latentSize, nopeSize, ropeSize } = config;
  const { index, count } = operands;
  const positionCount = row.position + 1;
  const { cache } = row.segment;
  const querySize = nopeSize + ropeSize;
  const inLatents = { offset: index * latentSize, stride: count * latentSize, rows: headCount };
  const latents = cache.rows(core.layer, positionCount, 0);
  const lengths = arena.integers(headCount).fill(positionCount);
  const rotated = { offset: row.row * headCount * querySize + nopeSize, stride: querySize, rows: headCount };
  const weights = attentionWeights(
    context,
    {
      queries: stridedRows(operands.latentQueries, inLatents),
      keys: latents,
      depth: latentSize,
      rotatedQueries: stridedRows(core.queries, rotated),
      rotatedKeys: cache.rows(core.layer, positionCount, latentSize),
      lengths,
    },
    core.scale,
  );
  kernels.weightedRows(stridedRows(operands.attended, inLatents), weights, latents, latentSize);
}

/** Back from head-major [heads · rows, value] to the rows' places in `out`. */
function scatterValues(
  context: LayerContext,
  out: Tensor,
  values: Tensor,
  rows: readonly AbsorbedRow[],
): void {
  const { headCount, valueSize } = context.config;
  for (let head = 0; head < headCount; head++) {
    for (let i = 0; i < rows.length; i++) {
      const start = (head * rows.length + i) * valueSize;
      const target = (rows[i]!.row * headCount + head) * valueSize;
      out.data.set(values.data.subarray(start, start + valueSize), target);
    }
  }
}
