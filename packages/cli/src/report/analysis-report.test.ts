import pc from "picocolors";
import type { RunAnalysis, RunOverlap, Suspect } from "@windtunnel/trace";
import { noTime } from "@windtunnel/trace";
import { expect, test } from "vitest";
import { describeSuspect, renderAnalysis, renderFindings } from "./analysis-report.ts";

const colours = pc.createColors(false);
const causesUs = { ...noTime(), computing: 600, "slower-rank": 350, "transfer-nic": 50 };
const communication = {
  totalUs: 200,
  hiddenUs: 150,
  exposedUs: 50,
  hiddenFraction: 0.75,
  waitUs: 9,
  exposedWaitUs: 7,
};
const analysis: RunAnalysis = {
  schema: "windtunnel/analysis@1",
  name: "mine",
  steps: [{ step: 4, kind: "decode", us: 1000, causesUs, pathCausesUs: { ...noTime(), computing: 1000 } }],
  ranks: [],
  byKind: { decode: { steps: 1, us: 1000, causesUs } },
  queues: [{ link: "plane 0 / leaf 0 > spine 1", us: 12 }],
  criticalPath: {
    step: 4,
    pieces: [
      {
        fromUs: 0,
        us: 900,
        kind: "span",
        rank: 1,
        edge: "message",
        what: "mlp.experts",
        layer: 3,
        microBatch: 0,
      },
      {
        fromUs: 900,
        us: 100,
        kind: "flight",
        rank: 0,
        edge: "end",
        what: "combine",
        layer: 3,
        microBatch: 0,
        source: 1,
        link: "plane 0 / node 1 > leaf 0",
      },
    ],
  },
  waits: { ranks: [0, 1], meanUs: [0, 5, 5, 0], findings: [] },
  suspects: [{ kind: "slow-gpu", rank: 1, factor: 1.3, costUs: 210 }],
};
const overlap = {
  communication,
  byStepKind: { decode: communication },
  byRank: [],
  steps: [],
  byExchange: [{ kind: "decode", layer: 3, microBatch: 0, phase: "combine", communication }],
} as unknown as RunOverlap;

test("a report says where the time went, what is suspect, what was hidden, and the path, in 80 columns", () => {
  const text = renderAnalysis({ analysis, overlap, folder: "runs/mine" }, colours);
  for (const part of [
    /waits for slower rank +350 µs +35\.0 % +0\.0 %/,
    /a step +1,000 µs|a step +1\.00 ms +100\.0 %/,
    /1 +rank 1 computes 1\.30 times slower than the others +210 µs/,
    /decode +200 µs +150 µs +50\.0 µs +75\.0 % +7\.00 µs/,
    /combine, half 0 +200 µs/,
    /leaf 0 > spine 1 +12\.0 µs/,
    /Critical path of step 4 \(decode\): 2 pieces on 2 ranks, 1 message\b/,
    /mlp\.experts +1 +900 µs +90\.0 %/,
  ]) {
    expect(text).toMatch(part);
  }
  expect(text).not.toContain("launching");
  expect(Math.max(...text.split("\n").map((line) => line.length))).toBeLessThanOrEqual(80);
});

test.each<[Suspect, string]>([
  [
    { kind: "colliding-routes", link: "plane 0 / leaf 0 > spine 1", factor: null, costUs: 1 },
    "plane 0 / leaf 0 > spine 1: messages queue here, and on no link like it",
  ],
  [
    { kind: "loaded-experts", rank: 3, factor: 2, costUs: 1 },
    "rank 3: its experts get 2.00 times the mean of rows",
  ],
  [
    { kind: "serialized-micro-batches", phase: "dispatch", microBatch: 1, factor: null, costUs: 1 },
    "the schedule waits for the dispatch of micro-batch 1 while the other could compute",
  ],
])("a suspect is described in words: %#", (suspect, words) => {
  expect(describeSuspect(suspect)).toBe(words);
});

test("what stands out among the waits is named", () => {
  const usual = { meanUs: 30, overallUs: 10 };
  const findings = [
    { kind: "column", source: 5, ...usual },
    { kind: "row", receiver: 2, ...usual },
    { kind: "point", receiver: 6, source: 1, ...usual },
  ] as const;
  expect(renderFindings({ ...analysis, waits: { ...analysis.waits, findings } }).split("\n")).toEqual([
    "  All wait for rank 5: a slow rank. 30.0 µs, over all ranks 10.0 µs",
    "  Rank 2 waits for all: a slow receiver. 30.0 µs, over all ranks 10.0 µs",
    "  Rank 6 waits for rank 1: a slow path. 30.0 µs, over all ranks 10.0 µs",
  ]);
});
