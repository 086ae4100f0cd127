// A synthetic trace for this package's tests: what DeepSeek's published training trace comes to (mechanics §4.3), made
// anew, since the file itself is not here. Genuine are the totals, the names, the numbers of kernels, the cycle of each
// layer, and times in whole microseconds since 1970; made up is where within them computing stands still.
// Not exported from the package.

export interface TestEvent {
  readonly ph: string;
  readonly cat?: string;
  readonly name: string;
  readonly pid: number | string;
  readonly tid: number | string;
  readonly ts?: number;
  readonly dur?: number;
  readonly id?: number;
  readonly args?: Readonly<Record<string, unknown>>;
}

const LAYERS = 4;
const COMPUTE_STREAM = 7;
const SECOND_COMPUTE_STREAM = 23;
const COMMUNICATION_STREAM = 27;
const FIRST_TIME = 1_740_461_679_470_630;

type CommunicatingKernel = "layout" | "notify" | "cachedNotify" | "dispatch" | "cachedDispatch" | "combine";

/** Template arguments as published; parameters are cut. */
const EP = "void dpsk::ep::";
export const TRAINING_NAMES: Readonly<Record<CommunicatingKernel, string>> = {
  layout: `${EP}cuda::get_dispatch_layout<256, 32, 8>(long const*, int*, int*, int*, bool*, int, int, int, int)`,
  notify: `${EP}internode::notify_dispatch<false, 8>(int const*, long*, int, int const*, int*)`,
  cachedNotify: `${EP}internode::cached_notify<false>(int, int, int, int, int*, int, int, int const*)`,
  dispatch: `${EP}internode::dispatch<false, 8, false, 8>(int4*, float*, dpsk::ep::internode::SourceMeta*)`,
  cachedDispatch: `${EP}internode::dispatch<false, 8, true, 8>(int4*, float*, dpsk::ep::internode::SourceMeta*)`,
  combine: `${EP}internode::combine<false, 8, __nv_bfloat16, 4, 4, 16, 24>(int4*, float*, bool const*)`,
};

/**
 * A layer's kernels on the communication stream, in their order, and the microseconds of all layers together. They sum
 * up to 113,440: 4 × 101 + 4 × 2,242 + 12 × 1,968 + 17,383 + 13,621 + 49,448.
 */
const CYCLE = [
  { name: TRAINING_NAMES.cachedNotify, totalUs: 7872 },
  { name: TRAINING_NAMES.cachedDispatch, totalUs: 13_621 },
  { name: TRAINING_NAMES.layout, totalUs: 404 },
  { name: TRAINING_NAMES.notify, totalUs: 8968 },
  { name: TRAINING_NAMES.dispatch, totalUs: 17_383 },
  { name: TRAINING_NAMES.cachedNotify, totalUs: 7872 },
  { name: TRAINING_NAMES.combine, totalUs: 24_724 },
  { name: TRAINING_NAMES.cachedNotify, totalUs: 7872 },
  { name: TRAINING_NAMES.combine, totalUs: 24_724 },
] as const;
const EXPOSED_US = 4190;
const BETWEEN_US = 15_060; // computing while nothing communicates: 124,310 - 109,250
const IDLE_US = 512; // 129,012 - (124,310 + 113,440 - 109,250)

/** Kernels that compute, with their published microseconds (figures: "Training trace"), over and over. */
const COMPUTE = [
  ["void (anonymous namespace)::rms_norm_forward<__nv_bfloat16>(__nv_bfloat16*, int)", 115],
  ["void cuda::per_token_cast_to_fp8_with_channels<__nv_bfloat16, 128>(unsigned char*, float*)", 46],
  ["void dpsk::gemm::fp8_gemm_kernel<24576u, 1536u, 128u, (dpsk::gemm::GemmType)0>(__nv_bfloat16*)", 372],
  ["void at_cuda_detail::cdpsk::ep::DeviceScanKernel<int>(int*, int)", 2],
  ["void cutlass::device_kernel<flash::FlashAttnFwd<cute::tuple<cute::C<128>>>>(flash::Params)", 1234],
  ["void cutlass::device_kernel<dpsk::grouped_gemm::cuda::fp8_ptp128c::GemmKernel>(Params)", 1779],
  ["void cuda::swiglu_forward_and_per_token_cast_to_fp8<__nv_bfloat16>(unsigned char*)", 131],
  ["sm90_xmma_gemm_bf16f32_bf16f32_f32_tn_n_tilesize128x256x64_warpgroupsize2x1x1", 894],
] as const;

