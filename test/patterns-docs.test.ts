// docs/patterns.md says what is so: its code stands in the examples, its links lead somewhere, and the members that it
// names are there.

import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { RankExchange } from "@windtunnel/expert";
import { expect, test } from "vitest";
import { exampleFile } from "./support/folders.ts";

const docs = fileURLToPath(new URL("../docs/", import.meta.url));
const page = readFileSync(path.join(docs, "patterns.md"), "utf8");

test("code of the page stands in an example, line by line", () => {
  const examples = [exampleFile("one-copy-per-rank"), exampleFile("two-hops")].map((file) =>
    readFileSync(file, "utf8"),
  );
  const blocks = [...page.matchAll(/^```ts\n(.*?)^```/gms)].map((match) => match[1]!);
  expect(blocks.length).toBeGreaterThan(0);
  for (const block of blocks)
    expect(
      examples.some((text) => text.includes(block)),
      block,
    ).toBe(true);
});

test("links of the page lead to files", () => {
  const targets = [...page.matchAll(/\]\(([^)#]+)/g)].map((match) => match[1]!);
  expect(targets.length).toBeGreaterThan(3);
  expect(targets.filter((target) => !existsSync(path.join(docs, target)))).toEqual([]);
});

test("members that the page names are those of an exchange", () => {
  const [, table] = /^\| `exchange\.` \|(.*?)\n\n/ms.exec(page)!;
  const named = [...table!.matchAll(/^\| (.*?) \|/gm)].flatMap((row) =>
    [...row[1]!.matchAll(/`(\w+)/g)].map((match) => match[1]!),
  );
  // Fields of an instance, beside what its class has.
  const fields = ["rank", "tokens", "unit", "shape", "memory"];
  const members = new Set([...fields, ...Object.getOwnPropertyNames(RankExchange.prototype)]);
  expect(named.filter((name) => !members.has(name))).toEqual([]);
  const used = [
    "keepTokens",
    "partials",
    "acceptTokens",
    "rowsFor",
    "keepRows",
    "outputsFor",
    "acceptRows",
    "sum",
    "beside",
  ];
  expect(used.filter((name) => !members.has(name) || !page.includes(name))).toEqual([]);
});
