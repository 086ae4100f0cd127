// What a sweep goes over: a field of the scenario and its values, as they were typed. Pure; whether the field exists and
// may have these values is the business of whoever loads the scenario with them.
// Invariant: no two points of a grid are set alike.

import { inputError } from "@windtunnel/base";
import { formatPath } from "../scenario/problems.ts";
import { parseSetting, readSetting, type SettingText, splitSetting } from "../scenario/set-field.ts";

/** More than anybody waits for, and fewer than a folder of files holds with ease. */
export const MOST_POINTS = 4096;

export interface SweepAxis {
  /** The field, as messages and tables write it. */
  readonly name: string;
  readonly path: readonly string[];
  readonly values: readonly AxisValue[];
}

export interface AxisValue {
  /** As it was typed. */
  readonly text: string;
  readonly value: unknown;
}

const OPTION = "--over";
const EXAMPLE = "parallelism.expertParallel=8,16,32";
const FORM = `path=value,value,… such as ${EXAMPLE}`;

/** `over` are `path=8,16,32` as after `--over`; `settings` are those of `--set`, which hold for all points. */
export function parseAxes(over: readonly string[], settings: readonly string[] = []): SweepAxis[] {
  if (over.length === 0) throw refused(OPTION, "none", `one or more, ${FORM}`);
  const axes = over.map(parseAxis);
  for (const [index, { name, path }] of axes.entries()) {
    const other = axes
      .slice(0, index)
      .find((earlier) => isWithin(path, earlier.path) || isWithin(earlier.path, path));
    if (other === undefined) continue;
    const found =
      other.name === name ? `${name} twice` : `${name} beside ${other.name}, one within the other`;
    throw refused(OPTION, found, "fields that do not touch each other, each once with all of its values");
  }
  for (const setting of settings) {
    const { path } = parseSetting(setting);
    const overwritten = axes.find((axis) => isWithin(path, axis.path));
    if (overwritten === undefined) continue;
    const found = `${formatPath(path)} also after --set`;
    throw refused(`${OPTION} ${overwritten.name}`, found, "one of them: every point sets it");
  }
  const pointCount = axes.reduce((product, { values }) => product * values.length, 1);
  if (pointCount > MOST_POINTS) {
    const sizes = axes.map(({ values }) => values.length).join(" x ");
    throw refused(OPTION, `${sizes} = ${pointCount} points`, `at most ${MOST_POINTS} points in a sweep`);
  }
  return axes;
}

/** Every combination of the axes' values; the first axis changes slowest. */
export function gridOf(axes: readonly SweepAxis[]): (readonly AxisValue[])[] {
  let places: (readonly AxisValue[])[] = [[]];
  for (const { values } of axes) {
    places = places.flatMap((place) => values.map((value) => [...place, value]));
  }
  return places;
}

/** Where a point lies: `run.decode.dispatch=direct, parallelism.expertParallel=8`. */
export function describePlace(axes: readonly SweepAxis[], place: readonly AxisValue[]): string {
  return axes.map(({ name }, axis) => `${name}=${place[axis]!.text}`).join(", ");
}

/** Fields that no result depends on. */
const WITHOUT_EFFECT: Readonly<Record<string, string>> = {
  placement: "a field that results depend on; where a run sits changes none",
  name: "a field that results depend on",
};

function parseAxis(text: string): SweepAxis {
  const setting = splitSetting(text, OPTION, FORM);
  const name = formatPath(setting.path);
  const allowed = WITHOUT_EFFECT[setting.path[0] ?? ""];
  if (allowed !== undefined) throw refused(OPTION, name, allowed);
  return { name, path: setting.path, values: valuesOf(setting, name) };
}

function valuesOf(setting: SettingText, name: string): AxisValue[] {
  const texts = splitAtCommas(setting.text).map((text) => text.trim());
  const empty = texts.indexOf("");
  if (empty !== -1) {
    const found = texts.length === 1 ? "no value" : `an empty value (number ${empty + 1} of ${texts.length})`;
    throw refused(`${OPTION} ${name}`, found, `values with commas between them, as in ${EXAMPLE}`);
  }
  const values = texts.map((text) => ({ text, value: readSetting({ ...setting, text }).value }));
  const written = values.map(({ value }) => JSON.stringify(value));
  const twice = written.findIndex((each, index) => written.indexOf(each) < index);
  if (twice !== -1) throw refused(`${OPTION} ${name}`, `${texts[twice]} twice`, "every value once");
  return values;
}

/** Commas within quotes, brackets and braces belong to a value, as in YAML. */
function splitAtCommas(text: string): string[] {
  const parts = [""];
  let depth = 0;
  let quote = "";
  for (const letter of text) {
    if (letter === "," && depth === 0 && quote === "") {
      parts.push("");
      continue;
    }
    const part = parts.at(-1)!;
    if (quote !== "") {
      const isEscaped = quote === '"' && part.endsWith("\\");
      if (letter === quote && !isEscaped) quote = "";
    } else if (letter === '"' || letter === "'") {
      // Within a plain word an apostrophe is one.
      if (depth > 0 || part.trim() === "") quote = letter;
    } else if ("[{".includes(letter)) depth += 1;
    else if ("]}".includes(letter)) depth -= 1;
    parts[parts.length - 1] = part + letter;
  }
  return parts;
}

function isWithin(path: readonly string[], outer: readonly string[]): boolean {
  return outer.every((key, index) => path[index] === key);
}

function refused(where: string, found: string, allowed: string): Error {
  return inputError(`${where}: found ${found}; allowed: ${allowed}`, { path: where, found, allowed });
}
