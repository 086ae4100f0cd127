// docs/schedules.md says what is so: its code stands in the example, its links lead somewhere, its fields are those that are
// checked; and the example runs and gives the tokens of sequential.

import { existsSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { checkSchedule } from "@windtunnel/serving";
import { expect, test } from "vitest";
import { exampleFile, temporaryFolder } from "./support/folders.ts";
import { runInto } from "./support/runs.ts";

const docs = fileURLToPath(new URL("../docs/", import.meta.url));
const page = readFileSync(path.join(docs, "schedules.md"), "utf8");
const example = exampleFile("dual-batch-vllm");

test("code of the page stands in the example", () => {
  const blocks = [...page.matchAll(/^```ts\n(.*?)^```/gms)].map((match) => match[1]!);
  expect(blocks.length).toBeGreaterThan(0);
  for (const block of blocks) expect(readFileSync(example, "utf8")).toContain(block);
});

test("links of the page lead to files", () => {
  const targets = [...page.matchAll(/\]\(([^)#]+)/g)].map((match) => match[1]!);
  expect(targets.length).toBeGreaterThan(5);
  expect(targets.filter((target) => !existsSync(path.join(docs, target)))).toEqual([]);
});

test("fields that the page names are those of a schedule", async () => {
  const [, table] = /^\| field \| meaning \|(.*?)\n\n/ms.exec(page)!;
  const named = [...table!.matchAll(/^\| `\*?(\w+)/gm)].map((match) => match[1]!);
  const { default: schedule } = (await import(example)) as { default: object };
  const { file, ...checked } = checkSchedule({ ...schedule, communicationSms: 24 }, example);
  expect(file).toBe(example);
  expect(named.toSorted()).toEqual(Object.keys(checked).toSorted());
});

test("the example gives the tokens of sequential", async () => {
  const outputs = async (decode: string) => {
    const { summary } = await runInto(temporaryFolder(), "run", {
      model: { preset: "v3-tiny" },
      cluster: { nodes: 2, gpusPerNode: 2 },
      run: { decode: { schedule: decode } },
      workload: { drawn: { requestsPerGpu: 3, promptTokens: 4, steps: 2 } },
    });
    return summary;
  };
  const [plain, own] = [await outputs("sequential"), await outputs(example)];
  expect(own.digests.tokens).toBe(plain.digests.tokens);
  expect(own.digests.events).not.toBe(plain.digests.events);
});

test.each([
  [
    "a program that is yielded and not run",
    ["yield* second.sendDispatch", "yield second.sendDispatch"],
    /stopped: what is yielded is no wait; `yield\*` runs a program/,
  ],
  [
    "a step that goes on where only a report was to follow",
    ['next === undefined ? "report" :', 'next !== undefined ? "report" :'],
    /stopped: rank \d sends dispatch where it promised to send nothing: .* only a report was to follow/,
  ],
  [
    "a step that is followed by a word that nobody knows",
    ['"report"', '("reports" as never)'],
    /issues receiveCombine of layer \d+: it is followed by "reports"; batch.least and "report" say what may follow/,
  ],
] as const)("%s is told so, with its file", async (_, [right, wrong], message) => {
  const folder = temporaryFolder();
  const text = readFileSync(example, "utf8");
  expect(text).toContain(right);
  writeFileSync(path.join(folder, "mine.ts"), text.replace(right, wrong));
  const failed = await runInto(folder, "run", {
    model: { preset: "v3-tiny" },
    cluster: { nodes: 1, gpusPerNode: 2 },
    run: { decode: { schedule: "./mine.ts" } },
    workload: { drawn: { requestsPerGpu: 2, promptTokens: 4, steps: 1 } },
  }).catch((error: unknown) => error);
  expect(failed).toMatchObject({ code: "schedule", details: { file: path.join(folder, "mine.ts") } });
  expect(String(failed)).toMatch(message);
});
