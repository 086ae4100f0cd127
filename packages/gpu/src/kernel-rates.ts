// How well kernels use a GPU, as data: shares of its peaks, and times that no peak explains. The constants are fitted to
// published kernels on H800 by `npm run calibrate`; other GPUs have their own peaks and take these.

import { z } from "zod";
import constants from "./calibration/constants.json" with { type: "json" };

export interface KernelRates {
  /** Start and end of a kernel on the GPU, in microseconds. */
  readonly overheadUs: number;
  /** Matrix products: share of the tensor cores' peak in the main loop of a tile. */
  readonly tensor: number;
  /** Matrix products, attention cores and copies: share of the HBM bandwidth. */
  readonly memory: number;
  /** Bytes of operands that an SM takes in a second, from L2 at best: bounds tiles of few rows or columns. */
  readonly operandBytesPerSecondPerSm: number;
  /** Fixed time of a tile on its SM, to fill the pipeline and to write the result, in microseconds. */
  readonly tileUs: number;
  /** Elementwise kernels (activations, gathered and summed rows): share of the HBM bandwidth. */
  readonly streaming: number;
  /** Casts to FP8 with a scale for every 128 values: share of the HBM bandwidth. */
  readonly casting: number;
  /** Kernels that reduce each row on its own (norms, top-k): time that a row takes of an SM, in microseconds. */
  readonly rowUs: number;
  /** Before a grouped product over tokens: time that the places of its rows take, for each row, in microseconds. */
  readonly indexUsPerRow: number;
  /** Absorbed attention core: start, split over SMs and sum of the parts, in microseconds. */
  readonly absorbedUs: number;
  /** Absorbed attention core: what a request costs beside its context, in positions. */
  readonly absorbedExtraPositions: number;
  /** Absorbed attention core: share of the tensor cores' BF16 peak. */
  readonly absorbedTensor: number;
  /** Expanded attention core: share of the tensor cores' BF16 peak. */
  readonly expandedTensor: number;
  /** Expanded attention core: fixed time of 128 query rows of a head on their SM, in microseconds. */
  readonly expandedTileUs: number;
}

function fitted(name: keyof KernelRates): number {
  return constants.kernels[name].value;
}

/** Fitted to H800; `calibration/constants.json` names the figures behind each. */
export const HOPPER_KERNELS: KernelRates = {
  overheadUs: fitted("overheadUs"),
  tensor: fitted("tensor"),
  memory: fitted("memory"),
  operandBytesPerSecondPerSm: fitted("operandBytesPerSecondPerSm"),
  tileUs: fitted("tileUs"),
  streaming: fitted("streaming"),
  casting: fitted("casting"),
  rowUs: fitted("rowUs"),
  indexUsPerRow: fitted("indexUsPerRow"),
  absorbedUs: fitted("absorbedUs"),
  absorbedExtraPositions: fitted("absorbedExtraPositions"),
  absorbedTensor: fitted("absorbedTensor"),
  expandedTensor: fitted("expandedTensor"),
  expandedTileUs: fitted("expandedTileUs"),
};

const amount = (name: keyof KernelRates) => z.number().positive().default(HOPPER_KERNELS[name]);
const fraction = (name: keyof KernelRates) => z.number().positive().max(1).default(HOPPER_KERNELS[name]);

export const kernelRatesSchema: z.ZodType<KernelRates> = z
  .strictObject({
    overheadUs: amount("overheadUs"),
    tensor: fraction("tensor"),
    memory: fraction("memory"),
    operandBytesPerSecondPerSm: amount("operandBytesPerSecondPerSm"),
    tileUs: amount("tileUs"),
    streaming: fraction("streaming"),
    casting: fraction("casting"),
    rowUs: amount("rowUs"),
    indexUsPerRow: amount("indexUsPerRow"),
    absorbedUs: amount("absorbedUs"),
    absorbedExtraPositions: amount("absorbedExtraPositions"),
    absorbedTensor: fraction("absorbedTensor"),
    expandedTensor: fraction("expandedTensor"),
    expandedTileUs: amount("expandedTileUs"),
  })
  .describe("How well kernels use the peaks. What is left out is as fitted to kernels on H800.");
