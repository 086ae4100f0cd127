// What a GPU and its node can do, as data. Peaks are specifications; efficiencies and achievable rates are what kernels
// reach. The built-in profiles take their numbers from the published table of GPUs (H800: SMs 132, 3.35 TB/s, 989 / 1,979
// TFLOPS, NVLink about 160 GB/s achievable of 200 each way, NIC 40 to 46 GB/s effective of 50).

import { inputError } from "@windtunnel/base";
import { z } from "zod";

export interface HardwareProfile {
  readonly name: string;
  readonly sms: number;
  readonly memoryBytes: number;
  readonly memoryBytesPerSecond: number;
  readonly flops: { readonly bf16: number; readonly fp8: number };
  readonly nvlinkBytesPerSecond: number;
  readonly nics: { readonly count: number; readonly bytesPerSecond: number };
  readonly efficiency: { readonly memory: number; readonly gemm: number; readonly attention: number };
  readonly kernelOverheadUs: number;
  readonly launchUs: number;
}

const positive = z.number().positive();
const fraction = z.number().positive().max(1);

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
    .describe("NICs of a node, effective rate each."),
  efficiency: z
    .strictObject({ memory: fraction, gemm: fraction, attention: fraction })
    .describe("Share of the bandwidth and of the peaks that kernels reach."),
  kernelOverheadUs: positive.describe("Fixed time of a kernel on the GPU, in microseconds."),
  launchUs: positive.describe("Host time of a kernel launch, in microseconds."),
});

const hopper = {
  sms: 132,
  flops: { bf16: 989e12, fp8: 1979e12 },
  nics: { count: 8, bytesPerSecond: 41e9 },
  // Decode GEMMs on H800 read their weights at about 0.8 of the specification; large ones reach about 0.68 of the FP8
  // peak; the MLA decode core reaches 0.53 of the BF16 peak (292 µs for 128 requests of 4,096 positions).
  efficiency: { memory: 0.8, gemm: 0.68, attention: 0.53 },
  kernelOverheadUs: 4,
  launchUs: 2.5,
};

/** NVLink of 900 GB/s in both directions, at the 0.8 of its rate that kernels reach on H800. */
const FULL_NVLINK = 360e9;

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
    nics: { count: 4, bytesPerSecond: 41e9 },
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
  throw inputError(`${file} is not a hardware profile:\n${problems.join("\n")}`, { file });
}
