import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { gzipSync } from "node:zlib";
import { WorldError } from "@windtunnel/base";
import { afterAll, describe, expect, test } from "vitest";
import { KINETO_COMMUNICATION, type KinetoOverlap, kinetoOverlap } from "./kineto-overlap.ts";
import { readKineto } from "./kineto-read.ts";
import { type TestEvent, TRAINING_NAMES, trainingTrace } from "./test-kineto-traces.ts";

const folder = mkdtempSync(path.join(tmpdir(), "windtunnel-kineto-"));
afterAll(() => rmSync(folder, { recursive: true }));

function write(name: string, content: string | Uint8Array): string {
  const file = path.join(folder, name);
  writeFileSync(file, content);
  return file;
}

const kernel = (name: string, ts: number, dur: number, more: Partial<TestEvent> = {}): TestEvent => {
  return { ph: "X", cat: "kernel", name, pid: 0, tid: 7, ts, dur, args: { device: 0, stream: 7 }, ...more };
};

function overlapOf(name: string, events: readonly TestEvent[], communication?: string[]): KinetoOverlap {
  const file = write(name, JSON.stringify({ traceEvents: events }));
  return kinetoOverlap(readKineto(file), communication === undefined ? {} : { communication });
}

function errorOf(action: () => unknown): WorldError {
  try {
    action();
  } catch (error) {
    expect(error).toBeInstanceOf(WorldError);
    expect((error as WorldError).exitCode).toBe(2);
    return error as WorldError;
  }
  throw new Error("nothing was thrown");
}

describe("the published training trace, made anew", () => {
  const trace = trainingTrace();
  const text = JSON.stringify(trace, undefined, 2);
  const plain = kinetoOverlap(readKineto(write("train.json", `\n${text}\n`)));

  test("has the published totals", () => {
    expect([plain.rank, plain.worldSize, plain.skippedKernels]).toEqual([0, 64, 0]);
    expect(plain.devices.length).toBe(1);
    expect(plain.devices[0]).toMatchObject({
      device: "GPU 0",
      spanUs: 129_012,
      computeUs: 124_310,
      communicationUs: 113_440,
      overlapUs: 109_250,
      exposedUs: 4190,
      idleUs: 512, // 129,012 - (124,310 + 113,440 - 109,250)
    });
    expect(plain.devices[0]!.overlapFraction).toBeCloseTo(0.963, 3);
    expect(plain.devices[0]!.exposedFraction).toBeCloseTo(0.032, 3);
  });

  test("has the published counts and means of each communicating kernel, longest in total first", () => {
    const rows = plain.devices[0]!.communication.map(({ name, count, totalUs, meanUs }) => {
      return [name, count, totalUs, Math.round(meanUs)];
    });
    expect(rows).toEqual([
      [TRAINING_NAMES.combine, 8, 49_448, 6181],
      [TRAINING_NAMES.cachedNotify, 12, 23_616, 1968],
      [TRAINING_NAMES.dispatch, 4, 17_383, 4346],
      [TRAINING_NAMES.cachedDispatch, 4, 13_621, 3405],
      [TRAINING_NAMES.notify, 4, 8968, 2242],
      [TRAINING_NAMES.layout, 4, 404, 101],
    ]);
    const exposed = plain.devices[0]!.communication.map(({ exposedUs }) => exposedUs);
    expect(exposed).toEqual([0, 4190, 0, 0, 0, 0]);
  });

  test("takes CUB's scan in a namespace that ends like DeepEP's for computing", () => {
    const names = plain.devices[0]!.compute.map(({ name }) => name);
    expect(names.some((name) => name.includes("cdpsk::ep::DeviceScanKernel"))).toBe(true);
    expect(plain.devices[0]!.compute[0]!.name).toContain("grouped_gemm");
  });

  test("is the same compressed, in one line, as a bare list, and with times that are not whole", () => {
    const one = JSON.stringify(trace);
    const { devices } = plain;
    expect(kinetoOverlap(readKineto(write("train.json.gz", gzipSync(one)))).devices).toEqual(devices);
    expect(kinetoOverlap(readKineto(write("one.json", `\u{feff}${one}`))).devices).toEqual(devices);
    const list = kinetoOverlap(readKineto(write("list.json", JSON.stringify(trace.traceEvents))));
    expect([list.rank, list.devices]).toEqual([null, devices]);
    const shifted = trace.traceEvents.map((event) => {
      return event.ts === undefined ? event : { ...event, ts: event.ts - 1_740_456_395_936_171.5 };
    });
    expect(overlapOf("shifted.json", shifted).devices).toEqual(devices);
  });

  test("of other patterns, counts what they match and nothing else", () => {
    const file = write("patterns.json", text);
    const { devices, patterns } = kinetoOverlap(readKineto(file), { communication: ["combine<", "notify"] });
    expect(patterns).toEqual(["combine<", "notify"]);
    expect(devices[0]!.communicationUs).toBe(49_448 + 23_616 + 8968);
    expect(devices[0]!.exposedUs).toBe(4190);
  });
});

