// Loads files of code that users write themselves, dispatch patterns and schedules: modules that Node runs as they stand.

import { createRequire } from "node:module";
import { inputError, lineOfFile, type WorldError } from "@windtunnel/base";

/** What a file exports by default. `what` names it in the error ("a schedule"), `path` the field or option. */
export function loadOwnFile(file: string, what: string, path: string): unknown {
  let module: unknown;
  try {
    module = createRequire(import.meta.url)(file) as unknown;
  } catch (error) {
    throw ownFileError(error, file, what, path);
  }
  return (module as { readonly default?: unknown }).default ?? module;
}

/** Why a file could not be loaded, with the line where that is known. */
export function ownFileError(error: unknown, file: string, what: string, path: string): WorldError {
  const reason = error instanceof Error ? (error.message.split("\n")[0] ?? "") : String(error);
  const line = lineOfFile(error, file);
  const place = line === undefined ? "" : `, line ${line}`;
  return inputError(`${file}${place}: can't be loaded as ${what}: ${reason}`, {
    file,
    path,
    allowed:
      "a module of TypeScript that Node runs as it stands; of windtunnel it may import types alone (import type)",
  });
}
