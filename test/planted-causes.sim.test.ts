// What is wrong with a run is named from its recording alone; many more places of each are tried in planted-causes.long.test.ts.

import { expect, test } from "vitest";
import { CAUSES, findPlanted } from "./support/planted-causes.ts";

test.each(CAUSES)("a planted cause is the first suspect: %s", async (cause) => {
  const { what, isFirst, suspects } = await findPlanted(cause, 1);
  expect(isFirst, `${what}; suspects: ${JSON.stringify(suspects.slice(0, 3))}`).toBe(true);
});
