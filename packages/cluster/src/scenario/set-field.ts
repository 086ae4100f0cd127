// `--set path=value`: one field of a scenario changed from the command line. The value is read as YAML, so that
// numbers, booleans and mappings need no quotes; folders and mappings on the way are made when they are missing.

import { inputError } from "@windtunnel/base";
import { loadYaml } from "../load-yaml.ts";
import { describeValue } from "./problems.ts";

export interface FieldSetting {
  readonly path: readonly string[];
  readonly value: unknown;
  /** What it was typed after, for messages. */
  readonly option: string;
}

/** A setting whose value is not read yet. */
export interface SettingText {
  readonly path: readonly string[];
  readonly text: string;
  readonly option: string;
}

const KEY = String.raw`"[^"]+"|[^".=]+`;
const SETTING = new RegExp(`^((?:${KEY})(?:[.](?:${KEY}))*)=(.*)$`, "s");

/** Reads `cluster.nodes=2`. Dots separate keys, except inside double quotes. */
export function parseSetting(setting: string): FieldSetting {
  return readSetting(splitSetting(setting, "--set", "path=value, such as cluster.nodes=2"));
}

/** The path apart from what follows the equals sign. */
export function splitSetting(setting: string, option: string, allowed: string): SettingText {
  const match = SETTING.exec(setting);
  const keys = match?.[1]?.match(new RegExp(KEY, "g")) ?? [];
  const path = keys.map((key) => key.replaceAll('"', ""));
  if (match === null || path.includes("__proto__")) {
    const found = describeValue(setting);
    throw inputError(`${option}: found ${found}; allowed: ${allowed}`, { path: option, found, allowed });
  }
  return { path, text: match[2] ?? "", option };
}

export function readSetting({ path, text, option }: SettingText): FieldSetting {
  try {
    return { path, value: loadYaml().parse(text) as unknown, option };
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const reason = error.message.split("\n")[0] ?? "";
    throw inputError(`${option} ${path.join(".")}: the value is not YAML: ${reason}`, {
      path: path.join("."),
      found: text,
    });
  }
}

/** A copy of `scenario` with the field set; what stood at the path is replaced as a whole. */
export function withSetting(
  scenario: unknown,
  { path, value }: Pick<FieldSetting, "path" | "value">,
): unknown {
  const [key, ...rest] = path;
  if (key === undefined) return value;
  const isMapping = typeof scenario === "object" && scenario !== null && !Array.isArray(scenario);
  const fields = isMapping ? (scenario as Record<string, unknown>) : {};
  const child = Object.hasOwn(fields, key) ? fields[key] : undefined;
  return { ...fields, [key]: withSetting(child, { path: rest, value }) };
}
