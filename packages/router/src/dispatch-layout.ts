// From choices to rows: which token goes to which expert, in the order in which rows travel.
// Rows are ordered by expert, then token, then choice, so that a rank's rows lie side by side.

import { invariant } from "@windtunnel/base";
import { type ChoiceGroups, groupChoices } from "@windtunnel/model";
import type { ExpertPlacement } from "./expert-placement.ts";

/** A slot is token · choicesPerToken + choice; rows rowOffsets[e] … rowOffsets[e + 1] go to expert e. */
export interface DispatchLayout extends ChoiceGroups {
  readonly tokenCount: number;
  readonly choicesPerToken: number;
}

/** `choices` is [tokens, choices]: experts of each token. */
export function layoutDispatch(
  choices: Int32Array,
  tokenCount: number,
  choicesPerToken: number,
  placement: ExpertPlacement,
): DispatchLayout {
  invariant(
    choices.length === tokenCount * choicesPerToken,
    `${choices.length} choices of ${tokenCount} tokens`,
  );
  for (const expert of choices) {
    invariant(expert >= 0 && expert < placement.expertCount, `expert ${expert} of ${placement.expertCount}`);
  }
  return { tokenCount, choicesPerToken, ...groupChoices(choices, placement.expertCount) };
}

/** Rows for each expert of a rank: [expertsPerRank]. */
export function countsForRank(
  layout: DispatchLayout,
  placement: ExpertPlacement,
  unitRank: number,
): Int32Array {
  const first = unitRank * placement.expertsPerRank;
  return Int32Array.from(
    { length: placement.expertsPerRank },
    (_, local) => layout.rowOffsets[first + local + 1]! - layout.rowOffsets[first + local]!,
  );
}
