import { WorldError } from "@windtunnel/base";
import {
  createSimdKernels,
  type Kernels,
  plainKernels,
  rowsOf,
  type ScaleFormat,
  type Tensor,
  TensorMemory,
} from "@windtunnel/tensor";
import { describe, expect, test } from "vitest";
import { attentionBatch, type AttentionSegment } from "./attention-batch.ts";
import { decoderLayer } from "./decoder.ts";
import { drawnWeights } from "./drawn-weights.ts";
import { KvCache } from "./kv-cache.ts";
import type { LayerContext } from "./layer-context.ts";
import { findPreset } from "./presets.ts";
import { loadReference, ReferenceModel, referenceScratchBytes } from "./reference.ts";
import { createRopeTables } from "./rotary.ts";
import { embed } from "./vocabulary.ts";
import { loadWeights, weightBytes } from "./weights.ts";
import { quantizeForWire, roundAsOnWire, type WirePrecision, wireRowBytes } from "./wire.ts";

const { fround } = Math;
const { config } = findPreset("v3-tiny");
const source = drawnWeights(5);
const kernelsFor = () => plainKernels;

/** A context with room for a few requests, and the model's weights. */
function bench(positionCount: number) {
  const scratch = 8 * referenceScratchBytes(config, positionCount);
  const memory = TensorMemory.create(weightBytes(config, config.expertCount) + scratch + 4096);
  const weights = loadWeights(memory, config, source);
  const arena = memory.arena(scratch);
  const ropeTables = createRopeTables(config, positionCount, (shape) => arena.tensor(shape));
  const context: LayerContext = { config, kernels: plainKernels, arena, ropeTables };
  const newCache = () => new KvCache(config, positionCount, (shape) => arena.tensor(shape));
  /** All layers over the rows of `tokens`; the rows as plain numbers. */
  const forward = (
    segments: readonly AttentionSegment[],
    tokens: readonly number[],
    wire?: WirePrecision,
  ) => {
    const x = embed(context, weights, tokens);
    for (const [layer, layerWeights] of weights.layers.entries()) {
      const options = wire === undefined ? {} : { wire };
      decoderLayer(context, { layer, weights: layerWeights }, x, attentionBatch(segments), options);
    }
    return x;
  };
  return { context, newCache, forward };
}

const tokensOf = (count: number, start: number) =>
  Array.from({ length: count }, (_, i) => (start + 37 * i) % 512);
const numbers = (x: Tensor, start: number, end: number) => [...rowsOf(x, start, end).data];

describe("rows are independent, bit for bit:", () => {
  const { newCache, forward } = bench(96);
  const prompt = tokensOf(70, 11);
  const whole = newCache();
  const wholeRows = forward([{ cache: whole, startPosition: 0, rowCount: 70, form: "expanded" }], prompt);

  test("a prompt in pieces gives the rows and the cache of the whole", () => {
    const cache = newCache();
    const rows: number[] = [];
    for (const [start, end] of [
      [0, 1],
      [1, 30],
      [30, 70],
    ] as const) {
      const segment = { cache, startPosition: start, rowCount: end - start, form: "expanded" } as const;
      rows.push(...numbers(forward([segment], prompt.slice(start, end)), 0, end - start));
    }
    expect(rows).toEqual(numbers(wholeRows, 0, 70));
    expect(cache.contents(2)).toEqual(whole.contents(2));
  });

  for (const wire of [undefined, { dispatch: "fp8", combine: "bf16" }] as const) {
    test(`a batch of prompts and generated positions gives what each gives alone, wire ${wire?.dispatch ?? "f32"}`, () => {
      const caches = [newCache(), newCache(), newCache()] as const;
      const alone: number[][] = [];
      const prefix = [9, 5].map((count, i) => tokensOf(count, 100 + i));
      for (const i of [0, 1] as const) {
        const segment = {
          cache: caches[i],
          startPosition: 0,
          rowCount: prefix[i]!.length,
          form: "expanded",
        } as const;
        forward([segment], prefix[i]!, wire);
      }
      const segments: readonly AttentionSegment[] = [
        { cache: caches[0], startPosition: 9, rowCount: 1, form: "absorbed" },
        { cache: caches[2], startPosition: 0, rowCount: 7, form: "expanded" },
        { cache: caches[1], startPosition: 5, rowCount: 3, form: "absorbed" },
      ];
      const tokens = tokensOf(11, 400);
      let row = 0;
      for (const segment of segments) {
        const x = forward([segment], tokens.slice(row, row + segment.rowCount), wire);
        alone.push(numbers(x, 0, segment.rowCount));
        segment.cache.truncate(segment.startPosition);
        row += segment.rowCount;
      }
      expect(numbers(forward(segments, tokens, wire), 0, 11)).toEqual(alone.flat());
    });
  }

  test("no rows are no trouble", () => {
    expect(forward([], []).shape).toEqual([0, config.hiddenSize]);
  });
});

