// From choices to rows: which token goes to which physical expert, in the order in which rows travel.
// Rows are ordered by physical expert, then token, then choice, so that a rank's rows lie side by side.

import { invariant } from "@windtunnel/base";
import { type ChoiceGroups, countChoices, groupChoices } from "@windtunnel/model";
import type { ExpertPlacement } from "./expert-placement.ts";

/** A slot is token · choicesPerToken + choice; rows rowOffsets[p] … rowOffsets[p + 1] go to physical expert p. */
export interface DispatchLayout extends ChoiceGroups {
  readonly tokenCount: number;
  readonly choicesPerToken: number;
}

/** `choices` is [tokens, choices]: physical experts of each token (`physicalChoices` makes them of a gate's choices). */
export function layoutDispatch(
  choices: Int32Array,
  tokenCount: number,
  choicesPerToken: number,
  placement: ExpertPlacement,
): DispatchLayout {
  checkChoices(choices, tokenCount * choicesPerToken, placement);
  return { tokenCount, choicesPerToken, ...groupChoices(choices, placement.physicalCount) };
}

/** The same for choices that nobody changes afterwards: rows are put in their order when somebody asks. */
export function layoutKeptChoices(
  choices: Int32Array,
  tokenCount: number,
  choicesPerToken: number,
  placement: ExpertPlacement,
): DispatchLayout {
  checkChoices(choices, tokenCount * choicesPerToken, placement);
  return new KeptChoices(choices, tokenCount, choicesPerToken, placement.physicalCount);
}

function checkChoices(choices: Int32Array, count: number, { physicalCount }: ExpertPlacement): void {
  invariant(choices.length === count, `${choices.length} choices in place of ${count}`);
  for (let slot = 0; slot < choices.length; slot++) {
    const physical = choices[slot]!;
    if (!(physical >= 0 && physical < physicalCount))
      invariant(false, `physical expert ${physical} of ${physicalCount}`);
  }
}

/** Rows are counted at once: what is timed alone only asks how many there are. */
class KeptChoices implements DispatchLayout {
  readonly tokenCount: number;
  readonly choicesPerToken: number;
  readonly rowOffsets: Int32Array;
  readonly #choices: Int32Array;
  #groups: ChoiceGroups | undefined;

  constructor(choices: Int32Array, tokenCount: number, choicesPerToken: number, physicalCount: number) {
    this.tokenCount = tokenCount;
    this.choicesPerToken = choicesPerToken;
    this.rowOffsets = countChoices(choices, physicalCount);
    this.#choices = choices;
  }

  get slotOfRow(): Int32Array {
    return this.#grouped.slotOfRow;
  }

  get rowOfSlot(): Int32Array {
    return this.#grouped.rowOfSlot;
  }

  get #grouped(): ChoiceGroups {
    this.#groups ??= groupChoices(this.#choices, this.rowOffsets.length - 1);
    return this.#groups;
  }
}

/** Rows for each physical expert of a rank: [expertsPerRank]. */
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
