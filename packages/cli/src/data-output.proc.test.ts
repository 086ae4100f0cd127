// What a user's own files say must not get between the lines of `--json`, wherever they are loaded.

import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { afterAll, expect, test } from "vitest";

const launcher = fileURLToPath(new URL("../bin/windtunnel.js", import.meta.url));
const schedule = new URL("../../../docs/examples/dual-batch-vllm.ts", import.meta.url);
const folder = mkdtempSync(path.join(tmpdir(), "windtunnel-data-"));
afterAll(() => rmSync(folder, { recursive: true }));

const SCENARIO = {
  model: { preset: "v3-tiny" },
  math: "skip",
  cluster: { nodes: 1, gpusPerNode: 2 },
  run: { phase: "decode", decode: { schedule: "./talkative.ts" } },
  workload: { drawn: { requestsPerGpu: 4, promptTokens: 4, steps: 1 } },
};

test.each(["inline", "threads:2"])("console.log in a schedule goes to standard error, %s", (placement) => {
  writeFileSync(
    path.join(folder, "talkative.ts"),
    `console.log("from the schedule");\n${readFileSync(schedule, "utf8")}`,
  );
  const scenario = path.join(folder, "scenario.json");
  writeFileSync(scenario, JSON.stringify(SCENARIO));
  const argv = ["run", scenario, "--placement", placement, "--out", path.join(folder, placement), "--json"];
  const { status, stdout, stderr } = spawnSync(process.execPath, [launcher, ...argv], { encoding: "utf8" });
  expect([status, stderr]).toEqual([0, expect.stringContaining("from the schedule")]);
  expect(JSON.parse(stdout)).toMatchObject({ virtual: {} });
});