describe("names of communicating kernels", () => {
  const communicates = (name: string): boolean =>
    KINETO_COMMUNICATION.some((pattern) => new RegExp(pattern).test(name));

  test.each([
    "ncclKernel_AllReduce_RING_LL_Sum_float(ncclDevComm*, unsigned long, ncclWork*)",
    "ncclDevKernel_SendRecv(ncclDevKernelArgsStorage<4096ul>)",
    "ncclSymkDevKernel_AllGather_LL",
    "void deep_ep::intranode::dispatch<8, 768, 8192>(int4*, float*, int*)",
    "void deep_ep::intranode::combine<__nv_bfloat16, (int)8, (int)768, (int)4096>(T1 *, float *)",
    "void deep_ep::intranode::cached_notify_combine<8>(void**, int*, int)",
    "void deep_ep::internode::notify_dispatch<false, 4>(int const*, int*, int)",
    "void deep_ep::internode::cached_notify<false>(int, int, int)",
    "void deep_ep::internode_ll::dispatch<true, 3, 10, 7168>(void*, float*, int*)",
    "void deep_ep::internode_ll::combine<3, 10, 7168, 9>(void*, void*, int*)",
    "void deep_ep::internode_ll::clean_low_latency_buffer<256>(int*, int)",
    "void deep_ep::layout::get_dispatch_layout<256, 4, 8>(long const*, int*)",
    "void deep_ep::legacy::internode::combine<false, 4, __nv_bfloat16, 16>(int4*)",
    "void deep_ep::elastic::dispatch_impl<true, 3, false, false, 24>(void*)",
    "void primus_turbo::deep_ep::intranode::cached_notify_dispatch<8>(int const*, int)",
    "void dpsk::ep::internode::dispatch_ll<true, 3, 10, 7168>(void*, float*, int*)",
    "hybrid_ep::device_sync_kernel(unsigned int*, unsigned int)",
  ])("%s", (name) => {
    expect(communicates(name)).toBe(true);
  });

  test.each([
    "void dpsk::gemm::fp8_gemm_kernel<4096u, 7168u>(__nv_bfloat16*)",
    "void deep_gemm::sm90_fp8_gemm_1d2d_impl<0u>(float*)",
    "void flash::flash_fwd_splitkv_mla_combine_kernel<float, 512>(Flash_fwd_mla_params)",
    "at_cuda_detail::cdpsk::ep::DeviceScanKernel<int>(int*)",
  ])("not %s", (name) => {
    expect(communicates(name)).toBe(false);
  });
});

