// Attention of prompts: the latents of all positions are expanded to keys and values of every head, once for a
// segment, and each row attends to the positions up to its own. Sums over positions run in order of position, and
// what lies behind a row weighs exactly 0, so that cutting a prompt into pieces changes no bit.

import type { Tensor } from "@windtunnel/tensor";
import type { AttentionBatch, AttentionSegment } from "./attention-batch.ts";
import { attentionWeights, type CoreOperands } from "./attention-scores.ts";
import { type LayerContext, stridedRows } from "./layer-context.ts";

/** Query rows scored at once: bounds the scratch space for long prompts. */
export const EXPANDED_BLOCK_ROWS = 64;

/** Fills the rows of expanded segments in `core.out`. */
export function expandedAttention(context: LayerContext, core: CoreOperands, batch: AttentionBatch): void {
  let firstRow = 0;
  for (const segment of batch.segments) {
    const start = firstRow;
    firstRow += segment.rowCount;
    if (segment.form !== "expanded" || segment.rowCount === 0) continue;
    context.arena.scope(() => attendSegment(context, core, segment, start));
  }
}

function attendSegment(
  context: LayerContext,
  core: CoreOperands,
  segment: AttentionSegment,
  firstRow: number,
): void {
  const expanded = expandLatents(context, core, segment);
  for (let start = 0; start < segment.rowCount; start += EXPANDED_BLOCK_ROWS) {
    const count = Math.min(EXPANDED_BLOCK_ROWS, segment.rowCount - start);
    const block = { expanded, row: firstRow + start, position: segment.startPosition + start, count };
    for (let head = 0; head < context.config.headCount; head++) {
      context.arena.scope(() => attendHead(context, core, segment, { ...block, head }));
    }
  }
}

/** Keys and values of all positions so far: [positions, heads · (nope + value)]. */
function expandLatents(context: LayerContext, core: CoreOperands, segment: AttentionSegment): Tensor {
  const { config, kernels, arena } = context;
  const { latentSize, headCount, nopeSize, valueSize } = config;
  const total = segment.startPosition + segment.rowCount;
  const expanded = arena.tensor([total, headCount * (nopeSize + valueSize)]);
  arena.scope(() => {
    const latents = arena.tensor([total, latentSize]);
    const cached = segment.cache.rows(core.layer, total, 0);
    for (let position = 0; position < total; position++) {
      const start = position * cached.stride;
      latents.data.set(cached.data.subarray(start, start + latentSize), position * latentSize);
    }
    kernels.matmul(expanded, latents, core.latentUp.expanded);
  });
  return expanded;
}

interface HeadBlock {
  readonly expanded: Tensor;
  readonly head: number;
  /** First row in the batch, and its position. */
  readonly row: number;
  readonly position: number;
  readonly count: number;
}

function attendHead(
  context: LayerContext,
  core: CoreOperands,
  segment: AttentionSegment,
  block: HeadBlock,
): void {
  const { config, kernels, arena } = context;
  const { headCount, nopeSize, ropeSize, valueSize, latentSize } = config;
  const { expanded, head, count } = block;
  const positionCount = block.position + count; // the block's last row sees all of these
  const querySize = nopeSize + ropeSize;
  const queryStride = headCount * querySize;
  const query = block.row * queryStride + head * querySize;
  const keyStride = headCount * (nopeSize + valueSize);
  const key = head * (nopeSize + valueSize);
  const lengths = arena.integers(count);
  for (let i = 0; i < count; i++) lengths[i] = block.position + i + 1;
  const weights = attentionWeights(
    context,
    {
      queries: stridedRows(core.queries, { offset: query, stride: queryStride, rows: count }),
      keys: stridedRows(expanded, { offset: key, stride: keyStride, rows: positionCount }),
      depth: nopeSize,
      rotatedQueries: stridedRows(core.queries, {
        offset: query + nopeSize,
        stride: queryStride,
        rows: count,
      }),
      rotatedKeys: segment.cache.rows(core.layer, positionCount, latentSize),
      lengths,
    },
    core.scale,
  );
  const outStride = headCount * valueSize;
  kernels.weightedRows(
    stridedRows(core.out, {
      offset: block.row * outStride + head * valueSize,
      stride: outStride,
      rows: count,
    }),
    weights,
    stridedRows(expanded, { offset: key + nopeSize, stride: keyStride, rows: positionCount }),
    valueSize,
  );
}
