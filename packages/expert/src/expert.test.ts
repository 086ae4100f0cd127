import { RandomStream } from "@windtunnel/base";
import {
  createRopeTables,
  drawnWeights,
  findPreset,
  loadWeights,
  moeForward,
  type WirePrecision,
} from "@windtunnel/model";
import { layoutDispatch, placeExperts } from "@windtunnel/router";
import { plainKernels, TensorMemory } from "@windtunnel/tensor";
import { describe, expect, test } from "vitest";
import {
  type ArrivedRows,
  combine,
  normalCombineBytes,
  normalDispatchBytes,
  packDispatch,
  rowMessageBytes,
  rowReturnBytes,
  runExperts,
} from "./index.ts";

const { config } = findPreset("v3-tiny");
const memory = TensorMemory.create(64 * 1024 ** 2);
const weights = loadWeights(memory, config, drawnWeights(1));
const context = {
  config,
  kernels: plainKernels,
  arena: memory.arena(32 * 1024 ** 2),
  ropeTables: createRopeTables(config, 1, (shape) => memory.tensor(shape)),
};
const layer = weights.layers[config.denseLayerCount]!.feedForward;
if (layer.kind !== "moe") throw new Error("the first layer behind the dense ones has experts");

/** An MoE layer over `degree` ranks with these numbers of tokens, through packed rows; gives each rank's outputs. */
function dispatchAndCombine(
  degree: number,
  tokensByRank: readonly number[],
  wire: WirePrecision,
  choose: (rank: number, slot: number) => number,
): { outputs: Float32Array[]; inputs: Float32Array[]; choices: Int32Array[] } {
  const placement = placeExperts({ expertCount: config.expertCount, degree });
  const random = new RandomStream(2, "rows");
  const ranks = tokensByRank.map((tokens, rank) => {
    const x = memory.tensor([tokens, config.hiddenSize]);
    for (let i = 0; i < x.data.length; i++) x.data[i] = random.normal();
    const choices = Int32Array.from({ length: tokens * config.expertsPerToken }, (_, slot) =>
      choose(rank, slot),
    );
    const layout = layoutDispatch(choices, tokens, config.expertsPerToken, placement);
    const payloads = packDispatch(context, x, layout, placement, wire.dispatch);
    return { x, choices, layout, payloads, tokens };
  });
  const returned = ranks.map((_, owner) => {
    const first = owner * placement.expertsPerRank;
    const arrived = ranks.map(({ layout, payloads }): ArrivedRows => {
      const counts = Int32Array.from(
        { length: placement.expertsPerRank },
        (_, local) => layout.rowOffsets[first + local + 1]! - layout.rowOffsets[first + local]!,
      );
      return { counts, payload: payloads[owner]! };
    });
    const experts = layer.kind === "moe" ? layer.experts.slice(first, first + placement.expertsPerRank) : [];
    return runExperts(context, experts as Parameters<typeof runExperts>[1], arrived, wire);
  });
  const outputs = ranks.map(({ layout, tokens }, source) => {
    const out = memory.tensor([tokens, config.hiddenSize]);
    const factors = new Float32Array(tokens * config.expertsPerToken).fill(0.25);
    const back = returned.map((payloads) => payloads[source]!);
    combine(context, out, factors, layout, back, wire.combine);
    return out.data.slice();
  });
  return { outputs, inputs: ranks.map(({ x }) => x.data), choices: ranks.map(({ choices }) => choices) };
}

const wires: readonly WirePrecision[] = [
  { dispatch: "f32", combine: "f32" },
  { dispatch: "bf16", combine: "bf16" },
  { dispatch: "fp8", combine: "bf16" },
];

describe("dispatch and combine", () => {
  test.each(wires)("give the same bits at every degree, $dispatch out and $combine back", (wire) => {
    const random = new RandomStream(8, "choices");
    const drawn = Array.from({ length: 40 * config.expertsPerToken }, () => random.below(config.expertCount));
    // The same 12 tokens on one rank, or spread unevenly over four, of which one has none.
    const alone = dispatchAndCombine(1, [12], wire, (_, slot) => drawn[slot]!);
    const firstToken = [0, 5, 5, 9];
    const spread = dispatchAndCombine(
      4,
      [5, 0, 4, 3],
      wire,
      (rank, slot) => drawn[firstToken[rank]! * config.expertsPerToken + slot]!,
    );
    expect(Float32Array.from(spread.inputs.flatMap((rows) => [...rows]))).toEqual(alone.inputs[0]);
    expect(Float32Array.from(spread.outputs.flatMap((rows) => [...rows]))).toEqual(alone.outputs[0]);
    expect(alone.outputs[0]!.some((value) => value !== 0)).toBe(true);
  });

  test("an expert may get everything, and others nothing", () => {
    const wire = wires[2]!;
    const { outputs } = dispatchAndCombine(8, [3, 3, 3, 3, 3, 3, 3, 3], wire, () => 6);
    expect(outputs.every((rows) => rows.every((value) => Number.isFinite(value)))).toBe(true);
  });

  test("in the one-process layer rows are rounded where the wire rounds them", () => {
    const x = memory.tensor([4, config.hiddenSize]);
    const random = new RandomStream(3, "twin");
    for (let i = 0; i < x.data.length; i++) x.data[i] = random.normal();
    context.arena.scope(() => {
      const exact = moeForward(context, layer, x).data.slice();
      const rounded = moeForward(context, layer, x, { wire: wires[2]! }).data.slice();
      // An E4M3 mantissa of three bits is off by 2^-4 of the value at most, and by much less on average.
      const square = (values: Float32Array): number => values.reduce((sum, value) => sum + value * value, 0);
      const error = Math.sqrt(square(rounded.map((value, index) => value - exact[index]!)) / square(exact));
      expect(error).toBeGreaterThan(0);
      expect(error).toBeLessThan(1 / 16);
    });
  });
});

describe("messages", () => {
  const choicesPerToken = 8;
  const fp8 = {
    hiddenSize: 7168,
    wire: { dispatch: "fp8", combine: "bf16" },
    expertsPerRank: 16,
    choicesPerToken,
  } as const;
  const bf16 = { ...fp8, wire: { dispatch: "bf16", combine: "bf16" } } as const;

  test("of direct and low-latency weigh what DeepEP's do, and a count for each expert", () => {
    // 16 of header, 7168 codes, 56 scales of 4; 2 * 7168 back.
    expect(rowMessageBytes(fp8, 1) - rowMessageBytes(fp8, 0)).toBe(7408);
    expect(rowMessageBytes(bf16, 1) - rowMessageBytes(bf16, 0)).toBe(14_352);
    expect(rowReturnBytes(fp8, 1) - rowReturnBytes(fp8, 0)).toBe(14_336);
    expect([rowMessageBytes(fp8, 0), rowReturnBytes(fp8, 0)]).toEqual([64, 64]);
  });

  test("of normal weigh a row, its source, experts and weights, rounded up to 16 bytes", () => {
    // 7168 + 224 + 8 + 8 * 8 = 7464; 14336 + 8 + 64 = 14408; back 14336 + 8 + 4 * 8 = 14376.
    expect(normalDispatchBytes(fp8)).toBe(7472);
    expect(normalDispatchBytes(bf16)).toBe(14_416);
    expect(normalCombineBytes(fp8)).toBe(14_384);
  });
});
