// What became of the time of two runs' steps, as tables: step by step, by cause, and communication before and after.
// Invariant: times by cause are rounded so that rows and columns of their table add up.

import { type KindDifference, STEP_CAUSES, type StepDifference } from "@windtunnel/trace";
import type { Colours } from "../screen.ts";
import { CAUSE_LABELS } from "./cause-labels.ts";
import { formatFraction, formatMicroseconds } from "./format.ts";
import { renderSection } from "./table.ts";

const STEPS_SHOWN = 12;
/** The part of a step from which on a rank that is waited for is named. */
const WORTH_NAMING = 0.001;
/** What is shown for nothing, so that the rest stands out. */
export const NO_CHANGE = "·";
const NOISE_PART = 1e-3;
const NOISE_US = 1e-3;

export function renderSteps(steps: readonly StepDifference[], colours: Colours): string {
  const largest = new Set(
    steps.toSorted((a, b) => Math.abs(b.changePs) - Math.abs(a.changePs)).slice(0, STEPS_SHOWN),
  );
  const rows = steps
    .filter((step) => largest.has(step))
    .map((step) => [
      `${step.kind} ${step.before === step.after ? step.before : `${step.before}, ${step.after}`}`,
      formatMicroseconds(step.beforePs / 1e6),
      formatMicroseconds(step.afterPs / 1e6),
      formatChange(step.changePs / 1e6, step.beforePs / 1e6),
      formatPercent(step.changePs / step.beforePs),
      mostOf(step),
    ]);
  const rest = steps.length - rows.length;
  const table = renderSection(
    "Steps",
    {
      head: ["step", "before", "after", "change", "", "most of it"],
      aligns: ["left", "right", "right", "right", "right", "left"],
      rows,
    },
    colours,
  );
  return rest === 0 ? table : `${table}\n  and ${rest} more, that changed less`;
}

/** The cause that changed most in the direction of the step. */
function mostOf({ byCause, beforePs, changePs }: StepDifference): string {
  if (isNoise(changePs / 1e6, beforePs / 1e6)) return NO_CHANGE;
  const sign = Math.sign(changePs);
  const [cause] = STEP_CAUSES.toSorted((a, b) => sign * (byCause[b].changePs - byCause[a].changePs));
  return CAUSE_LABELS[cause!];
}

/** Picoseconds of the last digit that is shown, and how it is. */
function unitOf(ps: number): { readonly ps: number; readonly format: (units: number) => string } {
  const isLong = ps >= 1e9;
  return {
    ps: isLong ? 1e6 : 1e3,
    format: (units) => `${(units / 1e3).toFixed(3)} ${isLong ? "ms" : "µs"}`,
  };
}

/** Integers of units that add up to `total`: those with the largest remainders are rounded up. */
function inUnits(values: readonly number[], total: number): number[] {
  const floors = values.map(Math.floor);
  const rest = Math.round(total) - floors.reduce((sum, value) => sum + value, 0);
  const order = values.map((value, index) => ({ index, remainder: value - floors[index]! }));
  order.sort((a, b) => b.remainder - a.remainder);
  const raised = new Set(order.slice(0, rest).map(({ index }) => index));
  return floors.map((value, index) => value + (raised.has(index) ? 1 : 0));
}

