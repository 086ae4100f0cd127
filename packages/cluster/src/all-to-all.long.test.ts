// The widest all-to-all that DeepSeek describes, where what grows with the square of the ranks would be felt.

import { expect, test } from "vitest";
import { runAllToAll } from "./all-to-all.ts";
import { withBenchmarkDefaults } from "./all-to-all-options.ts";

test("320 ranks with 64 redundant experts have one expert each, and a message for each pair", () => {
  const { dispatch, combine, rowsPerRank } = runAllToAll(
    withBenchmarkDefaults({
      pattern: "low-latency",
      ranks: 320,
      experts: 256,
      redundantExperts: 64,
      tokens: [4],
    }),
  );
  expect([dispatch.messages, combine.messages]).toEqual([320 * 319, 320 * 319]);
  expect(rowsPerRank.mean).toBe(4 * 8);
});
