import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { type Instant, WorldError } from "@windtunnel/base";
import {
  HostRecording,
  mergeRecordings,
  openRecording,
  type Recording,
  type SpanName,
} from "@windtunnel/trace";
import pc from "picocolors";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { renderTimeline } from "./timeline-picture.ts";

const folder = mkdtempSync(path.join(tmpdir(), "windtunnel-timeline-"));
let recording: Recording;
const colours = pc.createColors(false);
const US = 1e6;

type Written = readonly [SpanName, number, number, { layer?: number; microBatch?: number; stream?: "host" }?];

/** Two micro-batches of layer 3 between others; a microsecond is a cell where 40 cells are drawn. */
const SPANS: readonly Written[] = [
  ["mlp.experts", 0, 10, { layer: 2 }],
  ["host.wait", 0, 16, { stream: "host" }],
  ["attention.core", 10, 20],
  ["gate", 20, 20.4],
  ["dispatch.send", 20.4, 22],
  ["attention.core", 22, 25, { microBatch: 1 }],
  ["mlp.experts", 28, 48],
  ["gate", 48.1, 48.3, { microBatch: 1 }],
  ["combine.receive", 49, 50],
  ["attention.project", 50, 60, { layer: 4 }],
];

beforeAll(() => {
  const part = path.join(folder, "part");
  const host = new HostRecording(part);
  const gpus = [0, 1, 2].map((rank) => ({
    id: rank,
    kind: "gpu" as const,
    name: `node 0 · GPU ${rank}`,
    rank,
    node: 0,
  }));
  for (const { id } of gpus) {
    const recorder = host.recorderFor(id);
    for (const [name, start, end, { layer = 3, microBatch = 0, stream = "compute" } = {}] of SPANS) {
      const times = { start: (start * US) as Instant, end: (end * US) as Instant };
      // Rank 1 has twice the experts' work, rank 2 half of it, both within the same time.
      const longer =
        name === "mlp.experts" && layer === 3 ? { start: ((28 + 4 * [1, 0, 2][id]!) * US) as Instant } : {};
      const usual = { sms: 132, rows: 8, held: 0, cause: { kind: "stream" } } as const;
      recorder.span({ step: 0, layer, microBatch, name, stream, ...times, ...longer, ...usual });
    }
    recorder.message({
      step: 0,
      layer: 3,
      microBatch: 0,
      phase: "dispatch",
      source: (id + 1) % 3,
      sendSpan: 4,
      sendStart: 0 as Instant,
      sentAt: (21 * US) as Instant,
      arrivedAt: (28 * US) as Instant,
      bytes: 1000,
      queued: 0,
      portQueued: 0,
      relayed: 0,
      transfer: 0,
      slowestProcess: 0,
      slowestLink: 0,
      limitingProcess: 0,
      limitingLink: 0,
    });
    const whole = { start: 0 as Instant, end: (60 * US) as Instant };
    recorder.rankStep({ step: 0, kind: "decode", ...whole, requests: 1, tokens: 8 });
  }
  host.close();
  const schema = "windtunnel/recording@2";
  const header = { schema, name: "small", seed: 1, timedModel: "m", gpu: "h800", sms: 132 } as const;
  const file = path.join(folder, "recording.bin");
  mergeRecordings({ ...header, processes: gpus }, [part], file);
  recording = openRecording(file);
});
afterAll(() => {
  recording.close();
  rmSync(folder, { recursive: true });
});

describe("a timeline", () => {
  test("shows a rank's streams and what is in flight to it, a microsecond a cell", () => {
    // 40 cells beside 16 of labels and 2 of edges: from 10 µs, where layer 3 begins, to 50.
    const lines = renderTimeline(recording, { width: 58, colours, ranks: [1] }).split("\n");
    expect(lines).toEqual([
      "Layer 3 of decode step 0: 40.0 µs, 1.00 µs a cell",
      "              µs 0         10        20        30",
      "                ┌──────────┴─────────┴─────────┴─────────┐",
      "rank 1: 84 % computing; in flight 43 % hidden",
      "  compute       │A0AAAAAAAAd0A1A   M0MMMMMMMMMMMMMMMMMMGC│",
      "  host          │w0wwww                                  │",
      "  in flight 0   │           D░░░███                      │",
      "  A attention  G gate  M experts",
      "  d c send dispatch, combine  D C receive, in flight",
      "  w host waits  A1 of micro-batch 1",
      "  ░ hidden under computing  █ exposed",
      "  too short to see: gate",
    ]);
  });

  test("draws other layers' spans hollow, and no numbers where there is one micro-batch", () => {
    // Of layer 2 there are 10 µs on micro-batch 0, a quarter of one in each cell. The host waits for layer 3 meanwhile.
    const layers = { first: 2, last: 2 };
    const lines = renderTimeline(recording, { width: 58, colours, ranks: [0], layers }).split("\n");
    expect(lines[0]).toBe("Layer 2 of decode step 0: 10.0 µs, 250 ns a cell");
    expect(lines[4]).toBe(`  compute       │${"M".repeat(40)}│`);
    expect(lines[5]).toBe(`  host          │w${"-".repeat(39)}│`);
    expect(lines[6]).toBe("  M experts  w host waits  A-- of another layer");
  });

  test("shows the rank that computes longest and the median, where none are named", () => {
    const rankLines = (width: number): string[] =>
      renderTimeline(recording, { width, colours })
        .split("\n")
        .filter((line) => line.startsWith("rank"));
    expect(rankLines(80)).toEqual([
      "rank 1, slowest, in this window: 84 % computing; 1.00 kB in flight, 43 % hidden",
      "rank 0, median, in this window: 74 % computing; 1.00 kB in flight, 43 % hidden",
    ]);
    expect(rankLines(120)[1]).toContain("rank 0, median, node 0 · GPU 0, in this window: 74 % computing;");
  });

  test.each([40, 58, 60, 80, 120, 200])("keeps to %i columns", (width) => {
    for (const isColoured of [false, true]) {
      const text = renderTimeline(recording, { width, colours: pc.createColors(isColoured) });
      // oxlint-disable-next-line no-control-regex -- what colours a terminal
      const plain = text.replaceAll(/\u001B\[[\d;]*m/g, "");
      expect(plain.split("\n").filter((line) => line.length > width)).toEqual([]);
      expect(plain).toBe(renderTimeline(recording, { width, colours }));
    }
  });

  test.each([
    [{ ranks: [7] }, "rank 7 is not in", "allowed: 0-2"],
    [{ step: 4 }, "step 4 is not in", "allowed: 0"],
    [{ layers: { first: 8, last: 9 } }, "step 0 has nothing of layers 8-9", "allowed: 2-4"],
  ])("refuses %j", (options, message, allowed) => {
    const draw = (): string => renderTimeline(recording, { colours, ...options });
    expect(draw).toThrow(WorldError);
    expect(draw).toThrow(message);
    expect(draw).toThrow(allowed);
  });
});