export function renderCauses(difference: KindDifference, colours: Colours): string {
  const { kind, steps, byCause, beforePs, afterPs, waitedFor } = difference;
  const unit = unitOf(Math.max(beforePs, afterPs));
  const sideOf = (side: "beforePs" | "afterPs"): number[] =>
    inUnits(
      STEP_CAUSES.map((cause) => byCause[cause][side] / unit.ps),
      difference[side] / unit.ps,
    );
  const [before, after] = [sideOf("beforePs"), sideOf("afterPs")];
  const row = (label: string, a: number, b: number): string[] => [
    label,
    a === 0 ? NO_CHANGE : unit.format(a),
    b === 0 ? NO_CHANGE : unit.format(b),
    a === b ? NO_CHANGE : `${b > a ? "+" : ""}${unit.format(b - a)}`,
  ];
  const rows = STEP_CAUSES.flatMap((cause, i) => {
    return before[i] === 0 && after[i] === 0 ? [] : [row(CAUSE_LABELS[cause], before[i]!, after[i]!)];
  });
  rows.push(
    row("step", Math.round(beforePs / unit.ps), Math.round(afterPs / unit.ps)).map((cell) =>
      colours.bold(cell),
    ),
  );
  const table = renderSection(
    `What the time of ${stepsOf(kind, steps)} went into, mean over ranks${steps > 1 ? " and steps" : ""}`,
    { head: ["cause", "before", "after", "change"], aligns: ["left", "right", "right", "right"], rows },
    colours,
  );
  if (waitedFor === null) return table;
  const { rank, beforeUs, afterUs } = waitedFor;
  if (Math.abs(afterUs - beforeUs) * 1e6 < WORTH_NAMING * beforePs) return table;
  const times = `${formatMicroseconds(beforeUs)} before, ${formatMicroseconds(afterUs)} after`;
  return `${table}\n\n  waiting for rank ${rank}: ${times}`;
}

export function renderCommunication(
  { kind, steps, communication }: KindDifference,
  colours: Colours,
): string {
  const { before, after } = communication;
  const times = [
    ["in the network", "totalUs"],
    ["hidden under compute", "hiddenUs"],
    ["exposed", "exposedUs"],
    ["waiting for others", "waitUs"],
    ["exposed waiting", "exposedWaitUs"],
  ] as const;
  const rows = times.map(([label, field]) => [
    label,
    formatMicroseconds(before[field]),
    formatMicroseconds(after[field]),
    formatChange(after[field] - before[field], Math.max(before[field], after[field])),
  ]);
  rows.splice(3, 0, [
    "hidden part",
    formatFraction(before.hiddenFraction),
    formatFraction(after.hiddenFraction),
    pointsOf(before.hiddenFraction, after.hiddenFraction),
  ]);
  return renderSection(
    `Communication in ${stepsOf(kind, steps)}, mean over ranks${steps > 1 ? " and steps" : ""}`,
    { head: ["", "before", "after", "change"], aligns: ["left", "right", "right", "right"], rows },
    colours,
  );
}

export function stepsOf(kind: string, count: number): string {
  return count === 1 ? `the ${kind} step` : `${count} ${kind} steps`;
}

/** Below a thousandth of what it is a change of, and below a nanosecond. */
export function isNoise(changeUs: number, ofUs: number): boolean {
  const size = Math.abs(changeUs);
  return size === 0 || (size < NOISE_PART * Math.abs(ofUs) && size < NOISE_US);
}

/** +1.23 ms, -45.6 µs, +21 ps; nothing where that is noise in `ofUs`. */
export function formatChange(us: number, ofUs: number): string {
  if (isNoise(us, ofUs)) return NO_CHANGE;
  const sign = us > 0 ? "+" : "-";
  if (Math.abs(us) >= 1e-3) return `${sign}${formatMicroseconds(Math.abs(us))}`;
  const ps = Math.round(Math.abs(us) * 1e6);
  return ps === 0 ? `${sign}<1 ps` : `${sign}${ps} ps`;
}

function formatPercent(fraction: number): string {
  const percent = (100 * fraction).toFixed(1);
  return Number(percent) === 0 ? "0.0 %" : `${fraction > 0 ? "+" : ""}${percent} %`;
}

/** Percentages differ by points. */
function pointsOf(before: number | null, after: number | null): string {
  if (before === null || after === null) return NO_CHANGE;
  const points = (100 * (after - before)).toFixed(1);
  if (Number(points) === 0) return NO_CHANGE;
  return `${after > before ? "+" : ""}${points} points`;
}