describe("a trace of anybody", () => {
  test("keeps GPUs and processes apart, and leaves out what has no usable time", () => {
    const other = { pid: 1, args: { device: 1, stream: 7 } };
    const merged = { pid: "[TP01] 0", args: { device: 0, stream: 7 } };
    const { devices, skippedKernels } = overlapOf("devices.json", [
      kernel("gemm", 10, 5),
      kernel("ncclDevKernel_AllGather", 12, 5.5),
      kernel("gemm", 0, 20, { cat: "Kernel", ...other }),
      kernel("ncclDevKernel_AllGather", 4, 6, other),
      kernel("gemm", 0, 1, merged),
      kernel("gemm", 0, -1),
      { ph: "X", cat: "kernel", name: "gemm", pid: 0, tid: 7, ts: 3 },
    ]);
    expect(skippedKernels).toBe(2);
    const figures = devices.map(({ device, overlapUs, exposedUs, overlapFraction }) => {
      return [device, overlapUs, exposedUs, overlapFraction];
    });
    expect(figures).toEqual([
      ["GPU 0", 3, 2.5, 3 / 5.5],
      ["GPU 1", 6, 0, 1],
      ["GPU 0 of process [TP01] 0", 0, 0, null],
    ]);
  });

  test("counts kernels that overlap each other once in unions and each in totals", () => {
    const [device] = overlapOf("both.json", [
      kernel("ncclDevKernel_AllGather", 0, 10),
      kernel("ncclDevKernel_AllGather", 5, 10),
      kernel("gemm", 12, 8),
    ]).devices;
    expect(device).toMatchObject({ spanUs: 20, communicationUs: 15, overlapUs: 3, exposedUs: 12, idleUs: 0 });
    expect(device!.communication).toMatchObject([{ count: 2, totalUs: 20, meanUs: 10, exposedUs: 12 }]);
  });
});

describe("a file that is no such trace is refused with what was found", () => {
  const good = JSON.stringify({ traceEvents: [kernel("ncclKernel", 0, 1), kernel("gemm", 0, 1)] });

  test.each([
    ["empty.json", "", "it ends after 0 bytes, before"],
    ["text.json", "hello", 'not JSON: "hello" at byte 0, where "{" belongs'],
    ["cut.json", good.slice(0, -20), "inside of what begins at byte"],
    ["cut-string.json", good.slice(0, good.indexOf("gemm") + 2), "inside of what begins at byte"],
    ["cut-between.json", good.slice(0, good.indexOf(",{") + 1), "before a value"],
    ["comma.json", good.replace("},{", "} {"), 'where "," belongs'],
    ["last-comma.json", good.replace("}]}", "},]}"), "where a value belongs"],
    ["value.json", good.replace('"dur":1', '"dur":nan'), "in what begins at byte"],
    ["behind.json", `${good} {}`, "where the end belongs"],
    [
      "fields.json",
      '{"schemaVersion":1,"spans":[]}',
      'no list "traceEvents"; its fields: schemaVersion, spans',
    ],
    ["no-list.json", '{"traceEvents":{}}', 'no list "traceEvents"'],
    [
      "cpu.json",
      '[{"ph":"X","cat":"cpu_op","name":"aten::mm","ts":0,"dur":1}]',
      "no GPU kernel with a time among",
    ],
    ["cut.json.gz", gzipSync(good).subarray(0, 40), "the gzip file is cut off"],
    [
      "damaged.json.gz",
      Buffer.concat([gzipSync(good).subarray(0, 20), Buffer.alloc(60, 255)]),
      "gzip file is",
    ],
  ])("%s", (name, content, expected) => {
    const file = write(name, content);
    const { message } = errorOf(() => readKineto(file));
    expect(message).toContain(expected);
    expect(message).toContain(file);
    expect(message).toContain("allowed: a trace that PyTorch's profiler exported");
  });

  test("or is not there, or is a folder", () => {
    expect(errorOf(() => readKineto(path.join(folder, "none.json"))).message).toContain("no such file");
    expect(errorOf(() => readKineto(folder)).message).toContain("this is a folder");
    expect(errorOf(() => readKineto(write("cpu2.json", '[{"cat":"cpu_op"}]'))).message).toContain("1 cpu_op");
  });

  test("or has nothing that communicates: then it says which kernels there are and how to name them", () => {
    const events = [kernel("my_all_to_all<3>", 0, 9), kernel("gemm", 0, 1)];
    const { message } = errorOf(() => overlapOf("silent.json", events));
    expect(message).toContain("longest in total first:\n    my_all_to_all<3>\n    gemm\n");
    expect(message).toContain("each with its own --communication");
    expect(overlapOf("named.json", events, ["all_to_all"]).devices[0]!.exposedUs).toBe(8);
    expect(errorOf(() => overlapOf("wrong.json", events, ["all_to_all("])).message).toMatch(
      /--communication: found all_to_all\(: .*; allowed: a regular expression/,
    );
  });
});
