// A sweep before anything runs: its points in the order of the grid, each with its scenario, checked as a run would check
// it. All points are looked at, so that one message names every point that can't be run.

import { WorldError } from "@windtunnel/base";
import { prepareRun } from "../prepare-run.ts";
import { formatPlacement, loadScenario, type Scenario } from "../scenario/index.ts";
import { parseSetting } from "../scenario/set-field.ts";
import { type AxisValue, describePlace, gridOf, parseAxes, type SweepAxis } from "./axes.ts";
import { createKeys } from "./point-key.ts";

export interface SweepPoint {
  /** The values of the axes, in their order. */
  readonly place: readonly AxisValue[];
  /** Runs inline: a sweep spreads points over threads, not parts of one. */
  readonly scenario: Scenario;
  readonly key: string;
}

export interface SweepPlan {
  readonly name: string;
  readonly axes: readonly SweepAxis[];
  /** The first axis changes slowest. */
  readonly points: readonly SweepPoint[];
  /** A placement that the scenario asks for and does not get. */
  readonly placementPassedOver: string | undefined;
}

export interface SweepRequest {
  readonly file: string;
  /** `path=value` as after `--set`, for all points. */
  readonly settings: readonly string[];
  /** `path=value,value` as after `--over`. */
  readonly over: readonly string[];
  /** Called before each point is checked; all of them can take seconds. */
  readonly onCheck?: (index: number, pointCount: number, place: string) => void;
}

interface WrongPoint {
  readonly place: string;
  readonly error: WorldError;
}

/** After so many wrong points nobody needs to hear of more. */
const MOST_WRONG = 64;

/** Throws one input error for all points that can't be run. */
export function planSweep({ file, settings, over, onCheck }: SweepRequest): SweepPlan {
  const axes = parseAxes(over, settings);
  const places = gridOf(axes);
  const keyOf = createKeys();
  const forAll = settings.map(parseSetting);
  const points: SweepPoint[] = [];
  const wrong: WrongPoint[] = [];
  let asked: Scenario["placement"] = { kind: "inline" };
  let name = "";
  for (const [index, place] of places.entries()) {
    onCheck?.(index, places.length, describePlace(axes, place));
    const swept = axes.map(({ path }, axis) => ({ path, value: place[axis]!.value, option: "--over" }));
    try {
      const loaded = loadScenario(file, [...forAll, ...swept]);
      ({ placement: asked, name } = loaded);
      const scenario: Scenario = { ...loaded, placement: { kind: "inline" } };
      prepareRun(scenario);
      points.push({ place, scenario, key: keyOf(scenario) });
    } catch (error) {
      if (!(error instanceof WorldError)) throw error;
      wrong.push({ place: describePlace(axes, place), error });
      if (wrong.length === MOST_WRONG) throw wrongPoints(wrong, index + 1, places.length);
    }
  }
  if (wrong.length > 0) throw wrongPoints(wrong, places.length, places.length);
  const placementPassedOver = asked.kind === "inline" ? undefined : formatPlacement(asked);
  return { name, axes, points, placementPassedOver };
}

const MOST_SHOWN = 8;

/** Points that are wrong for the same reason are told together; what is wrong everywhere is no point's fault. */
function wrongPoints(wrong: readonly WrongPoint[], checkedCount: number, pointCount: number): WorldError {
  const byMessage = new Map<string, WrongPoint[]>();
  for (const each of wrong) {
    const message = wholeMessage(each.error);
    byMessage.set(message, [...(byMessage.get(message) ?? []), each]);
  }
  const [first] = wrong;
  const { code, message, details } = first!.error;
  if (byMessage.size === 1 && wrong.length === checkedCount) return new WorldError(code, message, details);
  const lines = [...byMessage].slice(0, MOST_SHOWN).flatMap(([text, [one, ...others]]) => {
    const more = others.length === 0 ? "" : `, and ${others.length} more for the same reason`;
    return [`  ${one!.place}${more}:`, ...text.split("\n").map((line) => `    ${line}`)];
  });
  if (byMessage.size > MOST_SHOWN) lines.push(`  … and ${byMessage.size - MOST_SHOWN} other reasons`);
  const checked =
    checkedCount === pointCount ? `${pointCount}` : `the first ${checkedCount} of ${pointCount}`;
  const points = wrong.map(({ place, error }) => ({
    point: place,
    message: error.message,
    ...error.details,
  }));
  return new WorldError(
    code,
    `${wrong.length} of ${checked} points can't be run, and none was:\n${lines.join("\n")}`,
    { points },
  );
}

/** With the field, what was found and what is allowed where the message does not say so itself. */
function wholeMessage({ message, details }: WorldError): string {
  const said = (["path", "found", "allowed"] as const).flatMap((key) => {
    const value = details[key];
    if (value === undefined) return [];
    const text = typeof value === "string" ? value : JSON.stringify(value);
    return message.includes(text) ? [] : [`${key}: ${text}`];
  });
  return [message, ...said].join("\n");
}
