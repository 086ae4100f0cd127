// `windtunnel analyze` on the recorded cases, and what it says of wrong input.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import type { RunAnalysis } from "@windtunnel/trace";
import { afterAll, describe, expect, test } from "vitest";
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
      "Who (row) waits for whom (column)",
      "All wait for rank 5: a slow rank.",
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

describe("wrong input ends with 2", () => {
  test.each([
    [["/nowhere"], "there is no such file or folder"],
    [[folder], "holds no recording.bin"],
    [[path.join(traces, "README.md")], "no recording of Windtunnel"],
    [[slow, "--step", "9"], "--step: found 9; allowed: 0 to 0"],
    [[slow, "--ranks", "99"], "99"],
    [[slow, "--layer", "x"], "--layer: found x"],
    [[slow, "--what-if", "nic=2x"], "no scenario.json"],
    [[slow, "--communication", "nccl"], "--communication is for PyTorch-profiler traces"],
  ])("%j", async (argv, message) => {
    const { code, err } = await analyze(...argv);
    expect(err).toContain(message);
    expect(code).toBe(2);
  });
});
