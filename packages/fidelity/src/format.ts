// Rows and summaries as people read them, in the document and on the screen alike.

import {
  type ErrorSummary,
  GATES,
  type Gates,
  NOISE_FLOOR,
  type PredictionSummary,
  STEP_GATES,
  TO_BEAT,
} from "./prediction-parts.ts";
import type { FidelityRow } from "./row.ts";

export function publishedText({ published, unit }: FidelityRow): string {
  return typeof published === "string" ? published : withUnit(grouped(String(published)), unit);
}

export function oursText({ ours, decimals, unit }: FidelityRow): string {
  return typeof ours === "string" ? ours : withUnit(grouped(ours.toFixed(decimals)), unit);
}

/** "exact", or how far ours is off. */
export function errorText({ error, isExact, judged }: FidelityRow): string {
  if (isExact === true) return "exact";
  if (error === null) return "differs";
  if (isExact === false) return `differs, ${signedPercent(error)}`;
  return judged === "shown" ? `${signedPercent(error)} (shown)` : signedPercent(error);
}

export function percent(fraction: number): string {
  return `${(100 * fraction).toFixed(1)} %`;
}

function signedPercent(fraction: number): string {
  const text = percent(fraction);
  if (text === "-0.0 %") return "0.0 %";
  return fraction > 0 && text !== "0.0 %" ? `+${text}` : text;
}

/** 70272 as 70,272. */
function grouped(text: string): string {
  const [whole = "", ...fraction] = text.split(".");
  return [whole.replaceAll(/\B(?=(?:\d{3})+$)/g, ","), ...fraction].join(".");
}

function withUnit(text: string, unit: string): string {
  return unit === "" ? text : `${text} ${unit}`;
}

/** What the summary's errors are measured by. */
export const CONTEXT: string = contextOf(NOISE_FLOOR);

function contextOf([least, most]: typeof NOISE_FLOOR): string {
  return (
    `Gates: dispatch and combine ${gatesText(GATES)}; layers and steps ${gatesText(STEP_GATES)}. Noise floor: two teams that repeat the same ` +
    `test differ by ${100 * least} to ${100 * most} %. The closed-form predictor to beat (InferSim, low latency over EP16 to ` +
    `EP256) errs by ${percent(TO_BEAT.dispatch)} on dispatch and ${percent(TO_BEAT.combine)} on combine, on average.`
  );
}

function gatesText({ median, worst }: Gates): string {
  return `${percent(median)} at the median, ${percent(worst)} at worst`;
}

/** A line for dispatch, for combine, for both, for layers and steps, and what they are measured by. */
export function summaryLines({ dispatch, combine, together, steps }: PredictionSummary): string[] {
  const line = (name: string, { rows, median, worst, mean, meetsGates }: ErrorSummary): string =>
    `${name}: ${rows} rows, error ${percent(median)} at the median, ${percent(worst)} at worst, ${percent(mean)} on average: ` +
    `the gates are ${meetsGates ? "met" : "missed"}`;
  return [
    line("dispatch", dispatch),
    line("combine", combine),
    line("both", together),
    line("layers and steps", steps),
    CONTEXT,
  ];
}
