import { plainKernels, TensorMemory } from "@windtunnel/tensor";
import { expect, test } from "vitest";
import type { ModelConfig } from "./config.ts";
import { chooseExperts } from "./gate.ts";
import { findPreset } from "./presets.ts";

const CONFIG: ModelConfig = {
  ...findPreset("v3-tiny").config,
  expertCount: 8,
  expertsPerToken: 2,
  groupCount: 4,
  limitedGroupCount: 2,
};

function choose(config: ModelConfig, logits: readonly number[], bias: readonly number[] | null) {
  const memory = TensorMemory.create(65_536);
  const x = memory.tensor([logits.length / config.expertCount, config.expertCount]);
  x.data.set(logits);
  const context = { config, kernels: plainKernels, arena: memory.arena(16_384) };
  const choices = chooseExperts(context, x, bias === null ? null : new Float32Array(bias));
  return { indices: [...choices.indices], weights: [...choices.weights] };
}

test("sigmoid, bias and groups choose and weigh as in the golden case of mechanics §1.3", () => {
  const { indices, weights } = choose(
    CONFIG,
    [0.5, -1, 2, 0.1, 1.5, 1.4, -0.3, 0.9],
    [0, 0.3, -0.4, 0, 0, -0.1, 0.2, 0],
  );
  expect(indices).toEqual([4, 7]);
  expect(weights[0]).toBeCloseTo(1.337196, 5);
  expect(weights[1]).toBeCloseTo(1.162804, 5);
});

test("a masked group never wins, not even when every allowed score is negative", () => {
  const bias = [-1.2, -1.3, -2, -2, -1.2, -1.3, -3, -3];
  const { indices } = choose(
    { ...CONFIG, expertsPerToken: 4 },
    Array.from({ length: 8 }).fill(0) as number[],
    bias,
  );
  expect(indices).toEqual([0, 4, 1, 5]);
});

test("ties go to the lowest index, among groups and among experts", () => {
  const { indices } = choose(CONFIG, [0, 0, 0, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0, 0, 0]);
  expect(indices).toEqual([0, 1]);
});

const SOFTMAX: ModelConfig = {
  ...CONFIG,
  gate: "softmax",
  selection: "greedy",
  groupCount: 1,
  limitedGroupCount: 1,
  normalizeWeights: false,
  routedScale: 1,
};
// Softmax of logarithms gives back these numbers, which sum to 1.
const SHARES = [0.3, 0.01, 0.04, 0.15, 0.2, 0.05, 0.13, 0.12];
const LOGITS = [-1.2039728, -4.6051702, -3.2188758, -1.89712, -1.6094379, -2.9957323, -2.0402208, -2.1202635];

test("softmax chooses greedily and leaves the weights as they are", () => {
  const { indices, weights } = choose(SOFTMAX, LOGITS, null);
  expect(indices).toEqual([0, 4]);
  expect(weights[0]).toBeCloseTo(SHARES[0]!, 6);
  expect(weights[1]).toBeCloseTo(SHARES[4]!, 6);
});

test("group-limited softmax scores a group by its best expert", () => {
  // Bests of the groups: 0.3, 0.15, 0.2, 0.13.
  const limited: ModelConfig = {
    ...SOFTMAX,
    selection: "group-limited",
    groupCount: 4,
    limitedGroupCount: 2,
  };
  expect(choose({ ...limited, expertsPerToken: 4 }, LOGITS, null).indices).toEqual([0, 4, 5, 1]);
  expect(
    choose({ ...limited, limitedGroupCount: 3, expertsPerToken: 3, routedScale: 16 }, LOGITS, null),
  ).toEqual({
    indices: [0, 4, 3],
    weights: [expect.closeTo(16 * 0.3, 4), expect.closeTo(16 * 0.2, 4), expect.closeTo(16 * 0.15, 4)],
  });
});

test("a token's choices do not depend on the other rows", () => {
  const other = [3, 1, -2, 0.5, 0.25, 9, -9, 1];
  const logits = [0.5, -1, 2, 0.1, 1.5, 1.4, -0.3, 0.9];
  const bias = [0, 0.3, -0.4, 0, 0, -0.1, 0.2, 0];
  const alone = choose(CONFIG, logits, bias);
  const together = choose(CONFIG, [...other, ...logits, ...other], bias);
  expect(together.indices.slice(2, 4)).toEqual(alone.indices);
  expect(together.weights.slice(2, 4)).toEqual(alone.weights);
});

test("a NaN among the logits stops the run", () => {
  expect(() => choose(CONFIG, [Number.NaN, 0, 0, 0, 0, 0, 0, 0], null)).toThrow(/NaN/);
});
