import { mkdirSync, rmSync } from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { noTime, STEP_CAUSES, totalOf } from "./causes.ts";
import { openRecording, type Recording } from "./recording-reader.ts";
import { diffRuns, type RunDiff } from "./run-diff.ts";
import { integerMeans } from "./step-differences.ts";
import { recordedRun, SMALL_RUN, temporaryFolder } from "./test-recordings.ts";
import { type RankPen, writtenStep } from "./test-written-steps.ts";

let folder = "";
beforeAll(() => {
  folder = temporaryFolder();
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

type Write = (pen: RankPen) => void;

/** Two recordings of one step each, rank by rank. */
function diffOf(before: readonly Write[], after: readonly Write[]): RunDiff {
  const recordings = [before, after].map((ranks, index): Recording => {
    const own = path.join(folder, String(index));
    mkdirSync(own, { recursive: true });
    return writtenStep(own, ...ranks);
  });
  try {
    return diffRuns(recordings[0]!, recordings[1]!);
  } finally {
    for (const recording of recordings) recording.close();
  }
}

/** Rank 1 gets a message when it has its gate; its experts take `experts` picoseconds. */
function rank0({ gateEnd = 100, end = 1000 } = {}): Write {
  return (pen) => {
    pen.span("gate", 0, gateEnd);
    pen.end(0, end);
  };
}
function rank1({ experts = 200, end = 1000, process = 3 } = {}): Write {
  return (pen) => {
    pen.span("gate", 0, 50);
    pen.message(0, 60, 400, { slowestProcess: process, limitingProcess: process });
    pen.span("mlp.experts", 400, 400 + experts, { cause: { kind: "message", rank: 0 } });
    pen.end(0, end);
  };
}

describe("the first difference", () => {
  test("is none between equal recordings, and nothing moved", () => {
    const diff = diffOf([rank0(), rank1()], [rank0(), rank1()]);
    expect(diff).toMatchObject({ headerFields: [], firstDifference: null });
    expect(diff.before.digest).toBe(diff.after.digest);
    expect(diff.before.records).toBe(6);
    expect(diff.kinds[0]!.spans).toMatchObject({ mostChangedRank: null, mostChangedLayer: null });
    expect(diff.kinds[0]!.spans.byName.map(({ name, matched, moved }) => [name, matched, moved])).toEqual([
      ["gate", 2, 0],
      ["mlp.experts", 1, 0],
    ]);
    expect(diff.steps).toMatchObject([{ kind: "decode", beforePs: 1000, afterPs: 1000, changePs: 0 }]);
  });

  test("is the earliest one of all processes, with both versions in words and what differs", () => {
    const { firstDifference: first } = diffOf(
      [rank0(), rank1()],
      [rank0({ end: 900 }), rank1({ experts: 250 })],
    );
    // Rank 0 parts at 900 ps, where its step ends; rank 1 at 400 ps.
    expect(first).toMatchObject({ process: "gpu 1", sequence: 2, atPs: 400 });
    expect(first!.before!.words).toBe(
      "span mlp.experts of step 0, layer 3, micro-batch 0 on compute: 0.000400 µs to 0.000600 µs (0.000200 µs), " +
        "132 SMs, 8 rows, started when the last message arrived, from rank 0",
    );
    expect(first!.after!.words).toContain("0.000400 µs to 0.000650 µs");
    expect(first!.fields).toEqual([{ field: "end", before: "0.000600 µs", after: "0.000650 µs" }]);
  });

  test("is a missing version where a process wrote less", () => {
    const longer: Write = (pen) => {
      rank0()(pen);
      pen.span("head", 1000, 1100, { step: 1, layer: -1 });
    };
    const { firstDifference: first } = diffOf([rank0(), rank1()], [longer, rank1()]);
    expect(first).toMatchObject({ process: "gpu 0", sequence: 2, before: null, fields: [] });
    expect(first!.after!.record).toMatchObject({ type: "span", name: "head" });
  });

  test("is not in the numbers of processes that another size of the cluster gives the same links", () => {
    const diff = diffOf([rank0(), rank1()], [rank0(), rank1({ process: 4 }), rank0()]);
    expect(diff.firstDifference).toBeNull();
    expect(diff.headerFields).toEqual(["processes"]);
    expect(diff.outOfScope.processes).toEqual({ before: [], after: ["gpu 2"] });
  });

  test("names links as their own recording does", () => {
    const { firstDifference: first } = diffOf([rank0(), rank1()], [rank0(), rank1({ process: 2 })]);
    expect(first!.fields).toEqual([
      {
        field: "slowestLink",
        before: "plane 0 / node 0 > leaf 0",
        after: "node 0 nvlink / gpu 0 > switch",
      },
      {
        field: "limitingLink",
        before: "plane 0 / node 0 > leaf 0",
        after: "node 0 nvlink / gpu 0 > switch",
      },
    ]);
  });
});

describe("spans", () => {
  test("are matched by occurrence; others appeared or vanished, and layers of one run are left out", () => {
    const before: Write = (pen) => {
      pen.span("gate", 0, 100);
      pen.span("gate", 100, 200);
      pen.span("mlp.shared", 200, 300);
      pen.span("gate", 300, 400, { layer: 7 });
      pen.end(0, 1000);
    };
    // The rank starts its step 10 ps later: what begins 10 ps later did not move.
    const after: Write = (pen) => {
      pen.span("gate", 10, 110);
      pen.span("gate", 130, 200);
      pen.span("gate", 200, 210);
      pen.end(10, 1000);
    };
    const diff = diffOf([before], [after]);
    const [gate, shared] = diff.kinds[0]!.spans.byName;
    // The second one begins 20 ps later and lasts 30 ps less; means over two.
    expect(gate).toMatchObject({ matched: 2, moved: 1, appeared: 1, vanished: 0 });
    expect(gate!.meanStartChangeUs).toBeCloseTo(10e-6, 12);
    expect(gate!.meanDurationChangeUs).toBeCloseTo(-15e-6, 12);
    expect(shared).toMatchObject({ name: "mlp.shared", matched: 0, appeared: 0, vanished: 1 });
    expect(diff.outOfScope.layers).toEqual({ before: [7], after: [] });
  });

  test("say which rank and layer changed most", () => {
    const { kinds } = diffOf([rank0(), rank1()], [rank0({ gateEnd: 110 }), rank1({ experts: 250 })]);
    // Of rank 1's two spans one lasts 50 ps more. Its layer goes from 0 to 650 ps instead of 600, rank 0's by 10 more.
    const { mostChangedRank, mostChangedLayer } = kinds[0]!.spans;
    expect(mostChangedRank!.rank).toBe(1);
    expect(mostChangedRank!.meanDurationChangeUs).toBeCloseTo(25e-6, 12);
    expect(mostChangedLayer!.layer).toBe(3);
    expect(mostChangedLayer!.afterUs - mostChangedLayer!.beforeUs).toBeCloseTo(30e-6, 12);
  });
});

describe("steps", () => {
  test("change by causes that add up, to the picosecond", () => {
    const diff = diffOf([rank0(), rank1()], [rank0(), rank1({ experts: 251, end: 1051 })]);
    const [step] = diff.steps;
    expect(step!.changePs).toBe(51);
    expect(STEP_CAUSES.reduce((sum, cause) => sum + step!.byCause[cause].changePs, 0)).toBe(51);
    // Rank 1 computes 51 ps more, rank 0 idles as much: 25 and 26, or the other way round.
    expect(step!.byCause.computing.changePs + step!.byCause.idle.changePs).toBe(51);
    expect(Math.abs(step!.byCause.computing.changePs - 25.5)).toBe(0.5);
  });

  test("of a kind are paired in their order, the rest is named; causes add up in every one of them", () => {
    const runs = [SMALL_RUN, { ...SMALL_RUN, seed: 2, steps: 5 }].map((run, index) => {
      const own = path.join(folder, `random-${index}`);
      mkdirSync(own);
      return openRecording(recordedRun(run, { folder: own }).file);
    });
    const diff = diffRuns(runs[0]!, runs[1]!);
    for (const run of runs) run.close();
    expect(diff.steps.map(({ kind, before, after }) => [kind, before, after])).toEqual([
      ["prefill", 0, 0],
      ["decode", 1, 1],
      ["decode", 2, 2],
    ]);
    expect(diff.outOfScope.steps).toEqual({ before: [], after: [3, 4] });
    expect(diff.kinds.map(({ kind, steps }) => [kind, steps])).toEqual([
      ["prefill", 1],
      ["decode", 2],
    ]);
    for (const each of [...diff.steps, ...diff.kinds]) {
      for (const side of ["beforePs", "afterPs", "changePs"] as const) {
        const sum = STEP_CAUSES.reduce((total, cause) => total + each.byCause[cause][side], 0);
        expect(sum, `${each.kind} ${side}`).toBe(each[side]);
      }
    }
  });

  test("have means of integers that keep the total, the largest remainders rounded up", () => {
    // 100 / 3, 101 / 3 and 99 / 3 are 33.33, 33.67 and 33: of 100 the odd one goes to the second.
    const means = integerMeans({ ...noTime(), computing: 100, queueing: 101, idle: 99 }, 3, 100);
    expect(means).toEqual({ ...noTime(), computing: 33, queueing: 34, idle: 33 });
    expect(totalOf(means)).toBe(100);
  });
});
