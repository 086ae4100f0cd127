// Every example loads; examples.proc.test.ts runs them.
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { loadScenario } from "@windtunnel/cluster";

const folder = fileURLToPath(new URL("../examples/", import.meta.url));
const scenarios = readdirSync(folder).filter((file) => file.endsWith(".yaml") && file !== "own-gpu.yaml");

test.each(scenarios)("%s loads, says what it shows, and is called like its file", (file) => {
  const scenario = loadScenario(`${folder}${file}`);
  expect(`${scenario.name}.yaml`).toBe(file);
  expect(readFileSync(`${folder}${file}`, "utf8")).toMatch(/^# .*\n# .*\n(?:# .*\n)*name: /);
});

test("the two starts differ in their schedule of decode and in nothing else", () => {
  const sequential = loadScenario(`${folder}start-sequential.yaml`);
  const fiveStage = loadScenario(`${folder}start-five-stage.yaml`);
  const { name, run } = sequential;
  expect({ ...fiveStage, name, run: { ...fiveStage.run, decode: run.decode } }).toEqual(sequential);
  expect([run.decode.schedule, fiveStage.run.decode.schedule]).toEqual(["sequential", "five-stage"]);
});
