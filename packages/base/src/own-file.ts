// Files of code that users write themselves: how values and errors of theirs are shown. Mistakes in them are errors of that
// file, never bugs of ours. It loads nothing.

import { inputError } from "./errors.ts";

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
