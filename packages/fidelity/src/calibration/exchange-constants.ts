// The constants that the calibration fits to published all-to-alls, and which of them each all-to-all depends on.

import { defined, invariant } from "@windtunnel/base";
import { HARDWARE_PROFILES, type HardwareProfile } from "@windtunnel/gpu";
import type { ExchangeConditions } from "../measured-exchange.ts";

export const EXCHANGE_CONSTANTS = [
  "nicBytesPerSecond",
  "copyBytesPerSecondPerSm",
  "lowLatencyDispatchUs",
  "lowLatencyCombineUs",
] as const;

export type ExchangeConstant = (typeof EXCHANGE_CONSTANTS)[number];
export type ExchangeConstants = Readonly<Record<ExchangeConstant, number>>;

/** No fit may pass a specification: a NIC of 400 Gb/s moves 50 GB/s. */
export const MOST: Readonly<Partial<Record<ExchangeConstant, number>>> = { nicBytesPerSecond: 50e9 };

/** Inside one node, normal mode touches no NIC. A test moves each constant and sees what follows. */
export function constantsBehind({ pattern, ranks }: ExchangeConditions): readonly ExchangeConstant[] {
  if (pattern === "low-latency") return ["nicBytesPerSecond", "lowLatencyDispatchUs", "lowLatencyCombineUs"];
  return ranks > 8 ? ["nicBytesPerSecond", "copyBytesPerSecondPerSm"] : ["copyBytesPerSecondPerSm"];
}

/** Those of the built-in profile. */
export function currentConstants(): ExchangeConstants {
  const { nics, exchange } = h800();
  return {
    nicBytesPerSecond: nics.bytesPerSecond,
    copyBytesPerSecondPerSm: exchange.copyBytesPerSecondPerSm,
    lowLatencyDispatchUs: exchange.lowLatencyDispatchUs,
    lowLatencyCombineUs: exchange.lowLatencyCombineUs,
  };
}

/** H800 with other constants; all else of it is the specification, or fitted to kernels. */
export function profileWith({ nicBytesPerSecond, ...exchange }: ExchangeConstants): HardwareProfile {
  const profile = h800();
  const nics = { ...profile.nics, bytesPerSecond: nicBytesPerSecond };
  return { ...profile, nics, exchange: { ...profile.exchange, ...exchange } };
}

type WithNics = HardwareProfile & { readonly nics: NonNullable<HardwareProfile["nics"]> };

function h800(): WithNics {
  const profile = defined(HARDWARE_PROFILES.get("h800"), "h800");
  const { nics } = profile;
  invariant(nics !== null, "H800 has NICs");
  return { ...profile, nics };
}
