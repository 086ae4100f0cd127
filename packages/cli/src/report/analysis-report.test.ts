import pc from "picocolors";
import type { RunAnalysis, RunOverlap, Suspect } from "@windtunnel/trace";
import { noTime } from "@windtunnel/trace";
import { expect, test } from "vitest";
import { describeSuspect, renderAnalysis, renderFindings, renderPathPieces } from "./analysis-report.ts";

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
    "  Messages of rank 5 arrive late everywhere: a slow rank. 30.0 µs, mean of all",
    "    10.0 µs",
    "  Rank 2 gets messages latest after its own send: early, or a slow receiver.",
    "    30.0 µs, mean of all 10.0 µs",
    "  Rank 6 gets rank 1's messages late: a slow path. 30.0 µs, mean of all 10.0 µs",
  ]);
});

test("communication is that of one step", () => {
  const byKind = { decode: { steps: 4, us: 1000, causesUs } };
  const text = renderAnalysis({ analysis: { ...analysis, byKind }, overlap, folder: "mine" }, colours);
  expect(text).toContain("Communication of a step, mean over GPUs; half: micro-batch");
  // 200, 150, 50 and 7 µs of four steps.
  expect(text).toMatch(/decode +50\.0 µs +37\.5 µs +12\.5 µs +75\.0 % +1\.75 µs/);
  expect(text).toMatch(/combine, half 0 +50\.0 µs/);
});

test("a long suspect is continued on a line of its own, whole", () => {
  const long = { kind: "serialized-micro-batches", phase: "dispatch", microBatch: 1 } as const;
  const suspects = [{ ...long, factor: null, costUs: 21 }];
  const text = renderAnalysis({ analysis: { ...analysis, suspects }, overlap, folder: "mine" }, colours);
  expect(text).toContain("what each adds to a step, at most about");
  expect(text).toMatch(
    /\n {2}1 {2}the schedule waits for the dispatch of micro-batch 1 while the +21\.0 µs\n {7}other could compute\n/,
  );
});

test("operations of the path that have no row of their own are summed in the last one", () => {
  const names = Array.from({ length: 10 }, (_, index) => `operation ${index}`);
  const pieces = names.map((what, index) => ({
    ...analysis.criticalPath.pieces[0]!,
    what,
    us: index < 8 ? 10 : 5,
  }));
  const long = { ...analysis, criticalPath: { step: 4, pieces } };
  const text = renderAnalysis({ analysis: long, overlap, folder: "mine" }, colours);
  // 2 · 5 of 8 · 10 + 2 · 5 µs.
  expect(text).toMatch(/and 2 more +2 +10\.0 µs +11\.1 %$/);
});

test("links of the path are whole where the screen is wide enough", () => {
  expect(renderPathPieces(analysis, { width: 120, colours })).toContain("plane 0 / node 1 > leaf 0");
  const narrow = renderPathPieces(analysis, { width: 73, colours });
  expect(narrow).toMatch(/plane 0 \/ .*…/);
  expect(Math.max(...narrow.split("\n").map((line) => line.length))).toBeLessThanOrEqual(73);
});
