import { readFileSync, rmSync } from "node:fs";
import path from "node:path";
import type { Instant } from "@windtunnel/base";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { binWidth } from "./perfetto-counters.ts";
import { type PerfettoOptions, writePerfetto } from "./perfetto.ts";
import { mergeRecordings } from "./recording-merge.ts";
import { openRecording } from "./recording-reader.ts";
import { HostRecording } from "./recording-writer.ts";
import type { RecordedProcess, RecordingHeader } from "./records.ts";
import { temporaryFolder } from "./test-recordings.ts";

const US = 1_000_000;

/** Two nodes of two GPUs, the NVLink and PCIe of node 0, a plane of one NIC for each node, two leaves and a spine. */
const NODE_LINKS = ["node 0 nvlink / gpu 0 > switch", "node 0 pcie / gpu 0 > root"];
const PLANE_LINKS = [
  "plane 0 / node 0 > leaf 0",
  "plane 0 / leaf 1 > node 1",
  "plane 0 / leaf 0 > spine 0",
  "plane 0 / spine 0 > leaf 1",
  "plane 0 / node 1 > leaf 1",
];
const SCHEDULER = 6;
const PROCESSES: readonly RecordedProcess[] = [
  ...[0, 1, 2, 3].map((rank): RecordedProcess => {
    return { id: rank, kind: "gpu", name: `gpu ${rank}`, rank, node: rank >> 1 };
  }),
  { id: 4, kind: "fabric", name: "node 0 · NVLink", wire: "nvlink", links: NODE_LINKS },
  { id: 5, kind: "fabric", name: "plane 0", wire: "nic", links: PLANE_LINKS },
  { id: SCHEDULER, kind: "scheduler", name: "scheduler" },
];
const HEADER: RecordingHeader = {
  schema: "windtunnel/recording@2",
  name: "links",
  seed: 1,
  timedModel: "deepseek-v3",
  gpu: "h800",
  sms: 132,
  processes: PROCESSES,
};

interface TraceEvent {
  readonly ph: string;
  readonly pid: number;
  readonly name: string;
  readonly ts: number;
  readonly args: Record<string, string | number>;
}

