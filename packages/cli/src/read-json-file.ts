// A JSON file that the command line names, as data. What the data means is the business of whoever asked for it.

import { readFileSync } from "node:fs";
import { inputError } from "@windtunnel/base";

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file",
  ENOTDIR: "there is no such file",
  EISDIR: "this is a folder",
  EACCES: "this file can't be read (permission denied)",
};

/** Throws an input error for what can't be read and for what is no JSON. */
export function readJsonFile(file: string): unknown {
  const refused = (found: string): Error =>
    inputError(`${file}: ${found}`, { file, found, allowed: "a JSON file" });
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    const found = REASONS[(error as NodeJS.ErrnoException).code ?? ""];
    if (found === undefined) throw error;
    throw refused(found);
  }
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw refused(text.trim() === "" ? "the file is empty" : `not JSON: ${error.message}`);
  }
}
