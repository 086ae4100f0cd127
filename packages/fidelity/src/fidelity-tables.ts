// The three tables, which never mix: calibration, identity, prediction. Parts are computed one by one, so that a caller
// can say how far it is, or ask for one alone.

import { inputError } from "@windtunnel/base";
import { calibrationParts } from "./calibration-parts.ts";
import { identityParts } from "./identity/identity-parts.ts";
import {
  GATES,
  NOISE_FLOOR,
  NOT_YET_PREDICTED,
  type PredictionSummary,
  predictionParts,
  STEP_GATES,
  summarizePredictions,
  TO_BEAT,
} from "./prediction-parts.ts";
import type { FidelityRow, RowPart, TableName } from "./row.ts";

export interface ComputedPart extends Omit<RowPart, "rows"> {
  readonly rows: readonly FidelityRow[];
}

export interface FidelityTables {
  readonly tables: Readonly<Record<TableName, readonly ComputedPart[]>>;
  /** Null where not all predictions were computed. */
  readonly summary: PredictionSummary | null;
}

export interface FidelityOptions {
  /** The part of this name alone. */
  readonly only?: string | undefined;
  /** Hears of every part before it is computed. */
  readonly onPart?: (part: RowPart, index: number, count: number) => void;
}

export function fidelityParts(): readonly RowPart[] {
  return [...calibrationParts(), ...identityParts(), ...predictionParts()];
}

/** Rejects with an input error for a part that there is not. */
export async function computeFidelity({ only, onPart }: FidelityOptions = {}): Promise<FidelityTables> {
  const all = fidelityParts();
  const parts = only === undefined ? all : all.filter(({ id }) => id.toLowerCase() === only.toLowerCase());
  if (parts.length === 0) {
    const allowed = all.map(({ id }) => id).join(", ");
    throw inputError(`no part of the tables is called ${only}; allowed: ${allowed}`, {
      path: "--only",
      found: only,
      allowed,
    });
  }
  const computed: ComputedPart[] = [];
  for (const [index, part] of parts.entries()) {
    onPart?.(part, index, parts.length);
    computed.push({ ...part, rows: await part.rows() });
  }
  const of = (table: TableName): ComputedPart[] => computed.filter((part) => part.table === table);
  const tables = { calibration: of("calibration"), identity: of("identity"), prediction: of("prediction") };
  const predicted = tables.prediction.flatMap(({ rows }) => rows);
  return { tables, summary: only === undefined ? summarizePredictions(predicted) : null };
}

/** For machines: rows with the part that they belong to. Relative errors are fractions. */
export function fidelityData({ tables, summary }: FidelityTables): object {
  const rowsOf = (parts: readonly ComputedPart[]): object[] =>
    parts.flatMap(({ id, section, title, command, rows }) => {
      return rows.map((row) => ({ id, section, title, command, ...row }));
    });
  return {
    schema: "windtunnel/fidelity@1",
    calibration: rowsOf(tables.calibration),
    identity: rowsOf(tables.identity),
    prediction: rowsOf(tables.prediction),
    summary,
    gates: GATES,
    stepGates: STEP_GATES,
    noiseFloor: NOISE_FLOOR,
    toBeat: TO_BEAT,
    notYetPredicted: NOT_YET_PREDICTED,
  };
}
