// `windtunnel analyze` on the recorded cases, and what it says of wrong input.

import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import type { RunAnalysis } from "@windtunnel/trace";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createFakeScreen } from "../fake-screen.ts";
import { runProgram } from "../main.ts";

const traces = fileURLToPath(new URL("../../../../traces/", import.meta.url));
const slow = path.join(traces, "decode-slow-gpu.bin");
const folder = mkdtempSync(path.join(tmpdir(), "windtunnel-analyze-"));
afterAll(() => rmSync(folder, { recursive: true }));

async function analyze(...argv: string[]): Promise<{ code: number; out: string; err: string }> {
  const screen = createFakeScreen();
  const code = await runProgram(["analyze", ...argv], screen);
  return { code, out: screen.printed.join("\n"), err: screen.remarked.join("\n") };
}

describe("a recorded case", () => {
  test("is explained on the screen, in 80 columns", async () => {
    const { code, out, err } = await analyze(slow);
    expect([code, err]).toEqual([0, ""]);
    for (const part of [
      "Where a step's time goes",
      "rank 5 computes 1.30 times slower than the others",
      "Arrivals after the receiver's own send, hidden or not",
      "Messages of rank 5 arrive late everywhere: a slow rank.",
      "Layer 1 of decode step 0",
      "rank 5, slowest",
    ]) {
      expect(out).toContain(part);
    }
    expect(Math.max(...out.split("\n").map((line) => line.length))).toBeLessThanOrEqual(80);
  });

  test("shows the ranks and the layer that are asked for, and the path piece by piece", async () => {
    const { out } = await analyze(slow, "--ranks", "0,2", "--layer", "3", "--path");
    for (const part of ["Layer 3 of decode step 0", "rank 0", "rank 2", "piece by piece"]) {
      expect(out).toContain(part);
    }
  });

  test("is data with --json, whose causes add up", async () => {
    const { out } = await analyze(slow, "--json");
    const analysis = JSON.parse(out) as RunAnalysis;
    expect(analysis.schema).toBe("windtunnel/analysis@1");
    for (const { us, causesUs, pathCausesUs } of analysis.steps) {
      for (const causes of [causesUs, pathCausesUs]) {
        const sum = Object.values(causes).reduce((total, each) => total + each, 0);
        expect(Math.abs(sum - us)).toBeLessThan(1e-6);
      }
    }
  });
});

test("a PyTorch-profiler trace gives the overlap of its kernels, by names that can be set", async () => {
  const kernel = (name: string, ts: number, dur: number) => ({
    ph: "X",
    cat: "kernel",
    name,
    pid: 0,
    tid: 7,
    ts,
    dur,
    args: { device: 0, stream: 7 },
  });
  const file = path.join(folder, "trace.json");
  const traceEvents = [kernel("gemm", 0, 60), kernel("my_all_to_all", 40, 40)];
  writeFileSync(file, JSON.stringify({ traceEvents }));
  const { out } = await analyze(file, "--communication", "all_to_all");
  // Of 40 µs, 20 lie under the product.
  expect(out).toMatch(/both: hidden +20 µs +50\.0 % of communicating/);
  const wrong = await analyze(file);
  expect(wrong.code).toBe(2);
  expect(wrong.err).toContain("--communication");
});

describe("what if", () => {
  const recorded = path.join(folder, "recorded");
  const scenario = {
    model: { preset: "v3-tiny" },
    math: "skip",
    cluster: { nodes: 1, gpusPerNode: 2 },
    run: { phase: "decode" },
    workload: { drawn: { requestsPerGpu: 4, promptTokens: 4, steps: 1 } },
  };
  const summaryOf = (events: string): void =>
    writeFileSync(path.join(recorded, "summary.json"), JSON.stringify({ digests: { events } }));
  beforeAll(() => {
    mkdirSync(recorded);
    writeFileSync(path.join(recorded, "scenario.json"), JSON.stringify(scenario));
  });

  test("says where the repeated run is not the recorded one, and only there", async () => {
    summaryOf("another");
    const { code, out, err } = await analyze(recorded, "--what-if", "nvlink=2x", "--json");
    expect(code).toBe(0);
    expect(err.replaceAll("\n", " ")).toContain("“Before” is the repeated run.");
    const { unchanged } = JSON.parse(out) as { unchanged: { digests: { events: string } } };
    summaryOf(unchanged.digests.events);
    expect((await analyze(recorded, "--what-if", "nvlink=2x")).err).toBe("");
  });

  test("runs the scenario beside a recording, and says what it needs where there is none", async () => {
    const bare = path.join(folder, "case.bin");
    copyFileSync(slow, bare);
    const missing = await analyze(bare, "--what-if", "nvlink=2x");
    expect([missing.code, missing.err]).toEqual([
      2,
      expect.stringContaining("case.yaml or case.json beside"),
    ]);
    writeFileSync(path.join(folder, "case.json"), JSON.stringify(scenario));
    const { code, out, err } = await analyze(bare, "--what-if", "nvlink=2x");
    expect([code, err]).toEqual([0, ""]);
    expect(out).toMatch(/nvlink=2x/);
  });
});

test("a folder of exported traces points at the first of them", async () => {
  const exported = path.join(folder, "exported");
  mkdirSync(exported);
  for (const name of ["rank-10.json", "rank-0.json", "rank-2.json"]) {
    writeFileSync(path.join(exported, name), "{}");
  }
  const { code, err } = await analyze(exported);
  expect([code, err]).toEqual([2, expect.stringContaining(path.join(exported, "rank-0.json"))]);
});

describe("wrong input ends with 2", () => {
  test.each([
    [["/nowhere"], "there is no such file or folder"],
    [[folder], "holds no recording.bin"],
    [[path.join(traces, "README.md")], "no recording of Windtunnel"],
    [[slow, "--step", "9"], "--step: found 9; allowed: 0 to 0"],
    [[slow, "--ranks", "99"], "--ranks: rank 99 is not in"],
    [[slow, "--ranks", "99", "--json"], "--ranks: rank 99 is not in"],
    [[slow, "--ranks", "0,x"], "--ranks can't be read"],
    [[slow, "--layer", "x"], "--layer: found x"],
    [[slow, "--layer", "99"], "--layer: step 0 has nothing of layer 99; allowed: 0-3"],
    [[slow, "--layer", "99", "--json"], "--layer: step 0 has nothing of layer 99"],
    [["/nowhere", "--what-if"], "/nowhere: there is no such file or folder"],
    [[folder, "--what-if"], "no scenario.json"],
    [[path.join(traces, "README.md"), "--what-if"], "no recording of Windtunnel"],
    [[slow, "--what-if", "nix=2x"], "--what-if: nix=2x: found nix"],
    [[slow, "--what-if", "nic=2x", "--step", "0", "--path"], "--step, --path do not go with --what-if"],
    [["trace.json", "--layer", "3"], "--layer does not go with a PyTorch-profiler trace"],
    [["trace.json", "--what-if", "nic=2x"], "--what-if does not go with a PyTorch-profiler trace"],
    [[slow, "--communication", "nccl"], "--communication is for PyTorch-profiler traces"],
  ])("%j", async (argv, message) => {
    const { code, out, err } = await analyze(...argv);
    expect(err).toContain(message);
    expect([code, out]).toEqual([2, ""]);
  });
});
