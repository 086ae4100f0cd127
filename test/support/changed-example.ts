// Examples of docs/patterns.md with a line or two changed: wrong patterns of tests.

import { readFileSync } from "node:fs";
import { exampleFile } from "./folders.ts";

export type ExampleName = Parameters<typeof exampleFile>[0];

/** What stands in the example, and what stands there instead; nothing else changes. */
export type Change = readonly [right: string, wrong: string];

/** The text of an example, each change made where its right text stands first. */
export function changedExample(example: ExampleName, ...changes: readonly Change[]): string {
  return changes.reduce(
    (text, [right, wrong]) => {
      if (!text.includes(right)) throw new Error(`${example} has no ${right}`);
      return text.replace(right, wrong);
    },
    readFileSync(exampleFile(example), "utf8"),
  );
}
