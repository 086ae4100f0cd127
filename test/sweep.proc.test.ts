// `windtunnel sweep` as a user starts it: the same table with any number of workers, and nothing lost by Ctrl-C or a kill
// but the points at work.

import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { type CommandEnd, remainsOf, startCommand, until, writeScenario } from "./support/command.ts";
import { exampleFile, temporaryFolder } from "./support/folders.ts";

const SCENARIO = {
  name: "swept",
  model: { preset: "v3-tiny" },
  math: "skip",
  routing: { draw: "gate-like" },
  cluster: { nodes: 2, gpusPerNode: 2 },
  run: { phase: "decode" },
  workload: { requestsPerGpu: 2, promptTokens: 8, steps: 20 },
};
const OVER = [
  "--over",
  "run.decode.dispatch=direct,low-latency",
  "--over",
  "parallelism.expertParallel=1,2,4",
];
const FILES = ["plot.svg", "table.csv", "table.json", "table.md"];

function sweep(folder: string, out: string, ...more: readonly string[]): ReturnType<typeof startCommand> {
  return startCommand(["sweep", writeScenario(folder, SCENARIO), ...OVER, "--out", out, ...more]);
}

function finishedIn(out: string): string[] {
  try {
    return readdirSync(path.join(out, "points")).filter((name) => name.endsWith(".json"));
  } catch {
    // Not made yet.
    return [];
  }
}

/** When each finished point was written: a point that is run again is written again. */
function writtenAt(out: string, names: readonly string[]): number[] {
  return names.map((name) => statSync(path.join(out, "points", name)).mtimeMs);
}

function expectRest(end: CommandEnd, storedCount: number): void {
  expect([end.exitCode, end.stderr]).toEqual([0, `${storedCount} of 6 points were there already\n`]);
}

test("the files of a sweep are the same bytes with one worker, with three, and in three parts", async () => {
  const folder = temporaryFolder();
  const [whole, parts] = [path.join(folder, "whole"), path.join(folder, "parts")];
  const three = sweep(folder, whole, "--workers", "3");
  const { exitCode, stderr, stdout } = await three.end;
  expect([exitCode, stderr]).toEqual([0, ""]);
  expect(stdout).toContain("swept: 6 points, steps of decode");
  expect(remainsOf(three)).toEqual([]);

  // Ctrl-C in the middle.
  const first = sweep(folder, parts, "--workers", "1");
  await until("a finished point", () => finishedIn(parts).length > 0);
  first.child.kill("SIGINT");
  const interrupted = await first.end;
  const afterFirst = finishedIn(parts);
  expect([interrupted.exitCode, interrupted.stdout]).toEqual([130, ""]);
  expect(interrupted.stderr).toContain(`${afterFirst.length} of 6 points are in ${parts}; the same command`);
  expect(afterFirst.length).toBeLessThan(5);
  expect(readdirSync(parts)).toEqual(["points"]);
  expect(remainsOf(first)).toEqual([]);

  // A kill in the middle of the rest: it can't clean up, but finished points are whole.
  const second = sweep(folder, parts, "--workers", "1");
  await until("another finished point", () => finishedIn(parts).length > afterFirst.length);
  second.child.kill("SIGKILL");
  await second.end;
  const afterSecond = finishedIn(parts);
  expect(afterSecond.length).toBeLessThan(6);
  rmSync(second.temporary, { recursive: true });

  const times = writtenAt(parts, afterSecond);
  const third = await sweep(folder, parts, "--workers", "1", "--json").end;
  expectRest(third, afterSecond.length);
  expect(writtenAt(parts, afterSecond)).toEqual(times);
  expect(third.stdout).toBe(readFileSync(path.join(whole, "table.json"), "utf8"));
  expect(readdirSync(parts)).toEqual([...FILES.slice(0, 1), "points", ...FILES.slice(1)]);
  for (const file of FILES) {
    expect(readFileSync(path.join(parts, file), "utf8"), file).toBe(
      readFileSync(path.join(whole, file), "utf8"),
    );
  }
});

test("a point that fails is in the table, the others are run, and the command ends with 1", async () => {
  const folder = temporaryFolder();
  const out = path.join(folder, "out");
  const scenario = writeScenario(folder, { ...SCENARIO, placement: "threads:2" });
  // Launches of 2.5 µs x 1e12 pass the end of virtual time, 2^53 ps.
  const command = startCommand(["sweep", scenario, "--over", "overrides.launch.time=1,1e12", "--out", out]);
  const { exitCode, stdout, stderr } = await command.end;
  expect(exitCode).toBe(1);
  expect(stderr).toBe(
    "placement threads:2 is passed over: each point runs inline, several at a time\n" +
      "error: 1 of 2 points failed\n" +
      "  next     the reasons stand in the table; the same command runs the failed points again\n",
  );
  expect(stdout).toMatch(/Failed\n {2}overrides\.launch\.time=1e12\n {4}\S/);
  const [, first, second] = readFileSync(path.join(out, "table.csv"), "utf8").split("\n");
  expect(first).toMatch(/^1,\d.*,[0-9a-f]{64},$/);
  expect(second).toMatch(/^1000000000000,{15}"?\w/);
  expect(remainsOf(command)).toEqual([]);
});

test("a worker thread that dies ends the sweep with its point, and nothing is left", async () => {
  const folder = temporaryFolder();
  const dying = 'import { isMainThread } from "node:worker_threads";\nif (!isMainThread) process.exit(3);\n';
  const pattern = dying + readFileSync(exampleFile("one-copy-per-rank"), "utf8");
  writeFileSync(path.join(folder, "dying.ts"), pattern);
  const scenario = writeScenario(folder, SCENARIO);
  const over = "run.decode.dispatch=direct,./dying.ts";
  const command = startCommand(["sweep", scenario, "--over", over, "--out", path.join(folder, "out")]);
  const { exitCode, stdout, stderr } = await command.end;
  expect([exitCode, stdout]).toEqual([1, ""]);
  expect(stderr).toMatch(
    /^error: a worker thread ended at the point run\.decode\.dispatch=\.\/dying\.ts: .*code: 3\n +next +the same command/,
  );
  expect(remainsOf(command)).toEqual([]);
});
