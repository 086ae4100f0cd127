// From a scenario file to a resolved scenario: read YAML or JSON, apply `--set`, check, fill in every default,
// make paths absolute. All problems are reported together, in one input error with the file, lines and paths.

import { readFileSync } from "node:fs";
import path from "node:path";
import { inputError, type WorldError } from "@windtunnel/base";
import type { Document, LineCounter as Lines } from "yaml";
import { loadYaml } from "../load-yaml.ts";
import { contradictionsIn } from "./consistency.ts";
import { scenarioFieldNames } from "./field-names.ts";
import { missingFiles, resolveFileReferences } from "./file-references.ts";
import { formatPath, type Problem, problemsOf } from "./problems.ts";
import { scenarioSchema, spelledOutWorkload } from "./schema.ts";
import type { Scenario } from "./scenario.ts";
import { type FieldSetting, parseSetting, withSetting } from "./set-field.ts";
import { limitsOfThisVersion } from "./this-version.ts";

/** Where a scenario came from, for messages and for relative paths. */
export interface ScenarioOrigin {
  /** The file as the user named it; missing for a scenario made by a program. */
  readonly file?: string;
  /** What relative paths start from. */
  readonly folder: string;
  /** The name of a scenario that has none. */
  readonly name?: string;
  /** Says where a field was written, such as "line 7". */
  readonly locate?: (path: readonly string[]) => string | undefined;
}

/**
 * Reads a scenario file (YAML or JSON). `settings` are `path=value` as after `--set`, or read already; they
 * are applied in order.
 * Throws an input error that names every problem.
 */
export function loadScenario(file: string, settings: readonly (string | FieldSetting)[] = []): Scenario {
  const absolute = path.resolve(file);
  const { LineCounter } = loadYaml();
  const lines = new LineCounter();
  const document = parseYaml(readText(file), file, lines);
  let value: unknown = document.toJS();
  const parsedSettings = settings.map((each) => (typeof each === "string" ? parseSetting(each) : each));
  for (const setting of parsedSettings) value = withSetting(value, setting);
  const name = nameFromFile(absolute);
  return resolveScenario(value, {
    file,
    folder: path.dirname(absolute),
    ...(name === "" ? {} : { name }),
    locate: (at) => settingOf(parsedSettings, at)?.option ?? lineOf(document, lines, at),
  });
}

/** Checks a scenario that is already data, and fills in its defaults. Throws an input error. */
export function resolveScenario(value: unknown, origin: ScenarioOrigin): Scenario {
  const named = isMapping(value) ? completed(value, origin) : value;
  const result = scenarioSchema.safeParse(named);
  if (!result.success) {
    throw problemsError(problemsOf(result.error.issues, named, scenarioFieldNames()), origin);
  }
  const scenario = resolveFileReferences(result.data, origin.folder);
  const problems = [
    ...limitsOfThisVersion(scenario),
    ...contradictionsIn(scenario),
    ...missingFiles(scenario),
  ];
  if (problems.length > 0) throw problemsError(problems, origin);
  return scenario;
}

/** The name from the file, unless the scenario has one; a drawn workload in its full form. */
function completed(
  value: Readonly<Record<string, unknown>>,
  { name }: ScenarioOrigin,
): Record<string, unknown> {
  return {
    ...(name === undefined ? {} : { name }),
    ...value,
    ...("workload" in value ? { workload: spelledOutWorkload(value["workload"]) } : {}),
  };
}

function readText(file: string): string {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    const reasons: Record<string, string> = {
      ENOENT: "there is no such file",
      ENOTDIR: "there is no such file",
      EISDIR: "this is a folder, not a scenario file",
      EACCES: "this file can't be read (permission denied)",
    };
    const found = reasons[code ?? ""];
    if (found === undefined) throw error;
    throw inputError(`scenario ${file}: ${found}`, { file, found, allowed: "a YAML or JSON file" });
  }
  if (text.trim() === "") {
    const found = "the file is empty";
    throw inputError(`scenario ${file}: ${found}`, {
      file,
      found,
      allowed: "a YAML or JSON scenario, with a model",
    });
  }
  return text;
}

function parseYaml(text: string, file: string, lineCounter: Lines): Document.Parsed {
  const document = loadYaml().parseDocument(text, { lineCounter });
  const fault = document.errors[0];
  if (fault === undefined) return document;
  const { line, col } = lineCounter.linePos(fault.pos[0]);
  const reason = (fault.message.split("\n")[0] ?? "").replace(/ at line \d+, column \d+:?$/, "");
  throw inputError(`${file}, line ${line}, column ${col}: not valid YAML: ${reason}`, {
    file,
    line,
    found: reason,
  });
}

/** `two-nodes.yaml` is called two-nodes; characters that a name can't hold become dashes. */
function nameFromFile(file: string): string {
  const base = path.basename(file).replace(/\.(?:json|ya?ml)$/i, "");
  return base
    .replaceAll(/[^A-Za-z0-9_ .+-]/g, "-")
    .replace(/^[^A-Za-z0-9]+/, "")
    .slice(0, 100);
}

/** The setting that a field has its value from: the last one of it, or of a field around it. */
function settingOf(settings: readonly FieldSetting[], at: readonly string[]): FieldSetting | undefined {
  return settings.findLast((setting) => setting.path.every((key, i) => at[i] === key));
}

/** The line of a field's key, or of the nearest enclosing field that is there. */
function lineOf(document: Document.Parsed, lines: Lines, at: readonly string[]): string | undefined {
  const { isMap, isNode, isScalar } = loadYaml();
  let node: unknown = document.contents;
  let offset: number | undefined;
  for (const key of at) {
    if (!isMap(node)) break;
    const pair = node.items.find((item) => isScalar(item.key) && String(item.key.value) === key);
    if (pair === undefined) break;
    if (isNode(pair.key)) offset = pair.key.range?.[0] ?? offset;
    node = pair.value;
  }
  return offset === undefined ? undefined : `line ${lines.linePos(offset).line}`;
}

function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function problemsError(problems: readonly Problem[], origin: ScenarioOrigin): WorldError {
  const { file, locate } = origin;
  const lineFor = ({ path: at, message }: Problem): string => {
    const place = locate?.(at);
    const field = at.length === 0 ? "" : `${formatPath(at)}: `;
    return `${place === undefined ? "" : `${place}: `}${field}${message}`;
  };
  const subject = file ?? "scenario";
  const [first] = problems;
  const fileDetail = file === undefined ? {} : { file };
  if (problems.length === 1 && first !== undefined) {
    return inputError(`${subject}: ${lineFor(first)}`, {
      ...fileDetail,
      path: formatPath(first.path),
      ...(first.found === undefined ? {} : { found: first.found }),
      ...(first.allowed === undefined ? {} : { allowed: first.allowed }),
    });
  }
  const details = problems.map((problem) => ({ ...problem, path: formatPath(problem.path) }));
  return inputError(
    `${subject}: ${problems.length} problems\n${problems.map((one) => `  ${lineFor(one)}`).join("\n")}`,
    {
      ...fileDetail,
      problems: details,
    },
  );
}
