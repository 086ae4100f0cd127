// The command refuses wrong input with exit code 2 and one message, wherever in the run it is noticed: while the
// scenario is read, while the run is prepared, or on a host that fills its weights.

import { writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { type CommandEnd, remainsOf, startCommand, writeScenario } from "./support/command.ts";
import { SMALLEST_CONFIG, withNumber, writeCheckpoint } from "./support/checkpoint-writer.ts";
import { temporaryFolder } from "./support/folders.ts";

const PRESET = { model: { preset: "v3-tiny" } };

async function run(folder: string, scenario: object, more: readonly string[] = []): Promise<CommandEnd> {
  const file = writeScenario(folder, scenario);
  const command = startCommand(["run", file, "--out", path.join(folder, "run"), ...more]);
  const end = await command.end;
  expect(remainsOf(command)).toEqual([]);
  return end;
}

/** Exit code 2 and one message of one sentence that says `what`; no stack. */
function expectRefusal({ exitCode, stdout, stderr }: CommandEnd, what: RegExp): void {
  expect(stderr).toMatch(/^error: .*\n(?: {2}(?:file|line|path|found|allowed|next) .*\n)*$/);
  expect(stderr).toMatch(what);
  expect([exitCode, stdout]).toEqual([2, ""]);
}

describe("the command refuses", () => {
  test.each([
    [
      "an unknown field",
      ["--set", "cluster.nods=2"],
      /--set: cluster\.nods: .*nearest known name is "nodes"/,
    ],
    ["a wrong type", ["--set", "cluster.nodes=two"], /--set: cluster\.nodes: found "two"; allowed: /],
    [
      "a degree that does not divide",
      ["--set", "parallelism.expertParallel=3"],
      /expertParallel: found 3; allowed/,
    ],
    [
      "a model that does not fit",
      ["--set", "timing.kvLength=2000000000"],
      /does not fit the memory.*\n.*\n.*allow-/s,
    ],
    ["an unknown placement", ["--placement", "fibres:2"], /placement: found "fibres:2"; allowed: inline/],
  ])("%s", async (_, settings, message) => {
    expectRefusal(await run(temporaryFolder(), PRESET, settings), message);
  });

  test("prompts whose tokens the model does not know", async () => {
    const folder = temporaryFolder();
    writeFileSync(path.join(folder, "prompts.jsonl"), '{"tokens":[1]}\n{"tokens":[1,512]}\n');
    const end = await run(folder, { ...PRESET, workload: { prompts: "prompts.jsonl" } });
    expectRefusal(end, /prompts\.jsonl, line 2: tokens\[1\]: found 512; allowed: ids from 0 to 511/);
  });

  test("a scenario that is not there", async () => {
    const command = startCommand(["run", path.join(temporaryFolder(), "nowhere.yaml")]);
    expectRefusal(await command.end, /nowhere\.yaml: there is no such file/);
  });
});

describe.each(["inline", "threads:2", "processes:2"])("on %s", (placement) => {
  test("a checkpoint with NaN in a weight is refused, and every host ends", async () => {
    const folder = temporaryFolder();
    const spoilt = "model.layers.1.mlp.experts.6.up_proj.weight";
    writeCheckpoint(path.join(folder, "checkpoint"), SMALLEST_CONFIG, 1, {
      tensors: (tensors) =>
        tensors.map((tensor) => (tensor.name === spoilt ? withNumber(tensor, 11, Number.NaN) : tensor)),
    });
    const scenario = { model: { checkpoint: "checkpoint" }, cluster: { nodes: 2, gpusPerNode: 4 } };
    const end = await run(folder, scenario, ["--placement", placement]);
    expectRefusal(end, new RegExp(`tensor ${spoilt}: element 11 is NaN; weights must be finite`));
  });
});
