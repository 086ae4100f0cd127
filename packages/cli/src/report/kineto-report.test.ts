import pc from "picocolors";
import { describe, expect, test } from "vitest";
import type { KinetoDeviceOverlap, KinetoOverlap } from "@windtunnel/trace";
import { kernelLabel, renderKinetoOverlap } from "./kineto-report.ts";

const plain = pc.createColors(false);

/** The published training trace (mechanics §4.3), with two of its names. */
const device: KinetoDeviceOverlap = {
  device: "GPU 0",
  kernelCount: 963,
  spanUs: 129_012,
  computeUs: 124_310,
  communicationUs: 113_440,
  overlapUs: 109_250,
  overlapFraction: 109_250 / 113_440,
  exposedUs: 4190,
  exposedFraction: 4190 / 129_012,
  idleUs: 512,
  communication: [
    {
      name: "void dpsk::ep::internode::combine<false, 8, __nv_bfloat16, 4, 4, 16, 24>(int4*, float*)",
      count: 8,
      totalUs: 49_448,
      meanUs: 6181,
      exposedUs: 1234.5,
    },
    {
      name: "void dpsk::ep::internode::dispatch<false, 8, true, 8>(int4*, dpsk::ep::internode::SourceMeta*)",
      count: 4,
      totalUs: 13_621,
      meanUs: 3405.25,
      exposedUs: 0,
    },
  ],
  compute: [{ name: "gemm", count: 16, totalUs: 28_000, meanUs: 1750 }],
};
const overlap: KinetoOverlap = {
  file: "train.json",
  rank: 0,
  worldSize: 64,
  skippedKernels: 0,
  patterns: ["nccl", "ep::"],
  devices: [device],
};

const widest = (text: string): number => Math.max(...text.split("\n").map((line) => line.length));

describe("the report of a profiler's trace", () => {
  test("gives the lengths of one GPU and its kernels in 80 columns", () => {
    const text = renderKinetoOverlap(overlap, plain);
    expect(widest(text)).toBeLessThanOrEqual(80);
    expect(text).toMatch(/^train\.json, rank 0 of 64, GPU 0\n {2}span +129,012 µs {2}963 kernels\n/);
    expect(text).toMatch(/communicating +113,440 µs {2}87\.9 % of span/);
    expect(text).toMatch(/both: hidden +109,250 µs {2}96\.3 % of communicating/);
    expect(text).toMatch(/exposed +4,190 µs {2}3\.2 % of span/);
    expect(text).toMatch(/neither +512 µs {2}0\.4 % of span/);
    expect(text).toMatch(/combine<false, 8, __nv_bfloat16, 4,… +8 +6\.18 ms +49\.4 ms +1\.23 ms/);
    expect(text).toMatch(/dispatch<false, 8, true, 8> +4 +3\.41 ms +13\.6 ms +0 µs/);
    expect(text.replaceAll("\n", " ")).toContain("is what matches nccl or ep:: (--communication sets it)");
  });

  test("of several GPUs lists each, and shows in full the one that exposes most", () => {
    const quiet = { ...device, device: "GPU 1", exposedUs: 3, communication: [] };
    const devices = [quiet, { ...device, compute: [] }, ...Array.from({ length: 20 }, () => quiet)];
    const text = renderKinetoOverlap({ ...overlap, devices, skippedKernels: 1200 }, plain);
    expect(widest(text)).toBeLessThanOrEqual(80);
    expect(text).toMatch(/GPU 0 +129 ms +113 ms +96\.3 % +4\.19 ms/);
    expect(text).toMatch(/and 6 more\n\nGPU 0, which exposes most\n/);
    expect(text).toContain("Busiest computing kernels\n  none");
    expect(text.replaceAll("\n", " ")).toContain("1,200 kernels without a usable time are left out.");
  });
});

describe("a kernel's label", () => {
  test.each([
    ["void deep_ep::internode_ll::dispatch<true, 3, 10, 7168>(void*, float*)", "dispatch<true, 3, 10, 7168>"],
    ["ncclDevKernel_SendRecv(ncclDevKernelArgsStorage<4096ul>)", "ncclDevKernel_SendRecv"],
    ["void (anonymous namespace)::rms_norm<c10::Half>(c10::Half*, int)", "rms_norm<c10::Half>"],
    ["std::enable_if<!(false), void>::type foo::bar<a::b<c>>(int)", "bar<a::b<c>>"],
    ["sm90_xmma_gemm_bf16", "sm90_xmma_gemm_bf16"],
    ["attention.project", "attention.project"],
    ["odd)", "odd)"],
  ])("of %s", (name, label) => {
    expect(kernelLabel(name, 36)).toBe(label);
  });

  test("is cut to its width", () => {
    expect(kernelLabel("void a::b<1, 2, 3>(int)", 8)).toBe("b<1, 2,…");
  });
});
