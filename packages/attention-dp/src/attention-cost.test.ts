import { CostModel, HARDWARE_PROFILES } from "@windtunnel/gpu";
import { findPreset } from "@windtunnel/model";
import { describe, expect, test } from "vitest";
import { type AttentionLoad, cacheBytesPerPosition, coreCost } from "./index.ts";

const { config } = findPreset("deepseek-v3");
const h800 = new CostModel(HARDWARE_PROFILES.get("h800")!);

function decode(requests: number, context: number): AttentionLoad {
  const fill = (value: number): number[] => Array.from({ length: requests }, () => value);
  return { form: "absorbed", newPositions: fill(1), contextPositions: fill(context) };
}

describe("attention cost", () => {
  test("a position of DeepSeek-V3 takes 70,272 bytes in the cache (ISCA'25 paper, table 1)", () => {
    expect(cacheBytesPerPosition(config)).toBe(70_272);
  });

  test("a cached token costs 1,152 bytes and 278,528 operations in the absorbed core (mechanics §9)", () => {
    const [core] = coreCost(config, "fp8", decode(1, 1));
    expect(core).toMatchObject({ bytes: 1152, flops: 278_528 });
  });

  test("the decode core on H800 lies within 5 % of the published kernel times from 64 requests of 4,096 on", () => {
    for (const [requests, context, published] of [
      [64, 4096, 155.2],
      [128, 4096, 292],
      [128, 8192, 550.4],
      [256, 4096, 585.8],
    ] as const) {
      const microseconds =
        h800.duration(coreCost(config, "fp8", decode(requests, context)).slice(0, 1), 132) / 1e6;
      expect(Math.abs(microseconds / published - 1)).toBeLessThan(0.05);
    }
  });

  test("causal prefill counts half of the square of new positions and all of the cached ones", () => {
    const load: AttentionLoad = { form: "expanded", newPositions: [4], contextPositions: [10] };
    const [core] = coreCost(config, "fp8", load);
    expect(core!.flops).toBe(2 * 128 * 320 * (4 * 6 + 10));
  });
});
