// What a GPU and its node can do, as data. Peaks are specifications; what kernels reach of them is fitted to H800 and
// the same for all. The built-in profiles take their numbers from the published table of GPUs (H800: SMs 132, 3.35 TB/s, 989 / 1,979
// TFLOPS, NVLink about 160 GB/s achievable of 200 each way). Constants of kernels, of dispatch and combine and of NICs are
// fitted by `npm run calibrate`.

import { inputError } from "@windtunnel/base";
import { z } from "zod";
import constants from "./calibration/exchange-constants.json" with { type: "json" };
import { type ExchangeRates, exchangeRatesSchema, HOPPER_EXCHANGE } from "./exchange-costs.ts";
import { HOPPER_KERNELS, type KernelRates, kernelRatesSchema } from "./kernel-rates.ts";

export interface HardwareProfile {
  readonly name: string;
  readonly sms: number;
  readonly memoryBytes: number;
  readonly memoryBytesPerSecond: number;
  readonly flops: { readonly bf16: number; readonly fp8: number };
  readonly nvlinkBytesPerSecond: number;
  /** Of a node; null: none, all GPUs sit in one NVLink domain. */
  readonly nics: { readonly count: number; readonly bytesPerSecond: number } | null;
  /** What kernels reach of the peaks. */
  readonly kernels: KernelRates;
  readonly launchUs: number;
  /** From the end of a kernel to the start of the next in its stream, in microseconds. */
  readonly gapUs: number;
  /** Kernels of dispatch and combine. */
  readonly exchange: ExchangeRates;
}

/**
 * NVIDIA, "Getting Started with CUDA Graphs": a kernel that takes 2.9 µs by itself takes 3.4 among others of a replayed
 * graph, and 3.8 where the host launches them ahead. Measured on V100. Published times of kernels are those of single ones.
 */
const GAP_US = 0.5;

const POSITIVE = "a number above 0, not infinite";
const positive = z.number({ error: POSITIVE }).positive({ error: POSITIVE });

export const hardwareProfileSchema: z.ZodType<HardwareProfile> = z.strictObject({
  name: z.string().min(1).describe("Shown in summaries and traces."),
  sms: z.int().positive().describe("Streaming multiprocessors."),
  memoryBytes: positive.describe("HBM size, in bytes."),
  memoryBytesPerSecond: positive.describe("HBM bandwidth, specification."),
  flops: z
    .strictObject({ bf16: positive, fp8: positive })
    .describe("Dense tensor-core peaks, in floating-point operations per second."),
  nvlinkBytesPerSecond: positive.describe("Achievable NVLink bandwidth of a GPU, one way."),
  nics: z
    .strictObject({ count: z.int().positive().max(256), bytesPerSecond: positive })
    .nullable()
    .describe("NICs of a node, effective rate each; null: none."),
  kernels: kernelRatesSchema.default(HOPPER_KERNELS),
  launchUs: positive.describe("Host time of a kernel launch, in microseconds."),
  gapUs: z
    .number({ error: "a number of at least 0" })
    .min(0, { error: "a number of at least 0" })
    .default(GAP_US)
    .describe("From the end of a kernel to the start of the next in its stream, in microseconds."),
  exchange: exchangeRatesSchema.default(HOPPER_EXCHANGE),
});

/** A ConnectX-7 of 400 Gb/s as the emulated fabric needs it, fitted to published all-to-alls on H800. */
const NIC_BYTES_PER_SECOND = constants.exchanges.nicBytesPerSecond.value;

const hopper = {
  sms: 132,
  flops: { bf16: 989e12, fp8: 1979e12 },
  nics: { count: 8, bytesPerSecond: NIC_BYTES_PER_SECOND },
  kernels: HOPPER_KERNELS,
  launchUs: 2.5,
  gapUs: GAP_US,
  exchange: HOPPER_EXCHANGE,
};

/** NVLink of 900 GB/s in both directions, at the 0.8 of its rate that kernels reach on H800. */
const FULL_NVLINK = 360e9;
/** 900 GB/s one way, at the same 0.8. SMs of B200 and GB200, and the memory of GB200, have no published source. */
const BLACKWELL_NVLINK = 720e9;

const profiles: readonly HardwareProfile[] = [
  {
    ...hopper,
    name: "h800",
    memoryBytes: 84.94e9,
    memoryBytesPerSecond: 3.35e12,
    nvlinkBytesPerSecond: 160e9,
  },
  {
    ...hopper,
    name: "h100",
    memoryBytes: 84.94e9,
    memoryBytesPerSecond: 3.35e12,
    nvlinkBytesPerSecond: FULL_NVLINK,
  },
  {
    ...hopper,
    name: "h200",
    memoryBytes: 141e9,
    memoryBytesPerSecond: 4.8e12,
    nvlinkBytesPerSecond: FULL_NVLINK,
  },
  {
    ...hopper,
    name: "h20",
    sms: 78,
    memoryBytes: 96e9,
    memoryBytesPerSecond: 4e12,
    flops: { bf16: 148e12, fp8: 296e12 },
    nvlinkBytesPerSecond: FULL_NVLINK,
    nics: { count: 4, bytesPerSecond: NIC_BYTES_PER_SECOND },
  },
  {
    ...hopper,
    name: "b200",
    sms: 148,
    memoryBytes: 192e9,
    memoryBytesPerSecond: 8e12,
    flops: { bf16: 2250e12, fp8: 4500e12 },
    nvlinkBytesPerSecond: BLACKWELL_NVLINK,
  },
  {
    ...hopper,
    name: "gb200",
    sms: 148,
    memoryBytes: 192e9,
    memoryBytesPerSecond: 8e12,
    flops: { bf16: 2500e12, fp8: 5000e12 },
    nvlinkBytesPerSecond: BLACKWELL_NVLINK,
    nics: null,
  },
];

export const HARDWARE_PROFILES: ReadonlyMap<string, HardwareProfile> = new Map(
  profiles.map((profile) => [profile.name, profile]),
);

/** Checks a user's profile; `file` names it in the error. */
export function parseHardwareProfile(data: unknown, file: string): HardwareProfile {
  const result = hardwareProfileSchema.safeParse(data);
  if (result.success) return result.data;
  const problems = result.error.issues.map(
    (issue) => `  ${issue.path.join(".") || "(top)"}: ${issue.message}`,
  );
  const [first] = result.error.issues;
  throw inputError(`${file} is not a hardware profile:\n${problems.join("\n")}`, {
    file,
    path: first?.path.join(".") ?? "",
    found: valueAt(data, first?.path ?? []),
    allowed: first?.message ?? "",
  });
}

function valueAt(data: unknown, path: readonly PropertyKey[]): unknown {
  let at = data;
  for (const key of path) at = (at as Record<PropertyKey, unknown> | undefined)?.[key];
  // JSON, and so a message to another process, has no infinity.
  return typeof at === "number" && !Number.isFinite(at) ? String(at) : (at ?? "nothing");
}
