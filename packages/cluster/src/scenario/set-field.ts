// `--set path=value`: one field of a scenario changed from the command line. The value is read as YAML, so that
// numbers, booleans and mappings need no quotes; folders and mappings on the way are made when they are missing.

import { inputError } from "@windtunnel/base";
import { parse } from "yaml";
import { describeValue } from "./problems.ts";

export interface FieldSetting {
  readonly path: readonly string[];
  readonly value: unknown;
}

const KEY = String.raw`"[^"]+"|[^".=]+`;
const SETTING = new RegExp(`^((?:${KEY})(?:[.](?:${KEY}))*)=(.*)$`, "s");

/** Reads `cluster.nodes=2`. Dots separate keys, except inside double quotes. */
export function parseSetting(setting: string): FieldSetting {
  const match = SETTING.exec(setting);
  const keys = match?.[1]?.match(new RegExp(KEY, "g")) ?? [];
  const path = keys.map((key) => key.replaceAll('"', ""));
  if (match === null || path.includes("__proto__")) {
    const allowed = "path=value, such as cluster.nodes=2";
    const found = describeValue(setting);
    throw inputError(`--set: found ${found}; allowed: ${allowed}`, { path: "--set", found, allowed });
  }
  try {
    return { path, value: parse(match[2] ?? "") as unknown };
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const reason = error.message.split("\n")[0] ?? "";
    throw inputError(`--set ${path.join(".")}: the value is not YAML: ${reason}`, {
      path: path.join("."),
      found: match[2],
    });
  }
}

/** A copy of `scenario` with the field set; what stood at the path is replaced as a whole. */
export function withSetting(scenario: unknown, { path, value }: FieldSetting): unknown {
  const [key, ...rest] = path;
  if (key === undefined) return value;
  const isMapping = typeof scenario === "object" && scenario !== null && !Array.isArray(scenario);
  const fields = isMapping ? (scenario as Record<string, unknown>) : {};
  const child = Object.hasOwn(fields, key) ? fields[key] : undefined;
  return { ...fields, [key]: withSetting(child, { path: rest, value }) };
}
