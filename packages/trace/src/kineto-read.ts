// Reads a trace of PyTorch's profiler (Kineto), anybody's: `.json` or `.json.gz`, formatted or in one line. It takes the
// kernels of each GPU out of it and knows nothing of what they do. The file is cut into events by their brackets, and
// each is parsed alone, so that a trace of any length needs its bytes and its kernels in memory and no more.
// Whatever is wrong with a file is wrong input, and the message says where.

import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { inputError, type WorldError } from "@windtunnel/base";
import { JsonCursor, JsonDamage } from "./json-cursor.ts";

/** A kernel: picoseconds since the file's first kernel. */
export interface KinetoKernel {
  readonly name: string;
  readonly start: number;
  readonly end: number;
}

/** The kernels of one GPU as one process of the trace knows it, in the file's order. */
export interface KinetoDevice {
  /** `GPU 0`, and of which process where that is another number, as in traces of several ranks that were merged. */
  readonly name: string;
  readonly kernels: readonly KinetoKernel[];
}

export interface KinetoTrace {
  readonly file: string;
  /** Of `distributedInfo`; null where the trace does not say. */
  readonly rank: number | null;
  readonly worldSize: number | null;
  readonly eventCount: number;
  /** Kernels without a time or with a negative one, which profilers write now and then; they are left out. */
  readonly skippedKernels: number;
  /** In the order in which the file first has a kernel of them. */
  readonly devices: readonly KinetoDevice[];
}

/** Copies and fills of memory are `gpu_memcpy` and `gpu_memset`: neither computing nor communication, and left out. */
const KERNEL_CATEGORIES: ReadonlySet<unknown> = new Set(["kernel", "Kernel"]);
const ALLOWED = "a trace that PyTorch's profiler exported, as .json or .json.gz";

/** Throws input errors. */
export function readKineto(file: string): KinetoTrace {
  const bytes = readBytes(file);
  const reader = new KernelReader();
  const head = new Map<string, unknown>();
  let hasEvents = false;
  try {
    const cursor = new JsonCursor(bytes);
    const takeEvents = (): void => {
      hasEvents = true;
      for (const event of cursor.elements()) reader.add(event);
    };
    // Chrome's format may also be the bare list of events.
    if (cursor.isAtList) takeEvents();
    else {
      for (const name of cursor.members()) {
        if (name === "traceEvents" && cursor.isAtList) takeEvents();
        else head.set(name, cursor.value());
      }
    }
    cursor.end();
  } catch (error) {
    if (!(error instanceof JsonDamage)) throw error;
    throw refused(file, `not JSON: ${error.message}`);
  }
  if (!hasEvents) {
    throw refused(file, `no list "traceEvents"; its fields: ${[...head.keys()].join(", ") || "none"}`);
  }
  return reader.trace(file, head.get("distributedInfo"));
}

function refused(file: string, found: string): WorldError {
  return inputError(`${file}: ${found}; allowed: ${ALLOWED}`, { file, found, allowed: ALLOWED });
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file",
  ENOTDIR: "there is no such file",
  EISDIR: "this is a folder",
  EACCES: "this file can't be read (permission denied)",
  ERR_FS_FILE_TOO_LARGE: "the file is longer than 2 GiB; record fewer steps, or compress it to .json.gz",
  ERR_BUFFER_TOO_LARGE: "the file is too long when it is uncompressed; record fewer steps",
  Z_DATA_ERROR: "the gzip file is damaged; copy it again",
  Z_BUF_ERROR: "the gzip file is cut off; copy it again",
};

function readBytes(file: string): Buffer {
  try {
    const bytes = readFileSync(file);
    const isGzip = bytes[0] === 0x1f && bytes[1] === 0x8b;
    return isGzip ? gunzipSync(bytes) : bytes;
  } catch (error) {
    const found = REASONS[(error as NodeJS.ErrnoException).code ?? ""];
    if (found === undefined) throw error;
    throw refused(file, found);
  }
}

