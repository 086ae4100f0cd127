// Where experts live in an expert-parallel unit: contiguous blocks, the same number on each rank.

import { inputError, invariant } from "@windtunnel/base";

export interface ExpertPlacement {
  readonly expertCount: number;
  /** Ranks of the unit. */
  readonly degree: number;
  readonly expertsPerRank: number;
}

export function placeExperts(options: {
  readonly expertCount: number;
  readonly degree: number;
}): ExpertPlacement {
  const { expertCount, degree } = options;
  if (degree < 1 || expertCount % degree !== 0) {
    throw inputError(`${expertCount} experts do not divide by a degree of ${degree}`, {
      path: "parallelism.expertParallel",
      found: degree,
      allowed: `a divisor of ${expertCount}`,
    });
  }
  return { expertCount, degree, expertsPerRank: expertCount / degree };
}

/** The unit's rank that holds an expert. */
export function ownerOf(placement: ExpertPlacement, expert: number): number {
  invariant(expert >= 0 && expert < placement.expertCount, `expert ${expert} of ${placement.expertCount}`);
  return Math.floor(expert / placement.expertsPerRank);
}
