// Every example runs, and gives as many tokens as it asks for.
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect, test } from "vitest";
import { loadScenario, runScenario } from "@windtunnel/cluster";

const folder = fileURLToPath(new URL("../examples/", import.meta.url));
const outputs = mkdtempSync(path.join(tmpdir(), "windtunnel-examples-"));
afterAll(() => rmSync(outputs, { recursive: true }));

/** The examples with the largest models get fewer requests and steps: only their number makes them slow. */
const SMALLER: Readonly<Record<string, readonly string[]>> = {
  "start-sequential.yaml": ["workload.drawn.requestsPerGpu=1", "workload.drawn.steps=1"],
  "start-five-stage.yaml": ["workload.drawn.requestsPerGpu=2", "workload.drawn.steps=1"],
  "two-nodes.yaml": ["workload.drawn.requestsPerGpu=1", "workload.drawn.steps=1", "placement=threads:2"],
  "without-math.yaml": ["workload.drawn.requestsPerGpu=8"],
};
const scenarios = readdirSync(folder).filter((file) => file.endsWith(".yaml") && file !== "own-gpu.yaml");

test.each(scenarios)("%s runs", async (file) => {
  const scenario = loadScenario(path.join(folder, file), SMALLER[file]);
  const outputFolder = path.join(outputs, file);
  const summary = await runScenario(scenario, { outputFolder });
  expect(summary.name).toBe(scenario.name);
  // Without math there are no tokens.
  expect(summary.outputs.length > 0).toBe(scenario.math === "real");
  expect(summary.virtual.totalUs).toBeGreaterThan(0);
  for (const { tokens } of summary.outputs) expect(tokens.length).toBeGreaterThan(0);
  for (const name of [
    "scenario.json",
    "summary.json",
    "tokens.jsonl",
    "trace.perfetto.json",
    "trace.otlp.jsonl",
  ]) {
    expect(existsSync(path.join(outputFolder, name)), name).toBe(true);
  }
  // The resolved scenario is a scenario, the same with more of it written down.
  expect(loadScenario(path.join(outputFolder, "scenario.json"))).toMatchObject(scenario);
});
