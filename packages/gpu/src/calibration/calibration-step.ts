// What a step of the calibration gives: constants that name the figures behind them, and how well they meet those.

export interface CalibrationRow {
  readonly id: string;
  /** The figures of one publication and one kind of kernel. */
  readonly family: string;
  readonly quantity: string;
  readonly configuration: string;
  readonly published: number;
  readonly ours: number;
  readonly unit: "us" | "TFLOPS";
  readonly source: string;
  /** False: shown beside the others, and no constant was fitted to it. */
  readonly fitted: boolean;
}

export interface FittedConstant {
  readonly value: number;
  /** Families of figures that it was fitted to. */
  readonly fittedTo: readonly string[];
}

export interface CalibrationStep {
  /** The name of the constants in `constants.json`. */
  readonly name: string;
  /** Fits from the figures alone; the constants at hand play no part. */
  fit(): {
    readonly constants: Readonly<Record<string, FittedConstant>>;
    readonly rows: readonly CalibrationRow[];
  };
}

/** Constants are kept to four digits, far below the noise of the figures. */
export function rounded(value: number): number {
  return Number(value.toPrecision(4));
}
