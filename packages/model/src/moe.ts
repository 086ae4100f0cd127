// An MoE layer in one process: gate, experts, weighted sum, shared experts. It is the twin of the cluster's layer:
// rows are rounded exactly where the wire would round them, and each token sums its experts' outputs in the order of
// its choices, from zero, then adds the shared output. A token's bits never depend on who shares its batch.

import { defined } from "@windtunnel/base";
import { rowCount, type Tensor } from "@windtunnel/tensor";
import { expertForward, mlpForward } from "./feed-forward.ts";
import { type GateChoices, gateTokens } from "./gate.ts";
import type { LayerContext } from "./layer-context.ts";
import { FULL_PRECISION, roundAsOnWire, type WirePrecision } from "./wire.ts";
import type { MoeWeights } from "./weights.ts";

type MoeContext = Pick<LayerContext, "config" | "kernels" | "arena">;

export interface MoeOptions {
  readonly wire?: WirePrecision;
  /** Sees the gate's choices; the arrays are valid during the call. */
  readonly onChoices?: (choices: GateChoices, rows: number) => void;
}

/** The routed and shared experts' output [rows, hidden] for normalised rows x, in the arena. */
export function moeForward(
  context: MoeContext,
  weights: MoeWeights,
  x: Tensor,
  options: MoeOptions = {},
): Tensor {
  const { config, kernels, arena } = context;
  const wire = options.wire ?? FULL_PRECISION;
  const rows = rowCount(x);
  const out = arena.zeros([rows, config.hiddenSize]);
  arena.scope(() => {
    const choices = gateTokens(context, weights.gate, x);
    options.onChoices?.(choices, rows);
    const groups = groupChoices(choices.indices, config.expertCount);
    const dispatched = dispatchRows(context, x, groups, wire);
    const experts = weights.experts.map((expert, index) => defined(expert ?? undefined, `expert ${index}`));
    const returned = expertForward(context, experts, copied(context, groups.rowOffsets), dispatched);
    roundAsOnWire(context, wire.combine, returned);
    kernels.addGatheredRows(out, returned, groups.rowOfSlot, choices.weights);
    if (weights.shared !== null) kernels.add(out, mlpForward(context, weights.shared, x));
  });
  return out;
}

/** Choices sorted by expert; within an expert in order of their slot, which is token · expertsPerToken + choice. */
export interface ChoiceGroups {
  /** Rows rowOffsets[e] … rowOffsets[e + 1] belong to expert e. */
  readonly rowOffsets: Int32Array;
  readonly slotOfRow: Int32Array;
  readonly rowOfSlot: Int32Array;
}

/** Where the rows of each expert begin, and behind the last one where they end: [expertCount + 1]. */
export function countChoices(indices: Int32Array, expertCount: number): Int32Array {
  const rowOffsets = new Int32Array(expertCount + 1);
  for (let slot = 0; slot < indices.length; slot++) rowOffsets[indices[slot]! + 1]!++;
  for (let expert = 0; expert < expertCount; expert++) rowOffsets[expert + 1]! += rowOffsets[expert]!;
  return rowOffsets;
}

/** A stable counting sort of the chosen experts. */
export function groupChoices(indices: Int32Array, expertCount: number): ChoiceGroups {
  const rowOffsets = countChoices(indices, expertCount);
  const next = rowOffsets.slice();
  const slotOfRow = new Int32Array(indices.length);
  const rowOfSlot = new Int32Array(indices.length);
  for (let slot = 0; slot < indices.length; slot++) {
    const row = next[indices[slot]!]!++;
    slotOfRow[row] = slot;
    rowOfSlot[slot] = row;
  }
  return { rowOffsets, slotOfRow, rowOfSlot };
}

/** Each choice's row as its expert receives it: [rows · expertsPerToken, hidden], grouped by expert. */
function dispatchRows(context: MoeContext, x: Tensor, groups: ChoiceGroups, wire: WirePrecision): Tensor {
  const { hiddenSize, expertsPerToken } = context.config;
  const rounded = context.arena.tensor([rowCount(x), hiddenSize]);
  rounded.data.set(x.data);
  roundAsOnWire(context, wire.dispatch, rounded);
  const dispatched = context.arena.tensor([groups.slotOfRow.length, hiddenSize]);
  for (let row = 0; row < groups.slotOfRow.length; row++) {
    const token = Math.floor(groups.slotOfRow[row]! / expertsPerToken);
    dispatched.data.set(
      rounded.data.subarray(token * hiddenSize, (token + 1) * hiddenSize),
      row * hiddenSize,
    );
  }
  return dispatched;
}

function copied(context: MoeContext, offsets: Int32Array): Int32Array {
  const copy = context.arena.integers(offsets.length);
  copy.set(offsets);
  return copy;
}
