import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, expect, test } from "vitest";
import { guessThreads } from "./early-threads.ts";

const folder = mkdtempSync(path.join(tmpdir(), "test-of-windtunnel-"));
afterAll(() => rmSync(folder, { recursive: true }));

test.each([
  ["name: a\nplacement: threads:4\n", 4],
  ["name: a\nplacement: 'threads:12' # all of them\n", 12],
  ['{"name":"a","placement":"threads:3"}', 3],
  ["placement: processes:4", 0],
  ["name: a\n# placement: threads:4\n", 0],
  ["name: a", 0],
])("threads are guessed from a scenario's text: %j", (text, count) => {
  const file = path.join(folder, "scenario.yaml");
  writeFileSync(file, text);
  expect(guessThreads(file, [])).toBe(count);
});

test.each([
  [['placement="threads:2"'], 2],
  [["placement=threads:5", "cluster.nodes=2"], 5],
  [["placement=threads:5", 'placement="inline"'], 0],
])("and from settings, which change the file: %j", (settings, count) => {
  const file = path.join(folder, "set.yaml");
  writeFileSync(file, "placement: threads:7");
  expect(guessThreads(file, settings)).toBe(count);
});

test("no threads are guessed of a file that is not there, nor of what can be read only once", () => {
  expect(guessThreads(path.join(folder, "nothing.yaml"), [])).toBe(0);
  expect(guessThreads("/dev/stdin", [])).toBe(0);
});
