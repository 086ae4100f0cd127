// Which replica of an expert a token goes to: (source rank + token) modulo the expert's replicas, so that a rank's
// tokens take an expert's replicas in turn, and ranks begin with different ones. The rule stands here and nowhere else.
// It never changes what a token's experts are, only where they are computed.

import { invariant } from "@windtunnel/base";
import { type ExpertPlacement, replicaMapOf } from "./expert-placement.ts";

/** Whose choices they are. */
export interface ChoiceSource {
  /** The layer that routes. */
  readonly layer: number;
  readonly choicesPerToken: number;
  /** The rank's number in its unit. */
  readonly unitRank: number;
  /**
   * Row of the first token in its rank's step. Tokens are counted through the step and not through its micro-batches,
   * so that a schedule decides over no replica: `normal` adds up by the ranks where replicas are.
   */
  readonly firstRow: number;
}

/**
 * Experts [tokens, choices] to physical experts, in the same order. A token's choices stay distinct. Without redundant
 * experts these are the choices themselves, not copied.
 */
export function physicalChoices(
  choices: Int32Array,
  placement: ExpertPlacement,
  { layer, choicesPerToken, unitRank, firstRow }: ChoiceSource,
): Int32Array {
  const map = replicaMapOf(placement, layer);
  if (map === undefined) return choices;
  invariant(
    choices.length % choicesPerToken === 0,
    `${choices.length} choices, ${choicesPerToken} for each token`,
  );
  const { offsets, physicalOf } = map;
  const physical = new Int32Array(choices.length);
  let turn = unitRank + firstRow;
  for (let token = 0; token < choices.length; token += choicesPerToken) {
    for (let slot = token; slot < token + choicesPerToken; slot++) {
      const expert = choices[slot]!;
      if (!(expert >= 0 && expert < placement.expertCount))
        invariant(false, `expert ${expert} of ${placement.expertCount}`);
      const first = offsets[expert]!;
      const replicaCount = offsets[expert + 1]! - first;
      physical[slot] = physicalOf[first + (turn % replicaCount)]!;
    }
    turn++;
  }
  return physical;
}
