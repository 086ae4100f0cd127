// How full links are, and how many messages wait for them, as counters of the picture: means over bins of one width, so
// that the file's length does not depend on the number of messages. The area under a counter is exact: time that the
// link was taken, and time that messages waited. Memory: two numbers for each link of a fabric and each bin.

import { type Intervals, lengthOf } from "./intervals.ts";
import type { PerfettoFile } from "./perfetto-json.ts";
import type { LinkGroup, ShownLink } from "./perfetto-links.ts";
import type { Recording } from "./recording-reader.ts";

/** Bins of all links together; measured: a sample takes some 120 bytes, and those that repeat the one before none. */
const SAMPLE_LIMIT = 300_000;
const PICOSECONDS_PER_MICROSECOND = 1_000_000;

/** The narrowest of 1, 2, 5, 10, 20, 50 … µs with which no more than 300,000 bins are needed, in picoseconds. */
export function binWidth(windows: Intervals, linkCount: number): number {
  for (let power = PICOSECONDS_PER_MICROSECOND; ; power *= 10) {
    for (const width of [power, 2 * power, 5 * power]) {
      // A window of any length has at least one bin.
      const bins = Math.ceil(lengthOf(windows) / width) + windows.length / 2;
      if (bins * linkCount <= SAMPLE_LIMIT || width > lengthOf(windows)) return width;
    }
  }
}

export interface CounterOptions {
  readonly recording: Recording;
  readonly output: PerfettoFile;
  readonly windows: Intervals;
  /** In picoseconds; see `binWidth`. */
  readonly bin: number;
  /** Groups with the process of the picture that holds their counters. */
  readonly groups: readonly { readonly pid: number; readonly group: LinkGroup }[];
}

/** Writes a counter of use and one of waiting for each link, fabric by fabric. */
export function writeLinkCounters({ recording, output, windows, bin, groups }: CounterOptions): void {
  const byFabric = new Map<number, (ShownLink & { readonly pid: number })[]>();
  for (const { pid, group } of groups) {
    for (const link of group.links) {
      const ofFabric = byFabric.get(link.fabric) ?? [];
      byFabric.set(link.fabric, ofFabric);
      ofFabric.push({ ...link, pid });
    }
  }
  const bins = new Bins(windows, bin);
  for (const [fabric, links] of byFabric) {
    const series = new Map(links.map(({ link }) => [link, { taken: bins.series(), waiting: bins.series() }]));
    for (const record of recording.records(fabric)) {
      if (record.type !== "hop") continue;
      const ofLink = series.get(record.link);
      if (ofLink === undefined) continue;
      bins.add(ofLink.waiting, record.headAt, record.startAt);
      bins.add(ofLink.taken, record.startAt, record.endAt);
    }
    for (const { link, name, pid } of links) {
      const { taken, waiting } = series.get(link)!;
      writeCounter(output, bins, { pid, name, taken, waiting });
    }
  }
}

/** A sample where one of the two changes, and zeros where a window ends. */
function writeCounter(
  output: PerfettoFile,
  bins: Bins,
  counter: {
    readonly pid: number;
    readonly name: string;
    readonly taken: Float64Array;
    readonly waiting: Float64Array;
  },
): void {
  const { pid, name, taken, waiting } = counter;
  let last = "";
  const write = (at: number, use: number, waits: number): void => {
    if (last === `${use} ${waits}`) return;
    last = `${use} ${waits}`;
    output.counter(pid, name, at, { "use %": use, waiting: waits });
  };
  for (let bin = 0; bin < bins.count; bin++) {
    const width = bins.ends[bin]! - bins.starts[bin]!;
    write(
      bins.starts[bin]!,
      Math.round((1000 * taken[bin]!) / width) / 10,
      Math.round((100 * waiting[bin]!) / width) / 100,
    );
    if (bins.starts[bin + 1] !== bins.ends[bin]) write(bins.ends[bin]!, 0, 0);
  }
}

/** Windows cut into bins from their starts on; the last bin of a window may be narrower. */
class Bins {
  readonly starts: Float64Array;
  readonly ends: Float64Array;
  readonly count: number;

  constructor(windows: Intervals, width: number) {
    const starts: number[] = [];
    const ends: number[] = [];
    for (let i = 0; i < windows.length; i += 2) {
      const end = windows[i + 1]!;
      for (let start = windows[i]!; start < end; start += width) {
        starts.push(start);
        ends.push(Math.min(start + width, end));
      }
    }
    this.starts = Float64Array.from(starts);
    this.ends = Float64Array.from(ends);
    this.count = starts.length;
  }

  series(): Float64Array {
    return new Float64Array(this.count);
  }

  /** Adds the time from `start` to `end` to the bins that it lies in; outside of the windows it counts for nothing. */
  add(series: Float64Array, start: number, end: number): void {
    for (let bin = this.#firstEndingAfter(start); bin < this.count && this.starts[bin]! < end; bin++) {
      const inside = Math.min(end, this.ends[bin]!) - Math.max(start, this.starts[bin]!);
      if (inside > 0) series[bin] = series[bin]! + inside;
    }
  }

  #firstEndingAfter(instant: number): number {
    let low = 0;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.ends[middle]! <= instant) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
