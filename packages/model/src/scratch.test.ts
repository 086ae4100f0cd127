import { RandomStream } from "@windtunnel/base";
import { createSimdKernels, TensorMemory } from "@windtunnel/tensor";
import { expect, test } from "vitest";
import {
  attentionBatch,
  attentionCore,
  createRopeTables,
  drawnWeights,
  findPreset,
  KvCache,
  layerScratchBytes,
  loadWeights,
  type ModelConfig,
  moeForward,
  projectAttention,
  weightBytes,
} from "./index.ts";

const ALIGNMENT_SLACK = 65_536;

/** Runs every function of a layer in no more scratch space than the bound gives; a full arena throws. */
function runLayer(
  config: ModelConfig,
  rows: number,
  positions: number,
  form: "expanded" | "absorbed",
): number {
  const scratch = layerScratchBytes(config, rows, positions) + ALIGNMENT_SLACK;
  const caches =
    4 * rows * positions * config.layerCount * (config.latentSize + config.ropeSize) + 64 * rows * 8;
  const memory = TensorMemory.create(
    weightBytes(config, config.expertCount) + scratch + caches + 4 * 1024 ** 2,
  );
  const weights = loadWeights(memory, config, drawnWeights(1));
  const context = {
    config,
    kernels: createSimdKernels(memory),
    arena: memory.arena(scratch),
    ropeTables: createRopeTables(config, positions, (shape) => memory.tensor(shape)),
  };
  const rowsOfRequest = form === "expanded" ? rows : 1;
  const requests = form === "expanded" ? 1 : rows;
  const segments = Array.from({ length: requests }, () => {
    const cache = new KvCache(config, Math.max(positions, rowsOfRequest), (shape) => memory.tensor(shape));
    return { cache, startPosition: 0, rowCount: rowsOfRequest, form };
  });
  const x = memory.tensor([rows, config.hiddenSize]);
  const random = new RandomStream(1, "rows");
  for (let i = 0; i < x.data.length; i++) x.data[i] = random.normal();
  const batch = attentionBatch(segments);
  const [first] = weights.layers;
  const last = weights.layers.at(-1)!.feedForward;
  return context.arena.scope(() => {
    const at = { layer: 0, weights: first!.attention };
    const out = attentionCore(context, at, projectAttention(context, at, x, batch), batch);
    if (last.kind === "moe") moeForward(context, last, x);
    return out.data[0]!;
  });
}

test("scratch space for a layer suffices for few and many rows, wide latents and many heads", () => {
  const tiny = findPreset("v3-tiny").config;
  const wide: ModelConfig = {
    ...tiny,
    headCount: 16,
    latentSize: 512,
    expertCount: 4,
    expertsPerToken: 1,
    groupCount: 1,
    limitedGroupCount: 1,
  };
  for (const config of [tiny, wide, { ...wide, queryRank: null, nopeSize: 64 }]) {
    for (const [rows, positions] of [
      [1, 1],
      [7, 9],
      [200, 16],
    ] as const) {
      for (const form of ["expanded", "absorbed"] as const) {
        const longest = form === "expanded" ? Math.max(rows, positions) : positions;
        expect(Number.isFinite(runLayer(config, rows, longest, form))).toBe(true);
      }
    }
  }
});
