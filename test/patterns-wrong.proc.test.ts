// Wrong patterns through the command, as a user meets them: one message with the file and what to do, the exit code,
// and no stack.

import { writeFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { changedExample, type Change, type ExampleName } from "./support/changed-example.ts";
import { type CommandEnd, runCommand, writeScenario } from "./support/command.ts";
import { temporaryFolder } from "./support/folders.ts";

/** Runs a scenario beside a file mine.ts, which decode takes. */
async function runWith(text: string, ...options: readonly string[]): Promise<CommandEnd> {
  const folder = temporaryFolder();
  writeFileSync(path.join(folder, "mine.ts"), text);
  const scenario = writeScenario(folder, {
    model: { preset: "v3-tiny" },
    cluster: { nodes: 2, gpusPerNode: 2 },
    workload: { requestsPerGpu: 2, promptTokens: 3, steps: 2 },
  });
  const set = ["--set", "run.decode.dispatch=./mine.ts"];
  return runCommand(["run", scenario, ...set, ...options, "--out", path.join(folder, "run")]);
}

function expectOneMessage(end: CommandEnd, exitCode: number, message: RegExp): void {
  expect(end.stderr).toMatch(message);
  expect(end.stderr).not.toMatch(/^\s+at |bug in windtunnel|node_modules|Warning/m);
  expect(end.stderr.match(/error:/g)).toHaveLength(1);
  expect(end.exitCode).toBe(exitCode);
}

test("an example is run from another folder, without a remark of Node's", async () => {
  const end = await runWith(changedExample("two-hops"));
  expect([end.exitCode, end.stderr]).toEqual([0, ""]);
});

const LOST: Change = ["exchange.acceptTokens(back);", "exchange.acceptTokens(back.slice(1));"];

test.each<readonly [string, ExampleName, Change, readonly string[], number, RegExp]>([
  [
    "loses a token",
    "one-copy-per-rank",
    LOST,
    [],
    1,
    /^error: pattern one-copy-per-rank lost token \d of rank \d: it has no output of .*\n +file +\/.*mine\.ts\n +next +docs\/patterns\.md says/,
  ],
  [
    "loses a token in another process",
    "one-copy-per-rank",
    LOST,
    ["--placement", "processes:2"],
    1,
    /^error: pattern one-copy-per-rank lost token \d of rank \d: it has no output of .*\n +file +\/.*mine\.ts\n +next/,
  ],
  [
    "waits for ever",
    "two-hops",
    ["messages: clients.map((to) => {", "messages: clients.slice(1).map((to) => {"],
    ["--placement", "threads:2"],
    1,
    /^error: nothing can happen any more, and \d programs wait:\n(.*\n)* +rank \d, program waits for combine of layer 1.*missing: rank \d/,
  ],
  [
    "throws",
    "two-hops",
    ["keep(partsOf(rank));", "keep(partsOf(rank).nothing.at.all);"],
    [],
    1,
    /^error: pattern two-hops stopped on rank \d at line \d+: Cannot read properties of undefined .*\n +file +\/.*mine\.ts/,
  ],
  [
    "is no TypeScript",
    "one-copy-per-rank",
    ["sms: 20,", "sms: 20 20,"],
    [],
    2,
    /^error: \/.*mine\.ts, line \d+: can't be loaded as a dispatch pattern: .*\n +path +run\.decode\.dispatch\n +allowed/,
  ],
  [
    "exports nothing",
    "one-copy-per-rank",
    ["export default pattern;", ""],
    [],
    2,
    /^error: \/.*mine\.ts: default export: found nothing; allowed: an object with name, sms and open/,
  ],
])("a pattern that %s is told so", async (_, example, change, options, exitCode, message) => {
  expectOneMessage(await runWith(changedExample(example, change), ...options), exitCode, message);
});
