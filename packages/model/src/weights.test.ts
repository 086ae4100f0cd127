import { packMatrix, type Tensor, TensorMemory } from "@windtunnel/tensor";
import { expect, test } from "vitest";
import type { ModelConfig } from "./config.ts";
import { drawnWeights } from "./drawn-weights.ts";
import { totalParameterCount } from "./parameter-counts.ts";
import { findPreset } from "./presets.ts";
import { attachWeights, fillWeights, loadWeights, weightBytes, weightsLayout } from "./weights.ts";
import type { WeightSource } from "./weight-source.ts";

// Odd sizes, so that panels have padding and gate and up rows share one.
const CONFIG: ModelConfig = {
  ...findPreset("v3-tiny").config,
  hiddenSize: 36,
  expertInnerSize: 13,
  denseInnerSize: 21,
  headCount: 3,
  nopeSize: 10,
  valueSize: 9,
};

function memoryFor(config: ModelConfig, copies: number): TensorMemory {
  return TensorMemory.create(copies * (weightBytes(config, config.expertCount) + 64));
}

/** The same source without its fast path. */
function rowMajorOnly(source: WeightSource): WeightSource {
  return { description: source.description, read: (name, shape) => source.read(name, shape) };
}

test("values drawn straight into panels are those that are read row by row", () => {
  const memory = memoryFor(CONFIG, 2);
  const layouts = [drawnWeights(7), rowMajorOnly(drawnWeights(7))].map((source) => {
    const { layout } = loadWeights(memory, CONFIG, source);
    return memory.bytesAt(layout.address, layout.byteLength);
  });
  expect(Buffer.compare(layouts[0]!, layouts[1]!)).toBe(0);
});

test("threads that fill in parts and in any order give the bytes of one that fills alone", () => {
  const memory = memoryFor(CONFIG, 2);
  const alone = loadWeights(memory, CONFIG, drawnWeights(7)).layout;
  const shared = weightsLayout(CONFIG, () => true, memory.allocate(alone.byteLength));
  memory.bytesAt(shared.address, shared.byteLength).fill(0xff);
  for (const part of [2, 0, 1]) fillWeights(memory, shared, drawnWeights(7), { part, partCount: 3 });
  const views = [attachWeights(memory, alone), attachWeights(memory, shared)];
  expect(relocated(views[1]!.layers, alone.address - shared.address)).toEqual(views[0]!.layers);
  expect(views[1]!.embedding.data).toEqual(views[0]!.embedding.data);
});

test("a layout is plain data, and another thread attaches by it", () => {
  const memory = memoryFor(CONFIG, 1);
  const { layout, layers, head } = loadWeights(memory, CONFIG, drawnWeights(3));
  const attached = attachWeights(TensorMemory.attach(memory.memory), structuredClone(layout));
  expect(attached.layers).toEqual(layers);
  expect(attached.head).toEqual(head);
});

test("only the wanted experts take memory, and have the same values as in the whole model", () => {
  const memory = memoryFor(CONFIG, 2);
  const whole = loadWeights(memory, CONFIG, drawnWeights(3));
  const shard = loadWeights(memory, CONFIG, drawnWeights(3), {
    experts: (_layer, expert) => expert % 4 === 1,
  });
  expect(shard.layout.byteLength).toBe(weightBytes(CONFIG, CONFIG.expertCount / 4));
  const [wholeMoe, shardMoe] = [whole, shard].map((weights) => weights.layers[2]!.feedForward);
  if (wholeMoe?.kind !== "moe" || shardMoe?.kind !== "moe") throw new Error("layer 2 is MoE");
  expect(shardMoe.experts.map((expert) => expert !== null)).toEqual(
    shardMoe.experts.map((_, expert) => expert % 4 === 1),
  );
  expect(shardMoe.experts[5]!.gate.data).toEqual(wholeMoe.experts[5]!.gate.data);
  expect(shardMoe.experts[5]!.up.data).toEqual(wholeMoe.experts[5]!.up.data);
  expect(shardMoe.experts[5]!.down.data).toEqual(wholeMoe.experts[5]!.down.data);
});

test("the up-projection of latents is kept expanded, and absorbed for each head", () => {
  const memory = memoryFor(CONFIG, 2);
  const { latentUp } = loadWeights(memory, CONFIG, drawnWeights(3)).layers[1]!.attention;
  const { headCount, nopeSize, valueSize, latentSize } = CONFIG;
  const rows = drawnWeights(3).read("model.layers.1.self_attn.kv_b_proj.weight", [
    headCount * (nopeSize + valueSize),
    latentSize,
  ]);
  const head = 2;
  const start = head * (nopeSize + valueSize);
  const keys = Float32Array.from({ length: latentSize * nopeSize }, (_, i) => {
    const [latent, nope] = [Math.floor(i / nopeSize), i % nopeSize];
    return rows[(start + nope) * latentSize + latent]!;
  });
  const values = rows.slice((start + nopeSize) * latentSize, (start + nopeSize + valueSize) * latentSize);
  const { absorbedKeys, absorbedValues } = latentUp;
  const expectedKeys = packMatrix(scratch(absorbedKeys[head]!.data.length), keys, latentSize, nopeSize);
  const expectedValues = packMatrix(
    scratch(absorbedValues[head]!.data.length),
    values,
    valueSize,
    latentSize,
  );
  expect(absorbedKeys[head]!.data).toEqual(expectedKeys.data);
  expect(absorbedValues[head]!.data).toEqual(expectedValues.data);
});

test("v3-scale takes little more than its parameters as 32-bit floats, and fits WebAssembly's memory", () => {
  const { config } = findPreset("v3-scale");
  const bytes = weightBytes(config, config.expertCount);
  const parameters = totalParameterCount(config);
  expect(bytes).toBeGreaterThan(4 * parameters);
  expect(bytes).toBeLessThan(4.05 * parameters);
  expect(bytes).toBeLessThan(2 ** 32);
});

test("drawn values have the stated deviation and depend on seed and name", () => {
  const name = "model.layers.1.mlp.experts.0.up_proj.weight";
  const shape = [128, 256];
  const values = drawnWeights(1).read(name, shape);
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
  // 32,768 values: the mean is off by 1/16 / sqrt(32768) = 3.5e-4, five of which are allowed.
  expect(Math.abs(mean)).toBeLessThan(1.8e-3);
  expect(Math.sqrt(variance) * 16).toBeCloseTo(1, 1); // 1 / sqrt(256) = 1 / 16
  expect(drawnWeights(1).read(name, shape)).toEqual(values);
  expect(drawnWeights(2).read(name, shape)).not.toEqual(values);
  expect(drawnWeights(1).read(name.replace("0.up", "1.up"), shape)).not.toEqual(values);
  expect(drawnWeights(1).read("model.norm.weight", [3])).toEqual(new Float32Array([1, 1, 1]));
});

function scratch(size: number): Tensor {
  return { shape: [size], address: 0, data: new Float32Array(size) };
}

/** The tree with every address moved by `distance`. */
function relocated(value: unknown, distance: number): unknown {
  if (ArrayBuffer.isView(value) || value === null || typeof value !== "object") return value;
  if (Array.isArray(value)) return value.map((part) => relocated(part, distance));
  return Object.fromEntries(
    Object.entries(value).map(([key, part]) => [
      key,
      key === "address" ? (part as number) + distance : relocated(part, distance),
    ]),
  );
}
