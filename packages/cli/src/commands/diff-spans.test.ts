// Which spans `windtunnel diff` compares with which, where layers of two micro-batches interleave and where the runs have
// different numbers of micro-batches.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import type { Instant } from "@windtunnel/base";
import { HostRecording, mergeRecordings, type SpanName } from "@windtunnel/trace";
import { afterAll, expect, test } from "vitest";
import { createFakeScreen } from "../fake-screen.ts";
import { runProgram } from "../main.ts";
import { SCREEN_WIDTH } from "../report/table.ts";
import type { DiffReport } from "./diff.ts";

const folder = mkdtempSync(path.join(tmpdir(), "windtunnel-diff-spans-"));
afterAll(() => rmSync(folder, { recursive: true }));

const US = 1e6;

/** A name, the start and the end in microseconds, and where it belongs. */
type Written = readonly [SpanName, number, number, { layer?: number; microBatch?: number }?];

/** One decode step of one rank, of 1000 µs. */
function recorded(name: string, spans: readonly Written[]): string {
  const part = path.join(folder, `${name}-part`);
  const host = new HostRecording(part);
  const recorder = host.recorderFor(0);
  const times = (start: number, end: number) => ({
    start: Math.round(start * US) as Instant,
    end: Math.round(end * US) as Instant,
  });
  for (const [span, start, end, { layer = 3, microBatch = 0 } = {}] of spans) {
    const usual = { stream: "compute", sms: 132, rows: 8, held: 0, cause: { kind: "plan" } } as const;
    recorder.span({ step: 0, layer, microBatch, name: span, ...usual, ...times(start, end) });
  }
  recorder.rankStep({ step: 0, kind: "decode", ...times(0, 1000), requests: 1, tokens: 8 });
  host.close();
  const schema = "windtunnel/recording@2";
  const header = { schema, name, seed: 1, timedModel: "m", gpu: "h800", sms: 132 } as const;
  const gpu = { id: 0, kind: "gpu", name: "node 0 · GPU 0", rank: 0, node: 0 } as const;
  const file = path.join(folder, `${name}.bin`);
  mergeRecordings({ ...header, processes: [gpu] }, [part], file);
  return file;
}

async function diffed(...argv: string[]): Promise<string> {
  const screen = createFakeScreen();
  expect(await runProgram(["diff", ...argv], screen)).toBe(0);
  return screen.printed.join("\n");
}

async function spansOf(before: string, after: string): Promise<DiffReport["kinds"][number]["spans"]> {
  return (JSON.parse(await diffed(before, after, "--json")) as DiffReport).kinds[0]!.spans;
}

test("a layer that only waits while another one computes is not the most changed one", async () => {
  // Layer 4 comes between the operations of layer 3, which lasts 200 µs longer and computes as before.
  const run = (middle: number): Written[] => [
    ["gate", 0, 100],
    ["mlp.experts", 100, 100 + middle, { layer: 4, microBatch: 1 }],
    ["mlp.experts", 100 + middle, 200 + middle],
  ];
  const files = [recorded("short", run(300)), recorded("long", run(500))] as const;
  const { mostChangedLayer } = await spansOf(...files);
  expect(mostChangedLayer).toEqual({ layer: 4, beforeUs: 300, afterUs: 500 });
  expect(await diffed(...files)).toContain("4: a rank computes 300 µs before, 500 µs after (+200 µs)");
});

test("spans are summed over micro-batches where the runs have different numbers of them", async () => {
  const whole = recorded("whole", [
    ["gate", 10, 110],
    ["mlp.experts", 110, 310],
  ]);
  const halves = recorded("halves", [
    ["gate", 10, 70],
    ["gate", 70, 130, { microBatch: 1 }],
    ["mlp.experts", 130, 230],
    ["mlp.experts", 230, 330, { microBatch: 1 }],
  ]);
  const spans = await spansOf(whole, halves);
  expect(spans.summedOverMicroBatches).toEqual({ before: 1, after: 2 });
  const [gate, experts] = spans.byName;
  const one = { matched: 1, moved: 1, appeared: 0, vanished: 0 };
  // 2 · 60 instead of 100 µs, from the same start; 2 · 100 instead of 200 µs, 20 µs later.
  expect(gate).toMatchObject({ ...one, meanStartChangeUs: 0, meanDurationChangeUs: 20 });
  expect(experts).toMatchObject({ ...one, meanStartChangeUs: 20, meanDurationChangeUs: 0 });
  expect((await spansOf(halves, halves)).summedOverMicroBatches).toBeNull();
  const text = await diffed(whole, halves);
  expect(text).toContain("1 micro-batch before, 2 after: what a rank does under one name");
  const lines = text.split("\n").slice(3);
  expect(lines.filter((line) => line.length > SCREEN_WIDTH)).toEqual([]);
});

test("a change that is noise is shown as none", async () => {
  // 0.5 ns of 100 µs.
  const before = recorded("quiet", [["gate", 0, 100]]);
  const after = recorded("noisy", [["gate", 0, 100.0005]]);
  const text = await diffed(before, after);
  expect(text).toMatch(/gate +1 +1 +· +· +· +·$/m);
  expect(text).not.toContain("most changed");
});
