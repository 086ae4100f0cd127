// What the scenario format knows and this version can't run yet, in one table. Whoever adds a feature deletes
// its row here (or a value from it); nothing else in the house repeats these limits.

import { describeValue, type Problem } from "./problems.ts";
import type { Scenario } from "./scenario.ts";

interface Limit {
  readonly path: readonly string[];
  /** What runs now; an empty list: the field must be left out. */
  readonly allowedNow: readonly (string | number | boolean)[];
  /** Anything runs where nothing is executed. */
  readonly freeWithoutMath?: true;
}

const LIMITS: readonly Limit[] = [
  { path: ["routing", "file"], allowedNow: [] },
  { path: ["run", "precision", "combine"], allowedNow: ["f32", "bf16"] },
  // Without math positions are priced and nothing else; to execute them takes the model's prediction layer.
  { path: ["workload", "drawn", "positionsPerRequest"], allowedNow: [1], freeWithoutMath: true },
  { path: ["workload", "drawn", "acceptedPerStep"], allowedNow: [1], freeWithoutMath: true },
];

/** Fields of a valid scenario that this version can't run. */
export function limitsOfThisVersion(scenario: Scenario): Problem[] {
  const problems: Problem[] = [];
  for (const { path, allowedNow, freeWithoutMath } of LIMITS) {
    if (freeWithoutMath && scenario.math === "skip") continue;
    let value: unknown = scenario;
    for (const key of path) value = (value as Record<string, unknown> | undefined)?.[key];
    if (value === undefined || allowedNow.some((allowed) => allowed === value)) continue;
    const values = allowedNow.length === 0 ? "leaving it out" : allowedNow.join(", ");
    const allowed = freeWithoutMath ? `${values}, or anything with math: skip` : values;
    const found = describeValue(value);
    problems.push({
      path,
      message: `${found} is not in this version; allowed now: ${allowed}`,
      found,
      allowed,
    });
  }
  return problems;
}
