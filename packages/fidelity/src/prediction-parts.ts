// The prediction table: published all-to-alls that nothing was fitted to, the gates they stand under, and the figures
// that this version can't predict yet.

import { exchangePart } from "./exchange-rows.ts";
import { PREDICTION_EXCHANGES } from "./published-exchanges.ts";
import type { FidelityRow, RowPart } from "./row.ts";

export function predictionParts(): RowPart[] {
  return PREDICTION_EXCHANGES.map((exchange) => exchangePart("prediction", exchange));
}

/** Relative errors of dispatch and combine, by size. */
export const GATES = { median: 0.06, worst: 0.15 } as const;
/** Two teams that repeat the same test differ by this much. */
export const NOISE_FLOOR: readonly [number, number] = [0.03, 0.05];
/** InferSim, a closed-form predictor: its mean errors on low-latency dispatch and combine over EP16 to EP256. */
export const TO_BEAT = { dispatch: 0.158, combine: 0.244 } as const;

export const NOT_YET_PREDICTED: readonly { readonly id: string; readonly quantity: string }[] = [
  { id: "P8", quantity: "decode, one layer, both micro-batches: 1.422 ms" },
  { id: "P9", quantity: "decode, 61 layers: 87.3 ms" },
  { id: "P11", quantity: "prefill, one layer: 34.63 ms for 16,384 tokens" },
  { id: "P12", quantity: "prefill throughput: 7,839 tokens/s per GPU" },
  { id: "P13", quantity: "decode throughput: 2,324 tokens/s per GPU" },
  { id: "P20", quantity: "day-6 decode: 14.8k tokens/s per node" },
  { id: "P21", quantity: "day-6 prefill: 73.7k tokens/s per node" },
];

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
}

/** Of a prediction table's gated rows. */
export function summarizePredictions(rows: readonly FidelityRow[]): PredictionSummary {
  const gated = rows.filter(({ judged }) => judged === "gated");
  const of = (phase: string): ErrorSummary =>
    summarize(gated.filter(({ quantity }) => quantity.startsWith(phase)));
  return { dispatch: of("dispatch"), combine: of("combine"), together: summarize(gated) };
}

function summarize(rows: readonly FidelityRow[]): ErrorSummary {
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
    meetsGates: median <= GATES.median && worst <= GATES.worst,
  };
}
