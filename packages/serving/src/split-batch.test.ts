import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type BatchCut, capturedSize, splitDecode, splitPrefill } from "./split-batch.ts";

const prompts = (...tokens: number[]) => tokens.map((each) => ({ tokens: each, cached: 0 }));

describe("a prefill batch", () => {
  test("is cut between prompts where that halves tokens and attention work", () => {
    expect(splitPrefill(prompts(4096, 4096, 4096, 4096))).toEqual({ requests: 2, tokens: 0 });
    expect(splitPrefill(prompts(100, 101))).toEqual({ requests: 1, tokens: 0 });
    expect(splitPrefill([])).toEqual({ requests: 0, tokens: 0 });
  });

  test("cuts a lone prompt where tokens and causal attention are equally uneven", () => {
    // A share x of the tokens has x² of the pairs: x - 1/2 = 1/2 - x² at x = (√5 - 1) / 2 = 0.618.
    expect(splitPrefill(prompts(1000))).toEqual({ requests: 0, tokens: 618 });
    // With many cached positions all tokens attend alike.
    expect(splitPrefill([{ tokens: 1000, cached: 1e6 }])).toEqual({ requests: 0, tokens: 500 });
  });

  test("is never more uneven than the best cut between prompts, and within tolerance keeps prompts whole", () => {
    const unevenness = (requests: { tokens: number; cached: number }[], cut: BatchCut): number => {
      // Token by token: each attends to all before it and to itself.
      const sums = { tokens: [0, 0], pairs: [0, 0] };
      for (const [index, { tokens, cached }] of requests.entries()) {
        for (let token = 0; token < tokens; token++) {
          const half = index < cut.requests || (index === cut.requests && token < cut.tokens) ? 0 : 1;
          sums.tokens[half]! += 1;
          sums.pairs[half]! += cached + token + 1;
        }
      }
      const share = ([first, second]: number[]): number => first! / (first! + second!);
      return Math.max(Math.abs(share(sums.tokens) - 0.5), Math.abs(share(sums.pairs) - 0.5));
    };
    const request = fc.record({
      tokens: fc.integer({ min: 1, max: 60 }),
      cached: fc.integer({ min: 0, max: 90 }),
    });
    fc.assert(
      fc.property(fc.array(request, { minLength: 1, maxLength: 6 }), (requests) => {
        const cut = splitPrefill(requests);
        const whole = Math.min(
          ...Array.from({ length: requests.length + 1 }, (_, each) =>
            unevenness(requests, { requests: each, tokens: 0 }),
          ),
        );
        const found = unevenness(requests, cut);
        expect(found).toBeLessThanOrEqual(whole + 1e-9);
        if (whole <= 0.02 - 1e-9) expect(cut.tokens).toBe(0);
      }),
      { numRuns: 200 },
    );
  });
});

test("a batch has the next captured size, and none above the largest", () => {
  expect([1, 4, 5, 8, 9, 0].map((requests) => capturedSize(requests, [4, 8]))).toEqual([
    4,
    4,
    8,
    8,
    undefined,
    0,
  ]);
  expect([0, 3].map((requests) => capturedSize(requests, undefined))).toEqual([undefined, undefined]);
});

test("a decode batch gets half of its requests each, and half of its padded size", () => {
  expect(splitDecode(7)).toEqual({ requests: 4, tokens: 0 });
  expect(splitDecode(65, 72)).toEqual({ requests: 36, tokens: 0 });
  expect(splitDecode(3, 8)).toEqual({ requests: 3, tokens: 0 });
  expect(splitDecode(0)).toEqual({ requests: 0, tokens: 0 });
});