test("both forms of attention agree to rounding", () => {
  const { newCache, forward } = bench(16);
  const [expanded, absorbed] = (["expanded", "absorbed"] as const).map((form) =>
    numbers(forward([{ cache: newCache(), startPosition: 0, rowCount: 12, form }], tokensOf(12, 3)), 0, 12),
  );
  const difference = Math.max(...expanded!.map((value, i) => Math.abs(value - absorbed![i]!)));
  expect(difference).toBeGreaterThan(0);
  expect(difference).toBeLessThan(2e-4);
});

test("a cache refuses gaps and more positions than it was made for", () => {
  const cache = bench(4).newCache();
  cache.append(0, 0);
  expect(() => cache.append(0, 2)).toThrow(/expects position 1/);
  for (const position of [1, 2, 3]) cache.append(0, position);
  expect(() => cache.append(0, 4)).toThrow(/holds 4 positions/);
  cache.truncate(2);
  expect(cache.lengthOf(0)).toBe(2);
});

describe("generation", () => {
  test("is the same again, with a prefix of fewer tokens, and after a longer request", () => {
    const model = loadReference({ config, source, kernelsFor, positionCount: 40 });
    const { tokens, firstLogits } = model.generate([1, 2, 3], 8);
    expect(tokens.length).toBe(8);
    expect(model.generate(tokensOf(30, 1), 2).tokens.length).toBe(2);
    expect(model.generate([1, 2, 3], 5)).toEqual({ tokens: tokens.slice(0, 5), firstLogits });
  });

  test("continues prompts longer than a piece, within the stated scratch space", () => {
    // Two layers of one expert keep it quick; 300 rows are two pieces.
    const small = {
      ...config,
      layerCount: 2,
      expertCount: 4,
      groupCount: 1,
      limitedGroupCount: 1,
      expertsPerToken: 1,
    };
    const model = loadReference({ config: small, source, kernelsFor, positionCount: 302 });
    expect(model.generate(tokensOf(300, 5), 2).tokens.length).toBe(2);
  });

  test("uses many experts unevenly, and starves none of the groups", () => {
    const model = loadReference({ config, source, kernelsFor, positionCount: 64 });
    const uses = new Int32Array(config.expertCount);
    model.generate(tokensOf(60, 5), 4, {
      onChoices: (_step, _layer, { indices }) => {
        for (const expert of indices) uses[expert]!++;
      },
    });
    const mean = uses.reduce((sum, count) => sum + count, 0) / uses.length;
    expect(Math.min(...uses)).toBeGreaterThan(mean / 5);
    expect(Math.max(...uses)).toBeLessThan(mean * 3);
    expect(new Set(uses).size).toBeGreaterThan(uses.length / 2);
  });

  test("has the same bits with WebAssembly kernels", () => {
    const wire: WirePrecision = { dispatch: "fp8", combine: "bf16" };
    const [plain, simd] = [kernelsFor, createSimdKernels].map((kernels) => {
      const model = loadReference({ config, source, kernelsFor: kernels, positionCount: 24, wire });
      return model.generate(tokensOf(17, 8), 6);
    });
    expect(simd).toEqual(plain);
  });

  test("runs as the README's example", () => {
    const preset = findPreset("v3-tiny").config;
    const model = loadReference({
      config: preset, // or { ...openCheckpoint("path/to/folder") } for config and source
      source: drawnWeights(1),
      kernelsFor: createSimdKernels,
      positionCount: 32,
    });
    const { tokens, firstLogits } = model.generate([1, 2, 3], 8);
    expect(tokens.length).toBe(8);
    expect(firstLogits.length).toBe(preset.vocabularySize);
  });

  test("on a rounding wire differs in its logits, by little", () => {
    const exact = loadReference({ config, source, kernelsFor, positionCount: 16 }).generate(
      [4, 5, 6],
      1,
    ).firstLogits;
    for (const wire of [
      { dispatch: "fp8", combine: "bf16" },
      { dispatch: "bf16", combine: "f32" },
    ] as const) {
      const model = loadReference({ config, source, kernelsFor, positionCount: 16, wire });
      const rounded = model.generate([4, 5, 6], 1).firstLogits;
      const difference = rounded.reduce((most, value, i) => Math.max(most, Math.abs(value - exact[i]!)), 0);
      expect(difference).toBeGreaterThan(1e-5);
      expect(difference).toBeLessThan(0.5);
    }
  });
});

