// Causes add up to the step on random scenarios; a thousand of them in causes.long.test.ts.

import { expect, test } from "vitest";
import { checkCauses } from "./support/cause-sums.ts";
import { SEEDS } from "./support/seeds.ts";

test("causes and the critical path sum to the step, on every rank, to the picosecond", async () => {
  const seeds = Array.from({ length: 12 }, (_, index) => index + 1);
  for (const seed of [...seeds, ...SEEDS]) {
    expect((await checkCauses(seed)).computing, `seed ${seed}`).toBeGreaterThan(0);
  }
});
