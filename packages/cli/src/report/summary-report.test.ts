import pc from "picocolors";
import { describe, expect, test } from "vitest";
import { resolveScenario } from "@windtunnel/cluster";
import { findPreset } from "@windtunnel/model";
import { explainOverlap, renderComparison } from "./comparison-report.ts";
import { summaryFixture } from "./summary-fixture.ts";
import { renderSummary, renderUnrecorded } from "./summary-report.ts";
import { wrap } from "./table.ts";

const plain = pc.createColors(false);
const scenario = resolveScenario(
  {
    name: "fixture",
    model: { preset: "v3-scale" },
    timing: { model: "deepseek-v3", kvLength: 1024 },
    cluster: { nodes: 2, fabric: { nodesPerLeaf: 1 } },
    workload: { drawn: { requestsPerGpu: 192 } },
  },
  { folder: "/" },
);
const slow = summaryFixture({ decodeUs: 10_000, hiddenUs: 0 });
const fast = summaryFixture({ decodeUs: 8_000, hiddenUs: 3_000 });

function widestLine(text: string): number {
  return Math.max(...text.split("\n").map((line) => line.length));
}

describe("a summary", () => {
  const text = renderSummary(scenario, slow, "runs/fixture", plain);

  test("fits 80 columns and has every section", () => {
    expect(widestLine(text)).toBeLessThanOrEqual(80);
    for (const title of ["fixture", "Hosts", "Steps", "Communication", "Traffic", "New tokens", "Files"]) {
      expect(text).toMatch(new RegExp(`^${title}`, "m"));
    }
  });

  test("says what was run and where the files are", () => {
    expect(text).toContain("2 nodes of 8 GPUs (h800)");
    expect(text).toContain("2 planes of 2 leaves and 32 spines each"); // two planes have traffic entries
    expect(text).toContain("Files in runs/fixture");
    expect(text).toMatch(/next +windtunnel analyze runs\/fixture/);
    expect(text).toContain("https://ui.perfetto.dev");
    expect(text).toContain("OTEL_EXPORTER_OTLP_ENDPOINT");
  });

  test("names schedules and patterns that are files by their base names", () => {
    const { prefill } = scenario.run;
    const decode = { ...scenario.run.decode, schedule: "/home/me/mine.ts", dispatch: "/home/me/hops.ts" };
    const run = { ...scenario.run, phase: "generate" as const, prefill, decode };
    const own = renderSummary({ ...scenario, run }, slow, "runs/fixture", plain);
    expect(own).toMatch(/run +prefill .*; decode mine\.ts, hops\.ts/);
    expect(own).not.toContain("/home/me");
  });

  test("gives times of steps and of communication", () => {
    expect(text).toMatch(/decode +2 +10\.0 ms +10\.0 ms +10\.0 ms +172 µs/); // 10 ms / 58 layers
    expect(text).toMatch(/all +5\.00 ms +0 µs +5\.00 ms +0\.0 % +123 µs +56\.7 µs/);
    expect(text).toContain("and 8 more"); // 20 hosts, 12 shown
  });
});

describe("a comparison", () => {
  test("lays step times and hiding side by side in 80 columns", () => {
    const text = renderComparison(slow, fast, plain);
    expect(widestLine(text)).toBeLessThanOrEqual(80);
    expect(text).toMatch(/2 decode +10\.0 ms +8\.00 ms +1\.25 x/);
    expect(text).toMatch(/hidden part +0\.0 % +60\.0 %/);
  });

  test("explains why few requests would lose, with numbers", () => {
    const timed = findPreset("deepseek-v3").config;
    const text = wrap(explainOverlap(scenario, timed, slow, fast)).replaceAll("\n", " ");
    // 256 experts on 16 GPUs; 3 · 7168 · 2048 = 44,040,192 bytes in FP8 each.
    expect(text).toContain("16 experts again, 16 x 44.0 MB = 705 MB");
    // 192 requests · 16 GPUs · 8 experts / 256 experts.
    expect(text).toContain("loses with few requests for each GPU. Here it is 192, on average 96 tokens");
    expect(text).toContain("overlap pays: an MoE layer of decode takes 138 µs instead of 172 µs");
    expect(explainOverlap(scenario, timed, fast, slow)).toContain("overlap loses: an MoE layer");
  });
});

describe("a run that recorded nothing", () => {
  const { digests, virtual, communicationByStepKind: _, ...common } = slow;
  const unrecorded = {
    ...common,
    digests: { ...digests, trace: null },
    virtual: { ...virtual, steps: virtual.steps.map(({ kind, us }) => ({ kind, us, layerUs: null })) },
    communication: null,
    wall: { ...slow.wall, syncRounds: 1200, roundsPerLayer: 5.17, balance: 1.724 },
    hosts: [0, 1].map((host) => ({ kind: "thread" as const, pid: 7, gpus: [host], planes: [host] })),
  };
  const text = renderUnrecorded(scenario, unrecorded, "runs/fixture", plain);

  test("is told without communication times and layers, with its rounds and its hosts' balance", () => {
    expect(text).toContain("Nothing was recorded: no traces, no communication times.");
    expect(text).not.toMatch(/hidden part|overlap.json/);
    expect(text).toContain("1,200 rounds, 5.2 for each MoE layer and micro-batch; balance 1.72 of 2");
    expect(text).toMatch(/decode +2 +10\.0 ms +10\.0 ms +10\.0 ms +\S+\n/);
    expect(widestLine(text)).toBeLessThanOrEqual(80);
  });
});
