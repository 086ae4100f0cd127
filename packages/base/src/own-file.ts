// Files of code that users write themselves (dispatch patterns, schedules): how they are loaded, and how values and errors
// of theirs are shown. Mistakes in them are errors of that file, never bugs of the emulator.

import { createRequire } from "node:module";
import { inputError, type WorldError } from "./errors.ts";

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

/** The line of a file that an error's stack names first. */
export function lineOfFile(error: unknown, file: string): number | undefined {
  if (!(error instanceof Error)) return undefined;
  const name = file.slice(1 + Math.max(file.lastIndexOf("/"), file.lastIndexOf("\\")));
  for (const frame of (error.stack ?? "").split("\n")) {
    const [, found, line] = /([^/\\]+?):(\d+)(?::\d+)?\)?$/.exec(frame) ?? [];
    if (found === name || found === encodeURIComponent(name)) return Number(line);
  }
  return undefined;
}

/** Refuses a field of what a file exports. */
export function refuseOwn(file: string, path: string, found: string, allowed: string): never {
  throw inputError(`${file}: ${path}: found ${found}; allowed: ${allowed}`, { file, path, found, allowed });
}

/** A value in the words of an error. */
export function shownValue(found: unknown): string {
  if (found === undefined) return "nothing";
  if (typeof found === "function") return "a function";
  if (found instanceof Promise) return "a promise";
  if (typeof found !== "object" || found === null) return JSON.stringify(found) ?? typeof found;
  if (isNamespace(found)) {
    const names = Object.keys(found);
    return names.length === 0 ? "nothing" : `only ${names.join(", ")}`;
  }
  return Array.isArray(found)
    ? "an array"
    : `an object with ${Object.keys(found).join(", ") || "nothing in it"}`;
}

/** Whether nothing was exported by default: a module's namespace of names, or what CommonJS exports of itself. */
export function isNamespace(value: object): boolean {
  const { [Symbol.toStringTag]: tag } = value as { readonly [Symbol.toStringTag]?: unknown };
  const isPlain = Object.getPrototypeOf(value) === Object.prototype;
  return tag === "Module" || (isPlain && Object.keys(value).length === 0);
}