interface RawKernel {
  readonly name: string;
  readonly ts: number;
  readonly dur: number;
}

/** Gathers kernels by device as events come. */
class KernelReader {
  readonly #devices = new Map<string, RawKernel[]>();
  readonly #categories = new Map<string, number>();
  /** Names repeat thousands of times, and some are a page long: each is kept once. */
  readonly #names = new Map<string, string>();
  #eventCount = 0;
  #skippedKernels = 0;

  add(value: unknown): void {
    this.#eventCount += 1;
    if (typeof value !== "object" || value === null) return;
    const event = value as Readonly<Record<string, unknown>>;
    const category = event["cat"];
    if (!KERNEL_CATEGORIES.has(category)) {
      if (typeof category !== "string") return;
      this.#categories.set(category, (this.#categories.get(category) ?? 0) + 1);
      return;
    }
    const ts = Number(event["ts"] ?? NaN);
    const dur = Number(event["dur"] ?? NaN);
    if (!Number.isFinite(ts) || !Number.isFinite(dur) || dur < 0) {
      this.#skippedKernels += 1;
      return;
    }
    const device = deviceName(event);
    const kernels = this.#devices.get(device);
    const kernel = { name: this.#sameName(event["name"]), ts, dur };
    if (kernels === undefined) this.#devices.set(device, [kernel]);
    else kernels.push(kernel);
  }

  #sameName(value: unknown): string {
    const name = typeof value === "string" ? value : "(no name)";
    const known = this.#names.get(name);
    if (known === undefined) this.#names.set(name, name);
    return known ?? name;
  }

  trace(file: string, distributedInfo: unknown): KinetoTrace {
    if (this.#devices.size === 0) throw this.#noKernels(file);
    let first = Infinity;
    for (const kernels of this.#devices.values()) for (const { ts } of kernels) first = Math.min(first, ts);
    // Differences of times of one trace are small, so that picoseconds hold them exactly however large the times are.
    const picoseconds = (us: number): number => Math.round(us * 1e6);
    const { rank, world_size: worldSize } = (distributedInfo ?? {}) as Readonly<Record<string, unknown>>;
    return {
      file,
      rank: typeof rank === "number" ? rank : null,
      worldSize: typeof worldSize === "number" ? worldSize : null,
      eventCount: this.#eventCount,
      skippedKernels: this.#skippedKernels,
      devices: [...this.#devices].map(([name, kernels]) => ({
        name,
        kernels: kernels.map(({ name: kernel, ts, dur }) => {
          const start = picoseconds(ts - first);
          return { name: kernel, start, end: start + picoseconds(dur) };
        }),
      })),
    };
  }

  #noKernels(file: string): WorldError {
    const counts = [...this.#categories]
      .sort((a, b) => b[1] - a[1])
      .map(([name, count]) => `${count} ${name}`);
    const skipped = this.#skippedKernels === 0 ? "" : `, and ${this.#skippedKernels} kernels without times`;
    return refused(
      file,
      `no GPU kernel with a time among its ${this.#eventCount} events; ` +
        `events by category: ${counts.slice(0, 8).join(", ") || "none has one"}${skipped}. ` +
        "Record with ProfilerActivity.CUDA; for a run of Windtunnel, `windtunnel export RUN --kineto DIR`",
    );
  }
}

/** A kernel's process is its GPU, except in traces of several ranks that were merged: there both tell it. */
function deviceName({ pid, args }: Readonly<Record<string, unknown>>): string {
  const device = (args as Readonly<Record<string, unknown>> | null | undefined)?.["device"];
  const process = typeof pid === "number" || typeof pid === "string" ? String(pid) : "?";
  if (typeof device !== "number" && typeof device !== "string") return `GPU ${process}`;
  return String(device) === process ? `GPU ${device}` : `GPU ${device} of process ${process}`;
}
