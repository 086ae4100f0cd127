// The steps of the calibration, in their order, and the file that they fill.

import type { CalibrationStep, FittedConstant } from "./calibration-step.ts";
import { kernelStep } from "./kernel-step.ts";

export const CALIBRATION_STEPS: readonly CalibrationStep[] = [kernelStep];

interface StepConstants {
  readonly name: string;
  readonly constants: Readonly<Record<string, FittedConstant>>;
}

/** What stands in `constants.json`. */
export function constantsFile(results: readonly StepConstants[]): Readonly<Record<string, unknown>> {
  return {
    writtenBy: "npm run calibrate",
    ...Object.fromEntries(results.map(({ name, constants }) => [name, constants])),
  };
}
