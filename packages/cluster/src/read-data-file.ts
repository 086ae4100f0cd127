// Files of plain data that a scenario or a command names: JSON, or YAML, of which JSON is a part. What the data means is
// the business of whoever asked for it.

import { readFileSync } from "node:fs";
import { inputError } from "@windtunnel/base";
import { loadYaml } from "./load-yaml.ts";

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file",
  ENOTDIR: "there is no such file",
  EISDIR: "this is a folder",
  EACCES: "this file can't be read (permission denied)",
};

/** Throws an input error for what can't be read, and with the place of the first fault. */
export function readDataFile(file: string): unknown {
  const document = loadYaml().parseDocument(readText(file), { prettyErrors: true });
  const fault = document.errors[0];
  if (fault === undefined) return document.toJS();
  const { line } = fault.linePos?.[0] ?? { line: 1 };
  const found = (fault.message.split("\n")[0] ?? "").replace(/ at line \d+, column \d+:?$/, "");
  throw inputError(`${file}, line ${line}: neither JSON nor YAML: ${found}`, {
    file,
    line,
    found,
    allowed: "JSON or YAML",
  });
}

function readText(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    const found = REASONS[(error as NodeJS.ErrnoException).code ?? ""];
    if (found === undefined) throw error;
    throw inputError(`${file}: ${found}`, { file, found, allowed: "a JSON or YAML file" });
  }
}
