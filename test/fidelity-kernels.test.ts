// The forward kernels of DeepSeek's training trace beside the kernels that a layer of prefill is priced as: the same list, in
// the same order, on the trace's 112 SMs and 4,096 tokens. Whoever adds or drops a kernel of the expanded form meets it here.

import { coreCost, projectionCost } from "@windtunnel/attention-dp";
import { expertsCost, gateCost, mlpCost, permutationCost } from "@windtunnel/expert";
import { CostModel, HARDWARE_PROFILES, type OperationCost } from "@windtunnel/gpu";
import { findPreset } from "@windtunnel/model";
import { describe, expect, test } from "vitest";

const { config } = findPreset("deepseek-v3");
const model = new CostModel({ ...HARDWARE_PROFILES.get("h800")!, gapUs: 0 });
const TOKENS = 4096;
const SMS = 112;
/** Of 4 local experts, and the tokens that they came from: about, by the publication. */
const ARRIVED = { tokens: 28_500, rows: 31_000 };

function timesOf(costs: readonly OperationCost[]): number[] {
  return costs.map((cost) => model.duration([cost], SMS) / 1e6);
}

const load = { form: "expanded", newPositions: [TOKENS], contextPositions: [TOKENS] } as const;
const { expand, reduce } = permutationCost(config, "fp8", ARRIVED);

/** Each of ours, and the trace's µs; null where the trace names none: they are part of its 360 µs without a name. */
type Pairs = readonly (readonly [kernel: string, traceUs: number | null])[];

describe.each<[string, readonly OperationCost[], Pairs]>([
  [
    "projections",
    projectionCost(config, "fp8", load),
    [
      ["sum of outputs and residual", null],
      ["RMSNorm", 115],
      ["FP8 cast", 46],
      ["kv_a", 53],
      ["q_a", 104],
      ["cast of the query latent", null],
      ["q_b", 372],
      ["norms of both latents", null],
      ["new rows of the cache", null],
      ["rope over whole queries", 126],
      ["cast of the latent", null],
      ["kv_b", 243.5],
      ["copy of keys", 106],
      ["copy of values", 84.5],
    ],
  ],
  [
    "core",
    coreCost(config, "fp8", load),
    [
      ["FlashAttention", 1234.5],
      ["cast", 110.5],
      ["o", 894],
      ["residual", 39.5],
    ],
  ],
  [
    "gate",
    gateCost(config, TOKENS),
    [
      ["norm", 105.5],
      ["gate", 45],
      ["top-k, first", 68.5],
      ["top-k, second", 69],
    ],
  ],
  [
    "shared expert",
    mlpCost(config, "fp8", TOKENS, config.expertInnerSize),
    [
      ["cast of the experts' input", 52.5],
      ["shared up", 259],
      ["shared SwiGLU", 20],
      ["shared down", 139],
    ],
  ],
  [
    "routed experts",
    [...expand, ...expertsCost(config, "fp8", { rows: ARRIVED.rows, activeExperts: 4 }), ...reduce],
    [
      ["count, mapping, transposed scales", 71 + 174 + 97],
      ["expand", 191],
      ["routed up", 1779],
      ["SwiGLU and cast", 132],
      ["routed down", 979],
      ["unpermute and reduce", 336],
    ],
  ],
])("the kernels of the %s", (_, costs, pairs) => {
  const times = timesOf(costs);

  test("are those of the trace", () => {
    expect(costs).toHaveLength(pairs.length);
  });

  test.each(pairs.map(([kernel, traceUs], index) => ({ kernel, traceUs, index })))(
    "$kernel",
    ({ traceUs, index }) => {
      const ours = times[index]!;
      // What has no name in the trace is small; products are fitted to a later and faster DeepGEMM (ADR 15).
      if (traceUs === null) expect(ours).toBeLessThan(100);
      else if (costs[index]!.shape.kind === "product") expect(ours / traceUs).toBeGreaterThan(0.71);
      else expect(Math.abs(ours / traceUs - 1)).toBeLessThan(0.26);
    },
  );
});

test("all forward kernels together are those of the trace, less its training casts and what it doesn't name", () => {
  const all = [
    ...projectionCost(config, "fp8", load),
    ...coreCost(config, "fp8", load),
    ...gateCost(config, TOKENS),
    ...mlpCost(config, "fp8", TOKENS, config.expertInnerSize),
    ...expand,
    ...expertsCost(config, "fp8", { rows: ARRIVED.rows, activeExperts: 4 }),
    ...reduce,
  ];
  const isProduct = ({ shape }: OperationCost): boolean => shape.kind === "product";
  const isCore = ({ shape }: OperationCost): boolean => shape.kind.endsWith("-attention");
  const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
  const others = sum(timesOf(all.filter((cost) => !isProduct(cost) && !isCore(cost))));
  // Kernel sums of attention and MLP, less the ten products, the core, three casts for the backward pass, and the second
  // cast of the layer's input, which a forward pass shares.
  const products = 104 + 53 + 372 + 243.5 + 894 + 45 + 259 + 1779 + 979 + 139;
  const published = 4370 + 4495 - products - 1234.5 - (189.5 + 196 + 26) - 47;
  expect(Math.abs(others / published - 1)).toBeLessThan(0.08);
});
