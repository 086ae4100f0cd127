// What is wrong with data that a user wrote: the field, what was found and what is allowed, together in one input
// error. It knows no format; a schema's message is the text of what is allowed.

import { inputError, type WorldError } from "@windtunnel/base";
import type { z } from "zod";

export interface InputProblem {
  /** `spinesPerPlane`; empty for the data as a whole. */
  readonly path: string;
  readonly found: string;
  readonly allowed: string;
}

const MOST_PROBLEMS_SHOWN = 8;

/** One problem for each fault that a schema found; `fieldNames`: those that the mapping at a path may hold. */
export function problemsOfIssues(
  issues: readonly z.core.$ZodIssue[],
  value: unknown,
  fieldNames: (path: readonly PropertyKey[]) => readonly string[],
): InputProblem[] {
  return issues.flatMap((issue): InputProblem[] => {
    const path = issue.path.join(".");
    if (issue.code !== "unrecognized_keys") {
      return [{ path, found: describeFound(valueAt(value, issue.path)), allowed: issue.message }];
    }
    const allowed = `no unknown fields; known here: ${fieldNames(issue.path).join(", ")}`;
    return issue.keys.map((key) => ({
      path: path === "" ? key : `${path}.${key}`,
      found: `unknown field "${key}"`,
      allowed,
    }));
  });
}

/** All problems in one message; with one alone, its parts are details too. `file` may be empty. */
export function problemsError(problems: readonly InputProblem[], file: string): WorldError {
  const lines = problems
    .slice(0, MOST_PROBLEMS_SHOWN)
    .map(
      ({ path, found, allowed }) => `${path === "" ? "" : `${path}: `}found ${found}; allowed: ${allowed}`,
    );
  const details = file === "" ? {} : { file };
  const subject = file === "" ? "" : `${file}: `;
  const [first] = problems;
  if (problems.length === 1) return inputError(`${subject}${lines[0]}`, { ...details, ...first });
  const more = problems.length - lines.length;
  const shown = [...lines, ...(more > 0 ? [`and ${more} more`] : [])].map((line) => `  ${line}`);
  const message = `${subject}${problems.length} problems\n${shown.join("\n")}`;
  return inputError(message, { ...details, ...first, problems });
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  let at = value;
  for (const key of path) {
    if (typeof at !== "object" || at === null || !Object.hasOwn(at, key)) return undefined;
    at = (at as Record<PropertyKey, unknown>)[key];
  }
  return at;
}

function describeFound(value: unknown): string {
  if (value === undefined || value === null) return "nothing";
  const text = typeof value === "number" ? String(value) : JSON.stringify(value);
  return text.length <= 60 ? text : `${text.slice(0, 59)}…`;
}
