// The step of the calibration that fits the constants of kernels. They are fitted in groups, one after the other, each
// to the figures that depend on it and on the groups before.

import { defined, PICOSECONDS_PER_MICROSECOND, PICOSECONDS_PER_SECOND } from "@windtunnel/base";
import { HARDWARE_PROFILES, type HardwareProfile } from "../hardware-profile.ts";
import { HOPPER_KERNELS, type KernelRates } from "../kernel-rates.ts";
import { kernelTime } from "../kernel-time.ts";
import {
  type CalibrationRow,
  type CalibrationStep,
  type FittedConstant,
  rounded,
} from "./calibration-step.ts";
import { kernelFigures, type KernelFigure } from "./kernel-figures.ts";
import { minimise } from "./minimise.ts";

interface Group {
  /** Where the search begins: round numbers of the right size. */
  readonly guess: Partial<KernelRates>;
  readonly families: readonly string[];
}

const GROUPS: readonly Group[] = [
  {
    guess: { overheadUs: 2, tensor: 0.75, memory: 0.8, operandBytesPerSecondPerSm: 100e9, tileUs: 1.5 },
    families: [
      "dense",
      "deepgemm-dense",
      "deepgemm-contiguous",
      "deepgemm-masked",
      "grouped-decode",
      "grouped-prefill",
      "trace-copies",
    ],
  },
  { guess: { streaming: 0.7, rowUs: 2 }, families: ["trace-streaming", "trace-rows"] },
  { guess: { casting: 0.6 }, families: ["trace-casts"] },
  { guess: { indexUsPerRow: 0.01 }, families: ["trace-index"] },
  {
    guess: { absorbedUs: 15, absorbedExtraPositions: 300, absorbedTensor: 0.6 },
    families: ["mla-decode"],
  },
  { guess: { expandedTensor: 0.6, expandedTileUs: 1 }, families: ["mla-prefill", "trace-attention"] },
];

/** A simplex may collapse early; each search begins anew where the one before ended. */
const SEARCHES = 3;
const ITERATIONS = 300;

export const kernelStep: CalibrationStep = {
  name: "kernels",
  fit() {
    const figures = kernelFigures();
    let rates: Partial<KernelRates> = {};
    const constants: Record<string, FittedConstant> = {};
    for (const group of GROUPS) {
      const found = fitGroup(group, rates, figures);
      rates = { ...rates, ...found };
      for (const [name, value] of Object.entries(found))
        constants[name] = { value, fittedTo: group.families };
    }
    return { constants, rows: rowsUnder(rates as KernelRates, figures) };
  },
};

/** Every published kernel of the calibration beside what the cost model says with the constants at hand. */
export function kernelCalibrationRows(): CalibrationRow[] {
  return rowsUnder(HOPPER_KERNELS, kernelFigures());
}

/**
 * The group's constants with the least loss. A figure's loss grows as the square of its relative error below its
 * tolerance and in proportion above, so that figures which contradict the others do not decide.
 */
function fitGroup({ guess, families }: Group, before: Partial<KernelRates>, all: readonly KernelFigure[]) {
  const figures = all.filter(({ family, fitted }) => fitted && families.includes(family));
  const named = Object.entries(guess);
  /** Points are multiples of the guess, so that all axes have one scale. */
  const ratesAt = (point: readonly number[]): Partial<KernelRates> =>
    Object.fromEntries(named.map(([name, value], axis) => [name, value * point[axis]!]));
  const lossAt = (point: readonly number[]): number => {
    const profile = profileWith({ ...before, ...ratesAt(point) } as KernelRates);
    return figures.reduce((sum, figure) => {
      const error = (modelled(figure, profile) / figure.published - 1) / figure.tolerance;
      return sum + Math.sqrt(1 + error * error) - 1;
    }, 0);
  };
  let point: readonly number[] = named.map(() => 1);
  for (let search = 0; search < SEARCHES; search++) {
    point = minimise(lossAt, { start: point, iterations: ITERATIONS });
  }
  const found = Object.entries(ratesAt(point)).map(([name, value]) => [name, rounded(value)]);
  return Object.fromEntries(found) as Record<string, number>;
}

function rowsUnder(rates: KernelRates, figures: readonly KernelFigure[]): CalibrationRow[] {
  const profile = profileWith(rates);
  return figures.map((figure) => {
    const { id, family, quantity, configuration, published, unit, source, fitted } = figure;
    const ours = modelled(figure, profile);
    return { id, family, quantity, configuration, published, ours, unit, source, fitted };
  });
}

function profileWith(kernels: KernelRates): HardwareProfile {
  return { ...defined(HARDWARE_PROFILES.get("h800"), "h800"), kernels };
}

function modelled({ cost, sms, unit }: KernelFigure, profile: HardwareProfile): number {
  const time = kernelTime({ cost, sms, profile });
  return unit === "us"
    ? time / PICOSECONDS_PER_MICROSECOND
    : cost.flops / (time / PICOSECONDS_PER_SECOND) / 1e12;
}
