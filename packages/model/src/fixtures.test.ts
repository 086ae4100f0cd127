// The fixtures come from DeepSeek's own inference code in float32, checked against Hugging Face transformers.

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { createSimdKernels, plainKernels } from "@windtunnel/tensor";
import { expect, test } from "vitest";
import { openCheckpoint } from "./checkpoint.ts";
import { loadReference } from "./reference.ts";

interface ExpectedStep {
  readonly start: number;
  readonly tokens: readonly number[];
  readonly logits: readonly number[];
  readonly experts: readonly { readonly layer: number; readonly indices: readonly (readonly number[])[] }[];
}

interface Expected {
  readonly cases: readonly {
    readonly prompt: number[];
    readonly greedy: number[];
    readonly steps: ExpectedStep[];
  }[];
}

const POSITION_COUNT = 256;

/** The plain kernels, which define the answer, take one case; the fast ones, equal bit for bit, take all. */
const RUNS = [
  {
    name: "tiny-v3",
    kernels: "WebAssembly",
    kernelsFor: createSimdKernels,
    caseCount: Number.POSITIVE_INFINITY,
  },
  {
    name: "tiny-v2",
    kernels: "WebAssembly",
    kernelsFor: createSimdKernels,
    caseCount: Number.POSITIVE_INFINITY,
  },
  { name: "tiny-v3", kernels: "plain", kernelsFor: () => plainKernels, caseCount: 1 },
  { name: "tiny-v2", kernels: "plain", kernelsFor: () => plainKernels, caseCount: 1 },
];

for (const { name, kernels, kernelsFor, caseCount } of RUNS) {
  test(`${name} gives every greedy token, logits within 1e-4 and the same experts, ${kernels} kernels`, () => {
    const directory = fileURLToPath(new URL(`../../../test/fixtures/${name}`, import.meta.url));
    const expected = JSON.parse(readFileSync(`${directory}/expected.json`, "utf8")) as Expected;
    const model = loadReference({
      ...openCheckpoint(directory),
      kernelsFor,
      positionCount: POSITION_COUNT,
    });
    for (const { prompt, greedy, steps } of expected.cases.slice(0, caseCount)) {
      const logitsByStep: Float32Array[] = [];
      const expertsByStep = new Map<string, number[][]>();
      const { tokens, firstLogits } = model.generate(prompt, greedy.length, {
        onLogits: (step, logits) => logitsByStep.push(logits.slice()) === step + 1,
        onChoices: (step, layer, { indices }, rows) => {
          const size = indices.length / rows;
          const chosen = Array.from({ length: rows }, (_, row) =>
            Array.from(indices.subarray(row * size, (row + 1) * size)).toSorted((a, b) => a - b),
          );
          expertsByStep.set(`${step}/${layer}`, chosen);
        },
      });
      expect(tokens).toEqual(greedy);
      expect(firstLogits).toEqual(logitsByStep[0]);
      for (const expectedStep of steps) {
        // A step starts at the position of its first row: 0 for the prompt, then one position a step.
        const step = expectedStep.start === 0 ? 0 : expectedStep.start - prompt.length + 1;
        expect(largestDifference(logitsByStep[step]!, expectedStep.logits)).toBeLessThan(1e-4);
        for (const { layer, indices } of expectedStep.experts) {
          expect(expertsByStep.get(`${step}/${layer}`)).toEqual(indices);
        }
      }
    }
  });
}

function largestDifference(left: ArrayLike<number>, right: readonly number[]): number {
  expect(left.length).toBe(right.length);
  return right.reduce((largest, value, i) => Math.max(largest, Math.abs(value - left[i]!)), 0);
}
