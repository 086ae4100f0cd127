import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, expect, test } from "vitest";
import { createFakeScreen } from "../fake-screen.ts";
import { runProgram } from "../main.ts";

const folder = mkdtempSync(path.join(tmpdir(), "windtunnel-sweep-command-"));
afterAll(() => rmSync(folder, { recursive: true }));
const scenario = path.join(folder, "small.yaml");
writeFileSync(scenario, "model: { preset: v3-tiny }\nmath: skip\ncluster: { nodes: 2, gpusPerNode: 2 }\n");

/** Nothing of what is refused here may be run, or make a folder. */
test.each<readonly [readonly string[], string]>([
  [[], "--over: found none; allowed: one or more"],
  [["--over", "seed="], "--over seed: found no value"],
  [["--over", "seed=1,1"], "--over seed: found 1 twice"],
  [["--over", "seed=1", "--over", "seed=2"], "--over: found seed twice"],
  [["--over", "seed=1,2", "--workers", "0"], "A whole number from 1 to 1024 is needed"],
  [["--over", "cluster.nods=1,2"], 'small.yaml: --over: cluster.nods: unknown field "nods"'],
  [["--over", "seed=1,2", "--set", "cluster.nods=1"], "small.yaml: --set: cluster.nods: unknown field"],
  [["--over", "seed=1,x"], "1 of 2 points can't be run, and none was:\n  seed=x:\n    "],
  [["--over", "timing.kvLength=1,2000000000"], "does not fit the memory"],
])("%j is refused with 2", async (options, message) => {
  const screen = createFakeScreen();
  const out = path.join(folder, "out");
  const code = await runProgram(["sweep", scenario, ...options, "--out", out], screen);
  expect(screen.remarked.join("\n")).toContain(message);
  expect([code, screen.printed, existsSync(out)]).toEqual([2, [], false]);
});
