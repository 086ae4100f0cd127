import { describe, expect, test } from "vitest";
import { withBenchmarkDefaults } from "./all-to-all-options.ts";

describe("defaults of DeepEP's benchmark", () => {
  test("low latency: 128 tokens of top-8 among 288 experts without groups, FP8 out and BF16 back, on H800", () => {
    expect(withBenchmarkDefaults({})).toEqual({
      gpu: "h800",
      ranks: 16,
      gpusPerNode: 8,
      tokens: [128],
      hidden: 7168,
      experts: 288,
      redundantExperts: 0,
      topk: 8,
      groups: 1,
      limitedGroups: 1,
      pattern: "low-latency",
      sms: 20,
      dispatch: "fp8",
      combine: "bf16",
      nvlink: true,
      fabric: { kind: "multi-plane" },
      gate: "gate-like",
      exponent: 1,
      seed: 1,
    });
  });

  test.each([
    // 288 = 2^5 · 3^2
    [{ ranks: 64 }, { experts: 256, tokens: [128], groups: 1 }],
    [{ ranks: 36, gpusPerNode: 4 }, { experts: 288 }],
    [{ ranks: 16, redundantExperts: 8 }, { experts: 256 }],
    [{ ranks: 16, redundantExperts: 16 }, { experts: 288 }],
    [{ pattern: "normal" }, { tokens: [4096], experts: 256, groups: 2, limitedGroups: 2 }],
    [
      { pattern: "direct", ranks: 64 },
      { tokens: [4096], experts: 256, groups: 8, limitedGroups: 4 },
    ],
    [
      { pattern: "./mine.ts", ranks: 8 },
      { tokens: [4096], groups: 1, limitedGroups: 1 },
    ],
    // 256 experts do not divide into three groups; 256 groups would leave a token four experts.
    [
      { pattern: "normal", ranks: 24 },
      { groups: 1, limitedGroups: 1 },
    ],
    [
      { pattern: "normal", ranks: 256, gpusPerNode: 1 },
      { groups: 1, limitedGroups: 1 },
    ],
    [{ groups: 8 }, { groups: 8, limitedGroups: 4 }],
    [
      { pattern: "normal", ranks: 64, limitedGroups: 3 },
      { groups: 8, limitedGroups: 3 },
    ],
    [{ ranks: 2 }, { gpusPerNode: 2 }],
    [{ gpu: "gb200" }, { fabric: { kind: "nvlink-domain" }, gpusPerNode: 4 }],
    [
      { pattern: "normal", gpu: "gb200", ranks: 64 },
      { groups: 1, gpusPerNode: 4 },
    ],
    [{ gpu: "gb200", fabric: { kind: "multi-rail" } }, { fabric: { kind: "multi-rail" } }],
  ])("%j has %j", (given, expected) => {
    expect(withBenchmarkDefaults(given)).toMatchObject(expected);
  });

  test("patterns that are compared share tokens, experts and groups: low-latency's, if it is among them", () => {
    const sizes = (pattern: string, compared: readonly string[]): object => {
      const { tokens, experts, groups } = withBenchmarkDefaults({ pattern, ranks: 32 }, compared);
      return { tokens, experts, groups };
    };
    const [short, long] = [
      ["normal", "low-latency"],
      ["normal", "direct"],
    ];
    for (const pattern of short) {
      expect(sizes(pattern, short)).toEqual({ tokens: [128], experts: 288, groups: 1 });
    }
    for (const pattern of long)
      expect(sizes(pattern, long)).toEqual({ tokens: [4096], experts: 256, groups: 4 });
  });
});