let folder = "";
beforeAll(() => {
  folder = temporaryFolder();
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

type Hop = [fabric: number, link: number, source: number, target: number, ...times: [number, number, number]];

/** Steps 0 and 1 of 100 µs each, with a pause of 10 µs between them; times in microseconds. */
function eventsOf(hops: readonly Hop[], options: PerfettoOptions = {}): TraceEvent[] {
  const host = new HostRecording(path.join(folder, "host"));
  for (const [fabric, link, source, target, headAt, startAt, endAt] of hops) {
    host.recorderFor(fabric).hop(source, target, 0, link, headAt * US, startAt * US, endAt * US);
  }
  for (const [step, start] of [10, 120].entries()) {
    const times = { start: (start * US) as Instant, end: ((start + 100) * US) as Instant };
    host.recorderFor(SCHEDULER).step({ step, kind: "decode", ...times, requests: 1, tokens: 1 });
  }
  host.close();
  const merged = path.join(folder, "recording");
  mergeRecordings(HEADER, [path.join(folder, "host")], merged);
  const recording = openRecording(merged);
  const file = path.join(folder, "trace.json");
  writePerfetto(recording, file, options);
  recording.close();
  return (JSON.parse(readFileSync(file, "utf8")) as { traceEvents: TraceEvent[] }).traceEvents;
}

function samplesOf(
  events: readonly TraceEvent[],
  name: string,
): [at: number, use: number, waiting: number][] {
  return events
    .filter((event) => event.ph === "C" && event.name === name)
    .map(({ ts, args }) => [ts, Number(args["use %"]), Number(args["waiting"])]);
}

describe("counters of links", () => {
  test("are the time that a link was taken and that messages waited, as means over bins", () => {
    const events = eventsOf([
      // Taken for half of a bin and the two after it; two more wait behind it, one of them over the end of step 0.
      [5, 0, 0, 2, 40.5, 40.5, 43],
      [5, 0, 1, 2, 41, 43, 44],
      [5, 0, 1, 3, 109, 111, 130],
    ]);
    expect(samplesOf(events, PLANE_LINKS[0]!)).toEqual([
      [10, 0, 0],
      [40, 50, 0],
      [41, 100, 1],
      [43, 100, 0],
      [44, 0, 0],
      [109, 0, 1],
      // Between the steps nothing is counted.
      [110, 0, 0],
      [120, 100, 0],
      [130, 0, 0],
    ]);
  });

  test("of the selected steps and of links that carried something then", () => {
    const hops: Hop[] = [
      [4, 0, 0, 1, 20, 20, 30],
      [5, 0, 0, 2, 120, 120, 140],
    ];
    const events = eventsOf(hops, { selection: { ranks: "all", steps: new Set([1]) } });
    const counters = events.filter(({ ph }) => ph === "C");
    expect(new Set(counters.map(({ name }) => name))).toEqual(new Set([PLANE_LINKS[0]]));
    expect(counters.map(({ ts }) => ts)).toEqual([120, 140]);
  });

  test("of links that a selected rank's messages crossed, at its own node or between switches, with all traffic", () => {
    const hops: Hop[] = [
      [4, 0, 0, 1, 20, 20, 30],
      [5, 0, 0, 2, 20, 20, 30],
      [5, 2, 0, 2, 20, 20, 30],
      [5, 2, 0, 3, 30, 30, 40],
      [5, 3, 0, 3, 30, 30, 40],
      [5, 1, 0, 2, 20, 20, 30],
      [5, 4, 3, 2, 20, 20, 30],
    ];
    const events = eventsOf(hops, { selection: { ranks: new Set([2]), steps: "all" } });
    const names = new Set(events.filter(({ ph }) => ph === "C").map(({ name }) => name));
    // The link 0 hangs on node 0; the link 3 carried nothing of rank 2, the link 4 only what came to it.
    expect(names).toEqual(new Set([PLANE_LINKS[1], PLANE_LINKS[2], PLANE_LINKS[4]]));
    expect(samplesOf(events, PLANE_LINKS[2]!)).toEqual([
      [10, 0, 0],
      [20, 100, 0],
      [40, 0, 0],
    ]);
  });

  test("stand in groups: a node's NVLink, PCIe and NICs behind its GPUs, and what joins switches behind all nodes", () => {
    const everyLink = (fabric: number, links: readonly string[]): Hop[] =>
      links.map((_, link) => [fabric, link, 0, 2, 20, 20, 30]);
    const events = eventsOf([...everyLink(4, NODE_LINKS), ...everyLink(5, PLANE_LINKS)]);
    const args = (event: string): Map<number, string | number> =>
      new Map(
        events.filter(({ name }) => name === event).map(({ pid, args }) => [pid, Object.values(args)[0]!]),
      );
    const places = args("process_sort_index");
    const names = args("process_name");
    expect(names.size).toBe(places.size);
    const fromTheTop = [...names].sort(([a], [b]) => Number(places.get(a)) - Number(places.get(b)));
    expect(fromTheTop.map(([, name]) => name)).toEqual([
      "scheduler",
      "node 0 · GPU 0",
      "node 0 · GPU 1",
      "node 0 · NVLink",
      "node 0 · PCIe",
      "node 0 · NICs",
      "node 1 · GPU 0",
      "node 1 · GPU 1",
      "node 1 · NICs",
      "plane 0 · between switches",
    ]);
    const pidOf = (name: string): number => fromTheTop.find(([, process]) => process === name)![0];
    const counters = events.filter(({ ph }) => ph === "C");
    expect(counters.find(({ name }) => name === PLANE_LINKS[1])!.pid).toBe(pidOf("node 1 · NICs"));
    expect(counters.find(({ name }) => name === PLANE_LINKS[3])!.pid).toBe(
      pidOf("plane 0 · between switches"),
    );
  });

  test("have bins as narrow as 300,000 samples allow", () => {
    expect(binWidth([10 * US, 110 * US], 7)).toBe(US);
    // 80 ms on 200 links: 1,500 bins for each, of 53 µs at least.
    expect(binWidth([0, 80_000 * US], 200)).toBe(100 * US);
    expect(binWidth([0, 40_000 * US, 50_000 * US, 90_000 * US], 200)).toBe(100 * US);
    expect(binWidth([0, 80_000 * US], 1_000_000)).toBe(100_000 * US);
    expect(binWidth([], 200)).toBe(US);
  });
});
