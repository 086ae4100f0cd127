// What the kernels of dispatch and combine cost. They are bound by the SMs that copy, or by a fixed time for handshakes
// and counters, and hardly by HBM. Constants are fitted to DeepEP's published kernels on H800 (`npm run calibrate`).

import { microseconds, PICOSECONDS_PER_SECOND } from "@windtunnel/base";
import { z } from "zod";
import constants from "./calibration/exchange-constants.json" with { type: "json" };
import type { OperationCost } from "./cost-model.ts";
import type { HardwareProfile } from "./hardware-profile.ts";

/** Rates and fixed times of exchange kernels on one GPU. */
export interface ExchangeRates {
  /** Bytes that one SM copies between buffers in a second: DeepEP's normal kernels, per copying SM. */
  readonly copyBytesPerSecondPerSm: number;
  /** Fixed time of a low-latency dispatch and combine, sending and receiving together, in microseconds. */
  readonly lowLatencyDispatchUs: number;
  readonly lowLatencyCombineUs: number;
  /** Time of the layout kernel of normal mode for each token, in microseconds. */
  readonly layoutUsPerToken: number;
}

const positive = z.number().positive();

export const exchangeRatesSchema: z.ZodObject<Record<keyof ExchangeRates, z.ZodNumber>, z.core.$strict> = z
  .strictObject({
    copyBytesPerSecondPerSm: positive,
    lowLatencyDispatchUs: positive,
    lowLatencyCombineUs: positive,
    layoutUsPerToken: positive,
  })
  .describe("Kernels of dispatch and combine: bytes per second and SM; fixed times in microseconds.");

/** Fitted to H800; `calibration/exchange-constants.json` names the figures behind each. */
export const HOPPER_EXCHANGE: ExchangeRates = {
  copyBytesPerSecondPerSm: constants.exchanges.copyBytesPerSecondPerSm.value,
  lowLatencyDispatchUs: constants.exchanges.lowLatencyDispatchUs.value,
  lowLatencyCombineUs: constants.exchanges.lowLatencyCombineUs.value,
  // Training trace, EP64: 97 µs for 4,096 tokens.
  layoutUsPerToken: 97 / 4096,
};

/** `copy`: bound by the SMs that copy. The low-latency kernels: half of a fixed time each, and their bytes in HBM. */
export type ExchangeKernel = "copy" | "layout" | "low-latency-dispatch" | "low-latency-combine";

/** A kernel of dispatch or combine over `bytes`; for `layout`, over so many tokens. */
export function exchangeKernel(exchange: ExchangeKernel, bytes: number, kernels: number = 1): OperationCost {
  return { shape: { kind: "copy" }, precision: "bf16", flops: 0, bytes, kernels, exchange };
}

/** Picoseconds on `sms` SMs. The fixed times of low-latency kernels contain their start. */
export function exchangeKernelTime(
  exchange: ExchangeKernel,
  { bytes, kernels }: Pick<OperationCost, "bytes" | "kernels">,
  sms: number,
  profile: HardwareProfile,
): number {
  const rates = profile.exchange;
  const started = kernels * microseconds(profile.kernels.overheadUs);
  const inMemory =
    (bytes / (profile.memoryBytesPerSecond * profile.kernels.streaming)) * PICOSECONDS_PER_SECOND;
  switch (exchange) {
    case "copy":
      return started + (bytes / (rates.copyBytesPerSecondPerSm * sms)) * PICOSECONDS_PER_SECOND;
    case "layout":
      return started + bytes * microseconds(rates.layoutUsPerToken);
    case "low-latency-dispatch":
      return inMemory + microseconds(rates.lowLatencyDispatchUs / 2);
    default:
      return inMemory + microseconds(rates.lowLatencyCombineUs / 2);
  }
}
