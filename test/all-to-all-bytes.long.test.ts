// The bytes of the largest all-to-alls, as in `all-to-all-bytes.test.ts`; they take longer than a unit test may.

import { describe, test } from "vitest";
import { expectCountedBytes } from "./support/counted-bytes.ts";

describe("every wire carries exactly the bytes of the formulas", () => {
  test.each([64, 128, 256])("128 tokens on each of %i ranks, by every pattern", (ranks) => {
    for (const pattern of ["direct", "normal", "low-latency"]) {
      expectCountedBytes({ pattern, ranks, tokens: [128] });
    }
  });

  test.each([16, 32, 64, 128, 256])("4096 tokens on each of %i ranks, by direct and normal", (ranks) => {
    for (const pattern of ["direct", "normal"]) expectCountedBytes({ pattern, ranks, tokens: [4096] });
  });
});
