import { readFileSync, rmSync } from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { microsecondsText } from "./perfetto-json.ts";
import { writePerfetto } from "./perfetto.ts";
import { openRecording } from "./recording-reader.ts";
import { recordedRun, SMALL_RUN, temporaryFolder } from "./test-recordings.ts";

interface TraceEvent {
  readonly ph: string;
  readonly pid: number;
  readonly tid: number;
  readonly name: string;
  readonly id?: number;
  readonly cat?: string;
  readonly ts?: number;
  readonly dur?: number;
  readonly args?: Record<string, string | number>;
}

let folder = "";
let events: TraceEvent[] = [];
beforeAll(() => {
  folder = temporaryFolder();
  events = eventsWith("with-links", true);
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

function textWith(name: string, links: boolean): string {
  const recording = openRecording(recordedRun({ ...SMALL_RUN, ranks: 5 }, { folder, hosts: 2 }).file);
  const file = path.join(folder, name);
  writePerfetto(recording, file, { links });
  recording.close();
  return readFileSync(file, "utf8");
}

function eventsWith(name: string, links: boolean): TraceEvent[] {
  return (JSON.parse(textWith(name, links)) as { traceEvents: TraceEvent[] }).traceEvents;
}

/** Times in whole picoseconds, from the decimals of the file. */
const picosecondsOf = (us: number | undefined): number => Math.round((us ?? Number.NaN) * 1e6);

function slicesByTrack(): Map<string, { start: number; end: number }[]> {
  const tracks = new Map<string, { start: number; end: number }[]>();
  for (const { ph, pid, tid, ts, dur } of events) {
    if (ph !== "X") continue;
    const track = tracks.get(`${pid} ${tid}`) ?? [];
    tracks.set(`${pid} ${tid}`, track);
    track.push({ start: picosecondsOf(ts), end: picosecondsOf(ts) + picosecondsOf(dur) });
  }
  return tracks;
}

describe("the Perfetto file", () => {
  test("has slices that nest or are disjoint on every thread", () => {
    const tracks = slicesByTrack();
    expect(tracks.size).toBeGreaterThan(5 * 3);
    for (const slices of tracks.values()) {
      slices.sort((a, b) => a.start - b.start || b.end - a.end);
      const open: number[] = [];
      for (const { start, end } of slices) {
        while (open.length > 0 && open.at(-1)! <= start) open.pop();
        if (open.length > 0) expect(end).toBeLessThanOrEqual(open.at(-1)!);
        open.push(end);
      }
    }
  });

  test("has an arrow for every message, from a slice to a later or equal instant in a slice", () => {
    const tracks = slicesByTrack();
    const starts = new Map(events.filter(({ ph }) => ph === "s").map((event) => [event.id, event]));
    const finishes = events.filter(({ ph }) => ph === "f");
    // 3 steps, 2 MoE layers, 2 micro-batches, 2 phases, 5 ranks that each hear of 4 others.
    expect(finishes.length).toBe(3 * 2 * 2 * 2 * 5 * 4);
    expect(starts.size).toBe(finishes.length);
    const lieInSlice = ({ pid, tid, ts }: TraceEvent): boolean =>
      tracks
        .get(`${pid} ${tid}`)!
        .some(({ start, end }) => start <= picosecondsOf(ts) && picosecondsOf(ts) <= end);
    for (const finish of finishes) {
      const start = starts.get(finish.id)!;
      expect(start.pid).toBe(Number(finish.args!["source"]) + 1);
      expect(finish.ts!).toBeGreaterThanOrEqual(start.ts!);
      expect(lieInSlice(start)).toBe(true);
      expect(lieInSlice(finish)).toBe(true);
    }
  });

  test("names processes after GPUs and threads after streams and links", () => {
    const names = events.filter(({ name }) => name.endsWith("_name")).map(({ args }) => args!["name"]);
    expect(names).toContain("node 1 · GPU 1");
    expect(names).toContain("communication");
    expect(names).toContain("in flight: combine, micro-batch 1");
    expect(names).toContain('plane 0 / "down"');
    expect(names).toContain("scheduler");
    const requests = events.filter(({ ph, cat }) => ph === "b" && cat === "request");
    expect(requests.map(({ id }) => id)).toEqual([0, 1, 2, 3, 4]);
  });

  test("is the same bytes whenever it is written, and leaves links out unless asked", () => {
    const text = textWith("once", false);
    expect(textWith("twice", false)).toBe(text);
    expect(text).not.toContain('"name":"plane 0 / up"');
    expect(text.length).toBeLessThan(textWith("links", true).length);
  });

  test("prints picoseconds exactly", () => {
    expect(microsecondsText(12_345_678)).toBe("12.345678");
    expect(microsecondsText(12_000_000)).toBe("12");
    expect(microsecondsText(10)).toBe("0.00001");
    expect(microsecondsText(2 ** 53 - 1)).toBe("9007199254.740991");
    expect(microsecondsText(9_007_199_253_999_999)).toBe("9007199253.999999");
  });
});
