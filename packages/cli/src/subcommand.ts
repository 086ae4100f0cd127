// What a file in `commands/` is to the program: a function that gives a commander command its arguments, options,
// help and action. Its heavy imports belong inside the action, so that `--help` stays quick.

import type { Command } from "commander";
import type { Screen } from "./screen.ts";

export type ConfigureCommand = (command: Command, screen: Screen) => void;

/** Collects an option that may be given several times. */
export function collect(value: string, previous: readonly string[] | undefined): readonly string[] {
  return [...(previous ?? []), value];
}

/** The block of examples at the end of a command's help. */
export function examples(...lines: readonly string[]): string {
  return `\nExamples:\n${lines.map((line) => `  $ ${line}`).join("\n")}\n`;
}
