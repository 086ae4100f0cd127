// The Chrome JSON trace format, which Perfetto reads: one event a line, streamed to the disk. It knows processes,
// threads, slices, flows and counters, and nothing of GPUs. Times are printed from integers, so no rounding can differ.

import { AppendedFile } from "./appended-file.ts";

/** Where a slice lies: process and thread of the picture, not of an operating system. */
export interface Track {
  readonly pid: number;
  readonly tid: number;
}

export type Arguments = Readonly<Record<string, string | number>>;

/** Picoseconds as microseconds in decimal, exactly: 12345678 is 12.345678. */
export function microsecondsText(picoseconds: number): string {
  const fraction = picoseconds % 1_000_000;
  const whole = (picoseconds - fraction) / 1_000_000;
  if (fraction === 0) return String(whole);
  return `${whole}.${String(fraction).padStart(6, "0").replace(/0+$/, "")}`;
}

export class PerfettoFile {
  readonly #file: AppendedFile;
  #isFirst = true;

  constructor(file: string, otherData: Readonly<Record<string, string | number>>) {
    this.#file = new AppendedFile(file);
    this.#file.writeText(`{"displayTimeUnit":"ns","otherData":${JSON.stringify(otherData)},"traceEvents":[`);
  }

  /** Names a process and gives its place from the top. */
  process(pid: number, name: string, sortIndex: number): void {
    this.#event(`"ph":"M","pid":${pid},"name":"process_name","args":{"name":${JSON.stringify(name)}}`);
    this.#event(`"ph":"M","pid":${pid},"name":"process_sort_index","args":{"sort_index":${sortIndex}}`);
  }

  thread({ pid, tid }: Track, name: string): void {
    const where = `"ph":"M","pid":${pid},"tid":${tid}`;
    this.#event(`${where},"name":"thread_name","args":{"name":${JSON.stringify(name)}}`);
    this.#event(`${where},"name":"thread_sort_index","args":{"sort_index":${tid}}`);
  }

  /** Something on a thread from `start` to `end`, in picoseconds. */
  slice(track: Track, name: string, start: number, end: number, details: Arguments): void {
    const times = `"ts":${microsecondsText(start)},"dur":${microsecondsText(end - start)}`;
    this.#event(`"ph":"X",${whereText(track)},"name":"${name}",${times},"args":${JSON.stringify(details)}`);
  }

  /** Something that may overlap others of its kind: slices with one `id` share a track, and nest there. */
  concurrent(
    pid: number,
    what: { category: string; id: number; name: string },
    start: number,
    end: number,
  ): void {
    const head = `"cat":"${what.category}","id":${what.id},"pid":${pid},"tid":0,"name":"${what.name}"`;
    this.#event(`"ph":"b",${head},"ts":${microsecondsText(start)}`);
    this.#event(`"ph":"e",${head},"ts":${microsecondsText(end)}`);
  }

  /** An arrow out of the slice around `at`. */
  flowStart(track: Track, id: number, name: string, at: number): void {
    this.#event(
      `"ph":"s","cat":"message","id":${id},${whereText(track)},"name":"${name}","ts":${microsecondsText(at)}`,
    );
  }

  /** The arrow's point, in the slice around `at`. */
  flowFinish(track: Track, id: number, name: string, at: number, details: Arguments): void {
    const head = `"ph":"f","bp":"e","cat":"message","id":${id},${whereText(track)},"name":"${name}"`;
    this.#event(`${head},"ts":${microsecondsText(at)},"args":${JSON.stringify(details)}`);
  }

  /** Values of a process that hold from `at` on, each on a track of its own. */
  counter(pid: number, name: string, at: number, values: Arguments): void {
    const head = `"ph":"C","pid":${pid},"name":${JSON.stringify(name)}`;
    this.#event(`${head},"ts":${microsecondsText(at)},"args":${JSON.stringify(values)}`);
  }

  finish(): void {
    this.#file.writeText("\n]}\n");
  }

  close(): void {
    this.#file.close();
  }

  #event(fields: string): void {
    this.#file.writeText(`${this.#isFirst ? "" : ","}\n{${fields}}`);
    this.#isFirst = false;
  }
}

function whereText({ pid, tid }: Track): string {
  return `"pid":${pid},"tid":${tid}`;
}

/** Deals slices out to threads so that no two on a thread overlap: lane 0 wherever that is free. */
export class Lanes {
  readonly #ends: number[] = [];

  /** The lane for a slice; an empty slice holds it too, so that it never lies at another's start. */
  place(start: number, end: number): number {
    let lane = this.#ends.findIndex((lastEnd) => lastEnd <= start);
    if (lane === -1) lane = this.#ends.length;
    this.#ends[lane] = end;
    return lane;
  }

  get count(): number {
    return this.#ends.length;
  }
}
