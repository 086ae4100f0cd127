// The prediction table: published all-to-alls, layers and steps that nothing was fitted to, the gates they stand under, and
// the figures that this version can't predict yet.

import { exchangePart } from "./exchange-rows.ts";
import { PREDICTION_EXCHANGES } from "./published-exchanges.ts";
import type { FidelityRow, RowPart } from "./row.ts";
import { stepParts } from "./steps/step-rows.ts";

export function predictionParts(): RowPart[] {
  return [...PREDICTION_EXCHANGES.map((exchange) => exchangePart("prediction", exchange)), ...stepParts()];
}

/** Relative errors of dispatch and combine, by size. */
export const GATES: Gates = { median: 0.06, worst: 0.15 };
/** Relative errors of layers and steps, by size. */
export const STEP_GATES: Gates = { median: 0.1, worst: 0.15 };
/** Two teams that repeat the same test differ by this much. */
export const NOISE_FLOOR: readonly [number, number] = [0.03, 0.05];
/** InferSim, a closed-form predictor: its mean errors on low-latency dispatch and combine over EP16 to EP256. */
export const TO_BEAT = { dispatch: 0.158, combine: 0.244 } as const;

export const NOT_YET_PREDICTED: readonly { readonly id: string; readonly quantity: string }[] = [
  { id: "P20", quantity: "day-6 decode: 14.8k tokens/s per node" },
  { id: "P21", quantity: "day-6 prefill: 73.7k tokens/s per node" },
];

export interface Gates {
  readonly median: number;
  readonly worst: number;
}

export interface ErrorSummary {
  readonly rows: number;
  /** Of the errors' sizes. */
  readonly median: number;
  readonly worst: number;
  readonly mean: number;
  readonly meetsGates: boolean;
}

export interface PredictionSummary {
  readonly dispatch: ErrorSummary;
  readonly combine: ErrorSummary;
  readonly together: ErrorSummary;
  /** Layers and steps. */
  readonly steps: ErrorSummary;
}

/** Of a prediction table's gated rows. */
export function summarizePredictions(rows: readonly FidelityRow[]): PredictionSummary {
  const gated = rows.filter(({ judged }) => judged === "gated");
  const rowsOf = (phase: string): FidelityRow[] => gated.filter(({ quantity }) => quantity.startsWith(phase));
  const [dispatch, combine] = [rowsOf("dispatch"), rowsOf("combine")];
  const exchanges = new Set([...dispatch, ...combine]);
  return {
    dispatch: summarize(dispatch, GATES),
    combine: summarize(combine, GATES),
    together: summarize([...exchanges], GATES),
    steps: summarize(
      gated.filter((row) => !exchanges.has(row)),
      STEP_GATES,
    ),
  };
}

function summarize(rows: readonly FidelityRow[], gates: Gates): ErrorSummary {
  const sizes = rows.map(({ error }) => Math.abs(error ?? 0)).toSorted((a, b) => a - b);
  const middle = (sizes.length - 1) / 2;
  const median = ((sizes[Math.floor(middle)] ?? 0) + (sizes[Math.ceil(middle)] ?? 0)) / 2;
  const worst = sizes.at(-1) ?? 0;
  const mean = sizes.reduce((sum, size) => sum + size, 0) / Math.max(1, sizes.length);
  return {
    rows: rows.length,
    median,
    worst,
    mean,
    meetsGates: median <= gates.median && worst <= gates.worst,
  };
}
