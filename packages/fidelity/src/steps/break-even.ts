// The batch from which on two micro-batches that overlap are faster than one: searched on the emulated cluster, since no
// constant says it.

import { invariant } from "@windtunnel/base";
import type { MeasuredSteps } from "./measured-step.ts";
import type { StepConditions } from "./step-scenario.ts";

/** Graphs are captured in steps of 8 requests from 16 on. */
const GRAIN = 8;

export interface BreakEvenQuestion {
  readonly steps: Pick<MeasuredSteps, "measure">;
  readonly conditions: (
    schedule: "two-batch-sglang" | "sequential",
    requestsPerGpu: number,
  ) => StepConditions;
  /** Between these: overlapping loses with the first and pays with the second. */
  readonly from: number;
  readonly to: number;
}

/** Requests of a GPU, the fewest of those tried with which overlapping pays: halved until 8 remain. */
export async function breakEven({ steps, conditions, from, to }: BreakEvenQuestion): Promise<number> {
  const pays = async (requests: number): Promise<boolean> => {
    const over = await steps.measure(conditions("two-batch-sglang", requests));
    const under = await steps.measure(conditions("sequential", requests));
    return over.stepUs < under.stepUs;
  };
  let [loses, wins] = [from, to];
  invariant(!(await pays(loses)), `overlapping loses with ${loses} requests`);
  invariant(await pays(wins), `overlapping pays with ${wins} requests`);
  while (wins - loses > GRAIN) {
    const middle = GRAIN * Math.round((loses + wins) / 2 / GRAIN);
    if (await pays(middle)) wins = middle;
    else loses = middle;
  }
  return wins;
}