/** The trace as its JSON stands for: head, and events in no order of time. */
export function trainingTrace(): {
  readonly distributedInfo: object;
  readonly traceEvents: readonly TestEvent[];
} {
  const writer = new TraceWriter();
  for (let layer = 0; layer < LAYERS; layer++) {
    writer.compute(part(BETWEEN_US, layer), true);
    writer.idle(part(IDLE_US, layer));
    let exposed = part(EXPOSED_US, layer);
    for (const { name, totalUs } of CYCLE) {
      const us = part(totalUs, layer);
      writer.communicate(name, us);
      // Computing stands still while the layer's first kernel waits for the others.
      writer.idle(exposed);
      writer.compute(us - exposed, false);
      exposed = 0;
    }
  }
  const head = { schemaVersion: 1, deviceProperties: [{ id: 0, name: "NVIDIA H800", numSms: 132 }] };
  const distributedInfo = { backend: "nccl", rank: 0, world_size: 64 };
  return { ...head, distributedInfo, traceEvents: writer.events.toReversed() };
}

/** A fourth of a whole number, the rest in the last. */
function part(total: number, layer: number): number {
  const each = Math.floor(total / LAYERS);
  return layer < LAYERS - 1 ? each : total - each * (LAYERS - 1);
}

class TraceWriter {
  readonly events: TestEvent[] = [
    { ph: "M", name: "process_labels", pid: 0, tid: 0, ts: FIRST_TIME, args: { labels: "GPU 0" } },
    { ph: "M", name: "process_sort_index", pid: 1166, tid: 0, args: { sort_index: 1166 } },
    { ph: "X", cat: "user_annotation", name: "1F1B", pid: 1166, tid: 1166, ts: FIRST_TIME, dur: 112_168 },
    {
      ph: "X",
      cat: "Trace",
      name: "PyTorch Profiler (0)",
      pid: 1,
      tid: "Traces",
      ts: FIRST_TIME,
      dur: 129_749,
    },
    { ph: "i", name: "Record Window End", pid: 0, tid: "", ts: FIRST_TIME + 129_749 },
  ];
  #now = FIRST_TIME;
  #index = 0;
  #correlation = 44_000;

  idle(us: number): void {
    this.#now += us;
  }

  communicate(name: string, us: number): void {
    this.#kernel(name, COMMUNICATION_STREAM, this.#now, us);
  }

  /** Kernels back to back for `us`; then also some that others of a second stream overlap, and a copy of memory. */
  compute(us: number, withSecondStream: boolean): void {
    const end = this.#now + us;
    if (withSecondStream) {
      const [name] = COMPUTE[5];
      this.#kernel(name, SECOND_COMPUTE_STREAM, this.#now + 100, 700);
      const args = { device: 0, stream: COMPUTE_STREAM, correlation: this.#correlation };
      // Over the gap: were it to count, the idle time would change.
      const times = { ts: end - 10, dur: 100 };
      const copy = { ph: "X", cat: "gpu_memcpy", name: "Memcpy DtoD (Device -> Device)", pid: 0 };
      this.events.push({ ...copy, tid: COMPUTE_STREAM, ...times, args });
    }
    while (this.#now < end) {
      const [name, typical] = COMPUTE[this.#index % COMPUTE.length]!;
      this.#index += 1;
      const dur = Math.min(typical, end - this.#now);
      this.#kernel(name, COMPUTE_STREAM, this.#now, dur);
      this.#now += dur;
    }
  }

  #kernel(name: string, stream: number, ts: number, dur: number): void {
    this.#correlation += 1;
    const correlation = this.#correlation;
    const call = { ph: "X", cat: "cuda_runtime", name: "cudaLaunchKernelExC", pid: 1166, tid: 2571 };
    this.events.push(
      { ...call, ts: ts - 12, dur: 11, args: { correlation, cbid: 430 } },
      { ph: "s", cat: "ac2g", name: "ac2g", id: correlation, pid: 1166, tid: 2571, ts: ts - 12 },
      { ph: "f", cat: "ac2g", name: "ac2g", id: correlation, pid: 0, tid: stream, ts },
    );
    const args = { queued: 0, device: 0, context: 1, stream, correlation, grid: [20, 1, 1] };
    this.events.push({ ph: "X", cat: "kernel", name, pid: 0, tid: stream, ts, dur, args });
  }
}
