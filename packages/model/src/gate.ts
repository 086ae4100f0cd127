// The gate: scores experts for each token and chooses some (mechanics §1.3, §1.5). It does not know where experts are.
// Masked groups count as minus infinity, ties go to the lowest index, and choices stand in order of their score, which
// is the order in which the experts' outputs are summed.

import { rowCount, type Tensor } from "@windtunnel/tensor";
import type { LayerContext } from "./layer-context.ts";
import type { GateWeights } from "./weights.ts";

export interface GateChoices {
  /** [rows, expertsPerToken]: experts, the best first. */
  readonly indices: Int32Array;
  /** [rows, expertsPerToken]: what each expert's output is multiplied by. */
  readonly weights: Float32Array;
}

type GateContext = Pick<LayerContext, "config" | "kernels" | "arena">;

const { fround } = Math;

/** Chooses experts for normalised rows x [rows, hidden]. The result lies in the arena. */
export function gateTokens(context: GateContext, weights: GateWeights, x: Tensor): GateChoices {
  const choices = allocateChoices(context, rowCount(x));
  context.arena.scope(() => {
    const logits = context.arena.tensor([rowCount(x), context.config.expertCount]);
    context.kernels.matmul(logits, x, weights.projection);
    choose(context, logits, weights.correctionBias, choices);
  });
  return choices;
}

/** The same from logits [rows, experts], which are overwritten by their scores. */
export function chooseExperts(
  context: GateContext,
  logits: Tensor,
  correctionBias: Float32Array | null,
): GateChoices {
  const choices = allocateChoices(context, rowCount(logits));
  context.arena.scope(() => choose(context, logits, correctionBias, choices));
  return choices;
}

function allocateChoices(context: GateContext, rows: number): GateChoices {
  const size = rows * context.config.expertsPerToken;
  return { indices: context.arena.integers(size), weights: context.arena.tensor([size]).data };
}

function choose(context: GateContext, logits: Tensor, bias: Float32Array | null, choices: GateChoices): void {
  const { config, kernels, arena } = context;
  const rows = rowCount(logits);
  const scores = logits;
  if (config.gate === "sigmoid") kernels.sigmoid(scores, logits);
  else kernels.softmax(scores, arena.integers(rows).fill(config.expertCount), 1);
  const ranked = arena.tensor([rows, config.expertCount]);
  ranked.data.set(scores.data);
  if (bias !== null) addBias(ranked, bias);
  if (config.groupCount > 1) maskGroups(context, ranked);
  const best = arena.tensor([rows, config.expertsPerToken]);
  kernels.topK(ranked, config.expertsPerToken, choices.indices, best.data);
  weighChoices(context, scores, choices);
}

/** Adds the correction bias [experts] to every row. */
function addBias(ranked: Tensor, bias: Float32Array): void {
  const { data } = ranked;
  for (let start = 0; start < data.length; start += bias.length) {
    for (let expert = 0; expert < bias.length; expert++) data[start + expert]! += bias[expert]!;
  }
}

/** Leaves each row the experts of its best groups; all others become minus infinity. */
function maskGroups(context: GateContext, ranked: Tensor): void {
  const { config, kernels, arena } = context;
  const { groupCount, limitedGroupCount, expertCount } = config;
  const groupSize = expertCount / groupCount;
  const rows = rowCount(ranked);
  const groupScores = arena.tensor([rows, groupCount]);
  arena.scope(() => scoreGroups(context, ranked, groupScores));
  const kept = arena.integers(rows * limitedGroupCount);
  kernels.topK(groupScores, limitedGroupCount, kept, arena.tensor([rows, limitedGroupCount]).data);
  for (let row = 0; row < rows; row++) {
    const keptOfRow = kept.subarray(row * limitedGroupCount, (row + 1) * limitedGroupCount);
    for (let group = 0; group < groupCount; group++) {
      if (keptOfRow.includes(group)) continue;
      const start = row * expertCount + group * groupSize;
      ranked.data.fill(Number.NEGATIVE_INFINITY, start, start + groupSize);
    }
  }
}

/** A group's score: the sum of its two best for `noaux`, its best for `group-limited`. */
function scoreGroups(context: GateContext, ranked: Tensor, groupScores: Tensor): void {
  const { config, kernels, arena } = context;
  const count = groupScores.data.length;
  const bestCount = config.selection === "noaux" ? 2 : 1;
  const groups: Tensor = {
    shape: [count, config.expertCount / config.groupCount],
    address: ranked.address,
    data: ranked.data,
  };
  const best = arena.tensor([count, bestCount]).data;
  kernels.topK(groups, bestCount, arena.integers(count * bestCount), best);
  for (let i = 0; i < count; i++) {
    groupScores.data[i] = bestCount === 1 ? best[i]! : best[2 * i]! + best[2 * i + 1]!;
  }
}

/** The chosen experts' scores, without bias, normalised where the model does so, times the routed scale. */
function weighChoices(context: GateContext, scores: Tensor, choices: GateChoices): void {
  const { expertCount, expertsPerToken, normalizeWeights, routedScale } = context.config;
  const { indices, weights } = choices;
  const rows = rowCount(scores);
  for (let row = 0; row < rows; row++) {
    const first = row * expertsPerToken;
    let sum = 0;
    for (let i = first; i < first + expertsPerToken; i++) {
      weights[i] = scores.data[row * expertCount + indices[i]!]!;
      sum = fround(sum + weights[i]!);
    }
    const divisor = normalizeWeights ? fround(sum + 1e-20) : 1;
    for (let i = first; i < first + expertsPerToken; i++) {
      weights[i] = fround(fround(weights[i]! / divisor) * fround(routedScale));
    }
  }
}
