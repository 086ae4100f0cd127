import { readFileSync, rmSync } from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { microsecondsText } from "./perfetto-json.ts";
import { type PerfettoOptions, writePerfetto } from "./perfetto.ts";
import { type RecordedMessage, type RecordedSpan } from "./record-layout.ts";
import { openRecording, type Recording } from "./recording-reader.ts";
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
  events = eventsIn(textWith("with-links", true));
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

/** The picture of five ranks, of a recording that `changed` may have changed. */
function textOf(
  name: string,
  options: PerfettoOptions,
  changed: (recording: Recording) => Recording = (recording) => recording,
): string {
  const recording = openRecording(recordedRun({ ...SMALL_RUN, ranks: 5 }, { folder, hosts: 2 }).file);
  const file = path.join(folder, name);
  writePerfetto(changed(recording), file, options);
  recording.close();
  return readFileSync(file, "utf8");
}

function textWith(name: string, links: boolean): string {
  return textOf(name, { links });
}

function eventsIn(text: string): TraceEvent[] {
  return (JSON.parse(text) as { traceEvents: TraceEvent[] }).traceEvents;
}

/** Times in whole picoseconds, from the decimals of the file. */
const picosecondsOf = (us: number | undefined): number => Math.round((us ?? Number.NaN) * 1e6);

function slicesByTrack(shown = events): Map<string, { start: number; end: number }[]> {
  const tracks = new Map<string, { start: number; end: number }[]>();
  for (const { ph, pid, tid, ts, dur } of shown) {
    if (ph !== "X") continue;
    const track = tracks.get(`${pid} ${tid}`) ?? [];
    tracks.set(`${pid} ${tid}`, track);
    track.push({ start: picosecondsOf(ts), end: picosecondsOf(ts) + picosecondsOf(dur) });
  }
  return tracks;
}

/** The recording with its spans and messages changed. */
function withRecords(
  recording: Recording,
  change: {
    readonly span: (record: RecordedSpan) => RecordedSpan;
    readonly message: (record: RecordedMessage) => RecordedMessage;
  },
): Recording {
  return Object.assign(Object.create(recording) as Recording, {
    header: recording.header,
    *records(process: number) {
      for (const record of recording.records(process)) {
        if (record.type === "span") yield change.span(record);
        else if (record.type === "message") yield change.message(record);
        else yield record;
      }
    },
  });
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
    expect(text).not.toContain('"name":"thread_name","args":{"name":"plane 0 / up"}');
    expect(text.length).toBeLessThan(textWith("links", true).length);
  });

  test("of some ranks and steps has their slices and the arrows between them, and nothing that leads elsewhere", () => {
    const selection = { ranks: new Set([1, 4]), steps: new Set([0, 2]) };
    const some = eventsIn(textOf("some", { selection }));
    const withoutArrows = (shown: readonly TraceEvent[]): string[] =>
      shown.filter(({ ph, pid }) => ph === "X" && [2, 5].includes(pid)).map((event) => JSON.stringify(event));
    const expected = events.filter(({ args }) => args?.["step"] !== 1);
    expect(withoutArrows(some)).toEqual(withoutArrows(expected));
    expect(some.filter(({ name, pid }) => name === "process_name" && pid <= 5).map(({ pid }) => pid)).toEqual(
      [2, 5],
    );
    // 2 steps, 2 MoE layers, 2 micro-batches, 2 phases, 2 ranks that each hear of the other.
    const finishes = some.filter(({ ph }) => ph === "f");
    expect(finishes.length).toBe(2 * 2 * 2 * 2 * 2);
    const tracks = slicesByTrack(some);
    const starts = some.filter(({ ph }) => ph === "s");
    expect(starts.map(({ id }) => id)).toEqual(finishes.map(({ id }) => id));
    for (const { pid, tid } of [...starts, ...finishes]) expect(tracks.has(`${pid} ${tid}`)).toBe(true);
    // Requests of other ranks and parts of them in other steps are not shown either.
    const requests = some.filter(({ ph, cat }) => ph === "b" && cat === "request");
    expect(requests.map(({ id }) => id)).toEqual([1, 4]);
    expect(some.filter(({ ph, cat }) => ph === "b" && cat === "request.step").length).toBe(2 * 2);
  });

  test("tells of spans their rows, how long buffers held them and what freed them, and shows the host's waiting", () => {
    const span = { stream: "host", name: "host.wait", rows: 0, held: 0 } as const;
    const held = eventsIn(
      textOf("held", {}, (recording) =>
        withRecords(recording, {
          span: (record) =>
            record.name === "gate"
              ? { ...record, ...span }
              : {
                  ...record,
                  held: Math.floor((record.end - record.start) / 2),
                  cause: { kind: "buffer", span: 7 },
                },
          message: (record) => ({ ...record, queued: 3_000_000, portQueued: 2_000_000, relayed: 500_000 }),
        }),
      ),
    );
    const shared = held.find(({ name, dur = 0 }) => name === "mlp.shared" && dur > 0)!;
    expect(shared.args).toMatchObject({ rows: 16, cause: "buffer free after span 7" });
    expect(picosecondsOf(Number(shared.args!["heldUs"]))).toBe(Math.floor(picosecondsOf(shared.dur) / 2));
    const waits = held.filter(({ name }) => name === "host.wait");
    expect(waits.length).toBe(5 * 3 * 2 * 2);
    expect(Object.keys(waits[0]!.args!)).toEqual(["step", "layer", "microBatch", "sms", "cause", "sequence"]);
    const threads = held.filter(({ name, tid }) => name === "thread_name" && tid === waits[0]!.tid);
    expect(threads.map(({ args }) => args!["name"])).toEqual(Array.from({ length: 5 }, () => "host"));
    const way = {
      queuedUs: 3,
      portQueuedUs: 2,
      relayedUs: 0.5,
      slowestLink: expect.stringMatching(/^plane . \/ up$/),
    };
    expect(held.find(({ ph }) => ph === "f")!.args).toMatchObject(way);
    expect(held.find(({ ph, name }) => ph === "X" && name === "combine")!.args).toMatchObject(way);
  });

  test("prints picoseconds exactly", () => {
    expect(microsecondsText(12_345_678)).toBe("12.345678");
    expect(microsecondsText(12_000_000)).toBe("12");
    expect(microsecondsText(10)).toBe("0.00001");
    expect(microsecondsText(2 ** 53 - 1)).toBe("9007199254.740991");
    expect(microsecondsText(9_007_199_253_999_999)).toBe("9007199253.999999");
  });
});
