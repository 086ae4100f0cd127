// Causes add up to the step on a thousand random scenarios, uneven gates and all patterns included.

import { noTime, STEP_CAUSES } from "@windtunnel/trace";
import { expect, test } from "vitest";
import { checkCauses } from "./support/cause-sums.ts";

const SCENARIOS = 1000;

test(
  "causes sum to the step on a thousand random scenarios, and every cause occurs",
  { timeout: 900_000 },
  async () => {
    const all = noTime();
    for (let seed = 1; seed <= SCENARIOS; seed++) {
      const sums = await checkCauses(seed);
      for (const cause of STEP_CAUSES) all[cause] += sums[cause];
    }
    for (const cause of STEP_CAUSES) expect(all[cause], cause).toBeGreaterThan(0);
  },
);
