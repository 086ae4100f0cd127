// A disk that fills up while a run is written: exit code 1 and one message that says what was saved. A folder that
// can't be written from the start is wrong input: exit code 2.

import { existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { type CommandEnd, runCommand, writeScenario } from "./support/command.ts";
import { temporaryFolder } from "./support/folders.ts";

const SCENARIO = {
  model: { preset: "v3-tiny" },
  cluster: { nodes: 2, gpusPerNode: 2, fabric: { planes: 2, nodesPerLeaf: 1, spinesPerPlane: 2 } },
  workload: { drawn: { requestsPerGpu: 1, promptTokens: 3, steps: 20 } },
};

async function runInto(
  outputFolder: string,
  placement: string,
  shell?: (command: string) => string,
): Promise<CommandEnd> {
  const scenario = writeScenario(temporaryFolder(), SCENARIO);
  return runCommand(["run", scenario, "--placement", placement, "--out", outputFolder], shell);
}

/** One message of one sentence, where it happened and what to do; no stack. */
function expectOneMessage({ stdout, stderr }: CommandEnd): void {
  expect(stdout).toBe("");
  expect(stderr).toMatch(/^error: .*\n(?: {2}(?:file|path|found|allowed|next) .*\n)*$/);
}

describe("a disk that fills up", () => {
  const existing = existsSync("/dev/full");

  test.runIf(existing).each([
    ["recording-0.part", "inline"],
    ["recording-1.part", "threads:2"],
    ["recording-1.part", "processes:2"],
    ["recording.bin", "inline"],
    ["trace.perfetto.json", "inline"],
    ["trace.otlp.jsonl", "inline"],
    ["tokens.jsonl", "inline"],
    ["summary.json", "inline"],
  ])("under %s on %s ends the run with exit code 1 and names the file", async (file, placement) => {
    const outputFolder = temporaryFolder();
    symlinkSync("/dev/full", path.join(outputFolder, file));
    const end = await runInto(outputFolder, placement);
    expect(end.stderr).toContain(path.join(outputFolder, file));
    expect(end.stderr).toMatch(/no space left on device/);
    expect(end.stderr).toMatch(/saved/);
    expectOneMessage(end);
    expect(end.exitCode).toBe(1);
  });

  test.runIf(process.platform !== "win32").each(["inline", "threads:2", "processes:2"])(
    "at some length on %s leaves what was saved, and says how much",
    async (placement) => {
      const outputFolder = temporaryFolder();
      // In units of 1024 bytes; the recording is longer, the scenario shorter.
      const end = await runInto(outputFolder, placement, (command) => `ulimit -f 64; exec ${command}`);
      expect(end.stderr).toMatch(/writing .* failed after \d+ bytes, which are saved/);
      expectOneMessage(end);
      expect(end.exitCode).toBe(1);
      expect(readdirSync(outputFolder)).toContain("recording-0.part");
    },
  );
});

describe("an output folder that can't be written", () => {
  test.each([
    ["a file", (folder: string) => path.join(folder, "file")],
    ["inside a file", (folder: string) => path.join(folder, "file", "run")],
    ["inside a device", () => "/dev/null/run"],
    // Where there is no /proc, a folder is.
    [
      "inside /proc",
      (folder: string) => path.join(existsSync("/proc") ? "/proc" : path.join(folder, "file"), "run"),
    ],
  ])("because it is %s is refused with exit code 2", async (_, outputIn) => {
    const folder = temporaryFolder();
    writeFileSync(path.join(folder, "file"), "kept");
    const outputFolder = outputIn(folder);
    const end = await runInto(outputFolder, "inline");
    expect(end.stderr).toContain(outputFolder);
    expectOneMessage(end);
    expect(end.exitCode).toBe(2);
  });

  test("because a folder is where a file belongs is refused with exit code 2", async () => {
    const folder = temporaryFolder();
    mkdirSync(path.join(folder, "scenario.json"));
    const end = await runInto(folder, "inline");
    expect(end.stderr).toContain(path.join(folder, "scenario.json"));
    expectOneMessage(end);
    expect(end.exitCode).toBe(2);
  });
});
