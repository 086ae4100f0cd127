// Files of plain data that a scenario names: JSON, or YAML, of which JSON is a part. What the data means is the
// business of whoever asked for it.

import { readFileSync } from "node:fs";
import { inputError } from "@windtunnel/base";
import { parseDocument } from "yaml";

/** Throws an input error with the place of the first fault. */
export function readDataFile(file: string): unknown {
  const document = parseDocument(readFileSync(file, "utf8"), { prettyErrors: true });
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