test("rows are rounded in tiles of 128 with their own scale on an FP8 wire", () => {
  const memory = TensorMemory.create(65_536);
  const x = memory.tensor([1, 130]);
  x.data.fill(1 / 3).set([448], 0);
  x.data.set([17, 0.1], 128);
  roundAsOnWire(
    { kernels: plainKernels, arena: memory.arena(8192), config: { scaleFormat: "f32" } },
    "fp8",
    x,
  );
  // Scale 1 in the first tile: 1/3 → 0.34375. In the second, scale 17/448: 0.1 · 448/17 = 2.635 → 2.75.
  expect([...x.data.subarray(0, 2)]).toEqual([448, 0.34375]);
  expect(x.data[128]).toBeCloseTo(17, 5);
  expect(x.data[129]).toBeCloseTo((2.75 * 17) / 448, 6);
  expect(wireRowBytes("fp8", 7168)).toBe(7168 + 56 * 4);
  expect(wireRowBytes("bf16", 7168)).toBe(14_336);
  expect(wireRowBytes("f32", 130)).toBe(520);
});

describe("rows on an FP8 wire", () => {
  const memory = TensorMemory.create(65_536);
  const arena = memory.arena(8192);
  const x = memory.tensor([2, 4]);

  test.each([
    // Mechanics §1.4: 3 / 448, and the power of two above it. The second row lies below the floor of 1e-4.
    ["f32", [fround(3 / 448), fround(fround(1e-4) / 448)], [72, -192, 448, 1]],
    ["ue8m0", [2 ** -7, 2 ** -22], [64, -160, 384, 0.875]],
  ] as const)(
    "have the scales that the model's configuration names: %s",
    (scaleFormat, scales, quotients) => {
      const tile = [0.5, -1.25, 3, 0.007];
      for (const kernels of [plainKernels, createSimdKernels(memory)]) {
        x.data.set([...tile, 0, 1e-9, -1e-9, 0]);
        arena.scope(() => {
          const wire = quantizeForWire({ kernels, arena, config: { scaleFormat } }, "fp8", x);
          expect(wire.precision === "fp8" && [...wire.scales]).toEqual(scales);
        });
        roundAsOnWire({ kernels, arena, config: { scaleFormat } }, "fp8", x);
        expect([...x.data.subarray(0, 4)]).toEqual(quotients.map((quotient) => fround(quotient * scales[0])));
      }
    },
  );

  test("change the logits of a model with power-of-two scales, alike on plain and SIMD kernels", () => {
    const wire: WirePrecision = { dispatch: "fp8", combine: "bf16" };
    const logitsOf = (scaleFormat: ScaleFormat, kernels: (memory: TensorMemory) => Kernels): Float32Array =>
      loadReference({
        config: { ...config, scaleFormat },
        source,
        kernelsFor: kernels,
        positionCount: 16,
        wire,
      }).generate([4, 5, 6], 1).firstLogits;
    const rounded = logitsOf("ue8m0", kernelsFor);
    expect(rounded).toEqual(logitsOf("ue8m0", createSimdKernels));
    expect(rounded).not.toEqual(logitsOf("f32", kernelsFor));
  });
});

describe("a prompt is refused:", () => {
  const model = loadReference({
    config: { ...config, maxPositions: 16 },
    source,
    kernelsFor,
    positionCount: 16,
  });
  const refused: readonly (readonly [what: string, prompt: number[], count: number, message: RegExp])[] = [
    ["empty", [], 1, /prompt is empty/],
    ["a token outside the vocabulary", [0, 512], 1, /token 1 of the prompt is 512; .* 0 to 511/],
    ["a negative token", [-1], 1, /token 0 of the prompt is -1/],
    ["a fraction", [1.5], 1, /token 0 of the prompt is 1\.5/],
    ["no new tokens", [1], 0, /0 new tokens/],
    ["more positions than the model has", [1, 2, 3], 14, /need 17 positions; the model has 16/],
  ];
  test.each(refused)("%s", (_what, prompt, count, message) => {
    let error: unknown;
    try {
      model.generate(prompt, count);
    } catch (caught) {
      error = caught;
    }
    expect(error).toBeInstanceOf(WorldError);
    expect((error as WorldError).exitCode).toBe(2);
    expect((error as WorldError).message).toMatch(message);
  });
});

test("a number that overflows stops the run and says where", () => {
  const memory = TensorMemory.create(
    weightBytes(config, config.expertCount) + referenceScratchBytes(config, 8) + 4096,
  );
  const weights = loadWeights(memory, config, source);
  weights.layers[1]!.attention.output.data.fill(3e38);
  const model = new ReferenceModel({ config, weights, kernels: plainKernels, memory });
  expect(() => model.generate([1], 1)).toThrow(/residual stream after the attention of layer 1/);
});
