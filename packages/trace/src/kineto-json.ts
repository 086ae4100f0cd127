// The trace format of PyTorch's profiler (Kineto): Chrome's JSON with a head that names the rank and its GPU, and with
// categories and arguments that analyzers go by. One event a line, streamed to the disk; times are printed from
// integers, so no rounding can differ. It knows processes, threads, kernels and launches, and nothing of recordings.

import { AppendedFile } from "./appended-file.ts";
import { microsecondsText, type Track } from "./perfetto-json.ts";

/** What a rank's file says of its rank. */
export interface KinetoHead {
  readonly rank: number;
  readonly worldSize: number;
  /** The GPU's number on its node. */
  readonly device: number;
  readonly gpu: string;
  readonly sms: number;
  /** For people: not a part of Kineto's own head. */
  readonly otherData: Readonly<Record<string, string | number>>;
}

/** In picoseconds. */
export interface Times {
  readonly start: number;
  readonly end: number;
}

type Details = Readonly<Record<string, string | number>>;

/** Virtual time 0 is 2025-01-01T00:00:00Z, as in the OpenTelemetry export; times in the file count from it. */
const BASE_TIME_NANOSECONDS = 1_735_689_600e9;
/** CUPTI's numbers of the two calls. */
const LAUNCH_CALL = 211;
const SYNCHRONIZE_CALL = 131;

export class KinetoFile {
  readonly #file: AppendedFile;
  #isFirst = true;
  #correlation = 0;

  constructor(file: string, { rank, worldSize, device, gpu, sms, otherData }: KinetoHead) {
    this.#file = new AppendedFile(file);
    const head = {
      schemaVersion: 1,
      deviceProperties: [{ id: device, name: gpu, numSms: sms }],
      distributedInfo: { backend: "nccl", rank, world_size: worldSize },
      displayTimeUnit: "ns",
      baseTimeNanoseconds: BASE_TIME_NANOSECONDS,
      otherData,
    };
    this.#file.writeText(`${JSON.stringify(head).slice(0, -1)},"traceEvents":[`);
  }

  /** Names a process and gives its place from the top. */
  process(pid: number, name: string, sortIndex: number): void {
    this.#event(`"ph":"M","ts":0,"pid":${pid},"name":"process_name","args":{"name":${JSON.stringify(name)}}`);
    this.#event(
      `"ph":"M","ts":0,"pid":${pid},"name":"process_sort_index","args":{"sort_index":${sortIndex}}`,
    );
  }

  thread({ pid, tid }: Track, name: string): void {
    const where = `"ph":"M","ts":0,"pid":${pid},"tid":${tid}`;
    this.#event(`${where},"name":"thread_name","args":{"name":${JSON.stringify(name)}}`);
    this.#event(`${where},"name":"thread_sort_index","args":{"sort_index":${tid}}`);
  }

  /**
   * A kernel on a stream (the track's thread) of a device (its process), and the call that launched it from a thread of
   * the host. Both have one correlation: analyzers drop kernels without a launch.
   */
  kernel(track: Track, launchedFrom: Track, name: string, times: Times, details: Details): void {
    this.#launched("kernel", track, launchedFrom, name, times, details);
  }

  /** What moves bytes and is neither computing nor communication to analyzers. */
  copy(track: Track, launchedFrom: Track, name: string, times: Times, details: Details): void {
    this.#launched("gpu_memcpy", track, launchedFrom, name, times, details);
  }

  #launched(
    category: "kernel" | "gpu_memcpy",
    track: Track,
    launchedFrom: Track,
    name: string,
    times: Times,
    details: Details,
  ): void {
    const correlation = this.#nextCorrelation();
    const launch = { correlation, cbid: LAUNCH_CALL };
    const launched = { start: times.start, end: times.start };
    this.#slice("cuda_runtime", launchedFrom, "cudaLaunchKernel", launched, launch);
    const where = { device: track.pid, context: 1, stream: track.tid, correlation };
    this.#slice(category, track, name, times, { ...where, ...details });
  }

  /** The host stands still. */
  synchronize(track: Track, times: Times, details: Details): void {
    const call = { correlation: this.#nextCorrelation(), cbid: SYNCHRONIZE_CALL };
    this.#slice("cuda_runtime", track, "cudaStreamSynchronize", times, { ...call, ...details });
  }

  /** A step as PyTorch's profiler marks it; analyzers take iterations from here. */
  profilerStep(track: Track, step: number, times: Times): void {
    this.#slice("user_annotation", track, `ProfilerStep#${step}`, times, {});
  }

  finish(): void {
    this.#file.writeText("\n]}\n");
  }

  close(): void {
    this.#file.close();
  }

  #nextCorrelation(): number {
    this.#correlation += 1;
    return this.#correlation;
  }

  #slice(category: string, { pid, tid }: Track, name: string, { start, end }: Times, details: Details): void {
    const what = `"ph":"X","cat":"${category}","name":${JSON.stringify(name)},"pid":${pid},"tid":${tid}`;
    const when = `"ts":${microsecondsText(start)},"dur":${microsecondsText(end - start)}`;
    this.#event(`${what},${when},"args":${JSON.stringify(details)}`);
  }

  #event(fields: string): void {
    this.#file.writeText(`${this.#isFirst ? "" : ","}\n{${fields}}`);
    this.#isFirst = false;
  }
}
