// The points of a sweep: every combination of the values of several options, in the order in which they were typed, the
// last one changing first. Several patterns are the last of them, so that they stand side by side.

import { InvalidArgumentError } from "commander";
import { inputError } from "@windtunnel/base";
import { flagOf, OPTION_NAMES, type OptionName, readValue, type TypedOptions } from "./typed-options.ts";

export interface Axis {
  readonly name: OptionName;
  readonly values: readonly AxisValue[];
}

interface AxisValue {
  /** As it was typed. */
  readonly text: string;
  readonly value: unknown;
}

export interface GridPoint {
  readonly typed: TypedOptions;
  /** The values of the axes, as they were typed, in their order. */
  readonly place: readonly string[];
}

/** `sweeps` are `ranks=8,16` as after `--sweep`; `fixed` were typed with one value. Throws input errors. */
export function axesOf(
  sweeps: readonly string[],
  patterns: readonly string[],
  fixed: TypedOptions,
  nearest: (name: string, names: readonly string[]) => string | undefined,
): Axis[] {
  const axes = sweeps.map((sweep) => readSweep(sweep, nearest));
  const names = axes.map(({ name }) => name);
  const twice = names.find((name, index) => names.indexOf(name) < index || Object.hasOwn(fixed, name));
  if (twice !== undefined) refuse(twice, `${flagOf(twice)} once, or one --sweep of it`);
  if (patterns.length > 0 && names.includes("pattern")) {
    refuse("pattern", "--pattern with several patterns, or one --sweep of it");
  }
  return patterns.length > 1 ? [...axes, axisOf("pattern", patterns)] : axes;
}

function readSweep(
  sweep: string,
  nearest: (name: string, names: readonly string[]) => string | undefined,
): Axis {
  const [left = "", ...rest] = sweep.split("=");
  // `nodes-per-leaf` as it is typed elsewhere, or `nodesPerLeaf`.
  const typed = left.replace(/^--/, "");
  const name = OPTION_NAMES.find((each) => flagOf(each) === `--${typed}` || each === typed);
  if (name === undefined || rest.length !== 1) {
    const flags = OPTION_NAMES.map((each) => flagOf(each).slice(2));
    const hint = name === undefined ? nearest(typed, flags) : flagOf(name).slice(2);
    const allowed = `OPTION=VALUE,VALUE,… of ${hint === undefined ? flags.join(", ") : `an option, such as ${hint}=…`}`;
    throw inputError(`--sweep: found ${sweep}; allowed: ${allowed}`, {
      path: "--sweep",
      found: sweep,
      allowed,
    });
  }
  return axisOf(name, rest[0]!.split(","));
}

function axisOf(name: OptionName, texts: readonly string[]): Axis {
  return { name, values: texts.map((text) => ({ text, value: read(name, text) })) };
}

function read(name: OptionName, text: string): unknown {
  try {
    return readValue(name, text);
  } catch (error) {
    if (!(error instanceof InvalidArgumentError)) throw error;
    throw inputError(`--sweep ${flagOf(name).slice(2)}: ${error.message}`, { path: "--sweep" });
  }
}

export function pointsOf(axes: readonly Axis[], fixed: TypedOptions): GridPoint[] {
  let points: GridPoint[] = [{ typed: fixed, place: [] }];
  for (const { name, values } of axes) {
    points = points.flatMap(({ typed, place }) =>
      values.map(({ text, value }) => ({ typed: { ...typed, [name]: value }, place: [...place, text] })),
    );
  }
  return points;
}

function refuse(name: OptionName, allowed: string): never {
  const path = flagOf(name);
  throw inputError(`${path}: found twice; allowed: ${allowed}`, { path, found: "twice", allowed });
}
