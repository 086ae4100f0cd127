// What is wrong with a scenario, one line for each fault: the field's path, what was found, what is allowed.
// It turns zod's issues into such problems and problems into one input error; it knows nothing of files and YAML.

import { closest, distance } from "fastest-levenshtein";
import type { z } from "zod";

export interface Problem {
  /** The field, as keys from the top. Empty for the scenario as a whole. */
  readonly path: readonly string[];
  /** The whole sentence, without the path. */
  readonly message: string;
  readonly found?: string;
  readonly allowed?: string;
}

/** The names that a scenario may hold at a path, and where else a name belongs. */
export interface FieldNames {
  at(path: readonly string[]): readonly string[];
  /** Paths of all fields called `name`. */
  called(name: string): readonly string[];
}

/** One problem for each field that zod complains of, in zod's order. */
export function problemsOf(
  issues: readonly z.core.$ZodIssue[],
  value: unknown,
  names: FieldNames,
): Problem[] {
  const problems: Problem[] = [];
  const seen = new Set<string>();
  for (const issue of issues) {
    const path = issue.path.map(String);
    const found =
      issue.code === "unrecognized_keys"
        ? issue.keys.map((key) => unknownField(path, key, names))
        : [wrongValue(path, issue, value)];
    for (const problem of found) {
      const key = JSON.stringify(problem.path);
      if (!seen.has(key)) problems.push(problem);
      seen.add(key);
    }
  }
  return problems;
}

/** A field that exists but holds the wrong thing. */
export function refusedValue(path: readonly string[], value: unknown, allowed: string): Problem {
  const found = describeValue(value);
  return { path, message: `found ${found}; allowed: ${allowed}`, found, allowed };
}

/** `cluster.nodes`; keys with other characters than letters and digits are quoted. */
export function formatPath(path: readonly string[]): string {
  return path.map((key) => (/^[\w-]+$/.test(key) ? key : JSON.stringify(key))).join(".");
}

/** The nearest of some names, where it is near enough to be meant. */
export function nearestName(name: string, candidates: readonly string[]): string | undefined {
  if (candidates.length === 0) return undefined;
  const sameLetters = candidates.find((candidate) => candidate.toLowerCase() === name.toLowerCase());
  const nearest = sameLetters ?? closest(name, candidates);
  return distance(name.toLowerCase(), nearest.toLowerCase()) <= Math.max(2, name.length / 3)
    ? nearest
    : undefined;
}

/** A value as a message shows it, in at most 60 characters. */
export function describeValue(value: unknown): string {
  if (value === undefined || value === null) return "nothing";
  const text = typeof value === "number" ? String(value) : JSON.stringify(value);
  return text.length <= 60 ? text : `${text.slice(0, 57)}…`;
}

function unknownField(parent: readonly string[], key: string, names: FieldNames): Problem {
  const known = names.at(parent);
  const nearest = nearestName(key, known);
  const elsewhere = names.called(key);
  const hint =
    nearest === undefined
      ? elsewhere.length > 0
        ? `; it belongs at ${elsewhere.join(" or ")}`
        : ""
      : `; the nearest known name is "${nearest}"`;
  const allowed = known.join(", ");
  return {
    path: [...parent, key],
    message: `unknown field "${key}"${hint}${nearest === undefined ? `; known here: ${allowed}` : ""}`,
    found: `"${key}"`,
    allowed,
  };
}

function wrongValue(path: readonly string[], issue: z.core.$ZodIssue, value: unknown): Problem {
  if (issue.code === "invalid_key") {
    const allowed = issue.issues[0]?.message ?? issue.message;
    return refusedValue(path, path.at(-1), allowed);
  }
  return refusedValue(path, valueAt(value, path), issue.message);
}

function valueAt(value: unknown, path: readonly string[]): unknown {
  let at = value;
  for (const key of path) {
    if (typeof at !== "object" || at === null || !Object.hasOwn(at, key)) return undefined;
    at = (at as Record<string, unknown>)[key];
  }
  return at;
}
