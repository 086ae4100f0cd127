// Prompts from a file: one JSON object in each line, {"tokens":[1,2,3]} with an optional "maxNewTokens".
// Knows no model; whether ids are below the vocabulary is a check of its own.

import { readFileSync } from "node:fs";
import { inputError, type WorldError } from "@windtunnel/base";
import { describeValue, nearestName } from "./problems.ts";

export interface Prompt {
  readonly tokens: readonly number[];
  /** New tokens at most; missing: the workload's. */
  readonly maxNewTokens?: number;
  /** Line of the prompts file, from 1. */
  readonly line: number;
}

const FIELDS = ["tokens", "maxNewTokens"];

/** Reads a prompts file. Throws an input error with file and line. */
export function loadPrompts(file: string): Prompt[] {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    const reasons: Record<string, string> = { ENOENT: "there is no such file", EISDIR: "this is a folder" };
    const found = reasons[code ?? ""];
    if (found === undefined) throw error;
    throw inputError(`prompts ${file}: ${found}`, {
      file,
      found,
      allowed: 'a file with lines of {"tokens":[…]}',
    });
  }
  return parsePrompts(text, file);
}

/** Reads the text of a prompts file; blank lines are passed over. */
export function parsePrompts(text: string, file: string): Prompt[] {
  const prompts: Prompt[] = [];
  const lines = text.split("\n");
  for (let i = 0; i < lines.length; i++) {
    const content = lines[i] ?? "";
    if (content.trim() !== "") prompts.push(parsePrompt(content, file, i + 1));
  }
  if (prompts.length === 0) {
    const allowed = 'at least one line {"tokens":[…]}';
    throw inputError(`${file}: no prompts in this file; allowed: ${allowed}`, {
      file,
      found: "no prompts",
      allowed,
    });
  }
  return prompts;
}

/** Refuses token ids outside the vocabulary (`vocabularySize` entries). */
export function checkTokens(prompts: readonly Prompt[], vocabularySize: number, file?: string): void {
  for (const { tokens, line } of prompts) {
    for (let i = 0; i < tokens.length; i++) {
      const token = tokens[i]!;
      if (token < vocabularySize) continue;
      const allowed = `ids from 0 to ${vocabularySize - 1}, the model's vocabulary`;
      throw fault(file ?? "prompts", line, `tokens[${i}]`, `found ${token}; allowed: ${allowed}`, {
        found: token,
        allowed,
      });
    }
  }
}

function parsePrompt(content: string, file: string, line: number): Prompt {
  let value: unknown;
  try {
    value = JSON.parse(content);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw fault(file, line, "", `not JSON: ${error.message}`, { found: describeValue(content) });
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw refused(file, line, "", value, '{"tokens":[…]}');
  }
  for (const key of Object.keys(value)) {
    if (FIELDS.includes(key)) continue;
    const nearest = nearestName(key, FIELDS);
    const hint =
      nearest === undefined ? `known here: ${FIELDS.join(", ")}` : `the nearest known name is "${nearest}"`;
    throw fault(file, line, key, `unknown field "${key}"; ${hint}`, {
      found: key,
      allowed: FIELDS.join(", "),
    });
  }
  const { tokens, maxNewTokens } = value as { tokens?: unknown; maxNewTokens?: unknown };
  if (!Array.isArray(tokens) || tokens.length === 0) {
    throw refused(file, line, "tokens", tokens, "a list of at least one token id");
  }
  tokens.forEach((token: unknown, i) => {
    if (!Number.isSafeInteger(token) || (token as number) < 0) {
      throw refused(file, line, `tokens[${i}]`, token, "a whole number of at least 0");
    }
  });
  if (maxNewTokens === undefined) return { tokens: tokens as number[], line };
  if (!Number.isSafeInteger(maxNewTokens) || (maxNewTokens as number) < 1) {
    throw refused(file, line, "maxNewTokens", maxNewTokens, "a whole number of at least 1");
  }
  return { tokens: tokens as number[], maxNewTokens: maxNewTokens as number, line };
}

function refused(file: string, line: number, field: string, value: unknown, allowed: string): WorldError {
  const found = describeValue(value);
  return fault(file, line, field, `found ${found}; allowed: ${allowed}`, { found, allowed });
}

function fault(
  file: string,
  line: number,
  field: string,
  message: string,
  details: { found?: unknown; allowed?: string },
): WorldError {
  const place = field === "" ? "" : `${field}: `;
  return inputError(`${file}, line ${line}: ${place}${message}`, {
    file,
    line,
    ...(field === "" ? {} : { path: field }),
    ...details,
  });
}
