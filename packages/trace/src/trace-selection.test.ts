import { rmSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openRecording, type Recording } from "./recording-reader.ts";
import { recordedRun, SMALL_RUN, temporaryFolder } from "./test-recordings.ts";
import {
  checkSelectedRanks,
  chooseSelection,
  parseSelection,
  stepsOf,
  type TraceOptions,
} from "./trace-selection.ts";

describe("a selection as text", () => {
  const parsed = (text: string): number[] | "all" => {
    const selection = parseSelection(text, "--trace-ranks");
    return selection === "all" ? selection : [...selection];
  };

  test("is numbers and ranges, or all", () => {
    expect(parsed("0-3,8")).toEqual([0, 1, 2, 3, 8]);
    expect(parsed(" 5 , 2-2,4 - 5")).toEqual([5, 2, 4]);
    expect(parsed(" all ")).toBe("all");
  });

  test.each(["", "a", "3-1", "1-", "-1", "1,,2", "1.5", "1e3", "0-100000"])(
    "is refused when it is %j, with what was found and what is allowed",
    (text) => {
      const found = text === "1,,2" ? "" : text;
      const details = { path: "--trace-ranks", found, allowed: expect.stringContaining("0-3,8") };
      expect(() => parsed(text)).toThrow(expect.objectContaining({ code: "input", details }));
      expect(() => parsed(text)).toThrow(`--trace-ranks can't be read: "${found}"`);
    },
  );

  test("is refused when it names ranks that a cluster does not have", () => {
    checkSelectedRanks(new Set([0, 15]), 16, "--trace-ranks");
    checkSelectedRanks("all", 16, "--trace-ranks");
    expect(() => checkSelectedRanks(new Set([15, 16, 17, 18, 30]), 16, "--trace-ranks")).toThrow(
      expect.objectContaining({
        code: "input",
        message: "--trace-ranks names 16-18,30, which this cluster does not have",
        details: expect.objectContaining({ found: "16-18,30", allowed: "0 to 15, or all" }),
      }),
    );
  });
});

describe("what is chosen for a run", () => {
  let folder = "";
  let recording: Recording;
  beforeAll(() => {
    folder = temporaryFolder();
    // Nodes of two ranks; a prefill step and five of decode.
    recording = openRecording(recordedRun({ ...SMALL_RUN, ranks: 8, steps: 6, layers: 2 }, { folder }).file);
  });
  afterAll(() => {
    recording.close();
    rmSync(folder, { recursive: true });
  });

  /** The same recording, said to be of so many records for each process. */
  function chosenFor(records: number, asked: TraceOptions) {
    const large = Object.assign(Object.create(recording) as Recording, {
      header: recording.header,
      records: recording.records.bind(recording),
      recordCount: () => records,
    });
    const { selection, notes } = chooseSelection(large, asked);
    const numbers = (selected: "all" | ReadonlySet<number>) =>
      selected === "all" ? selected : [...selected];
    return { ranks: numbers(selection.ranks), steps: numbers(selection.steps), notes };
  }

  test("is everything while that is small", () => {
    expect(chosenFor(220_000 / 8, {})).toEqual({ ranks: "all", steps: "all", notes: [] });
  });

  test("is two nodes and the first and last step of each kind where everything is large, and a note says so", () => {
    expect(chosenFor(100_000, {})).toEqual({
      ranks: [0, 1, 2, 3],
      steps: [0, 1, 5],
      notes: [
        "the traces show ranks 0-3 of 8 and steps 0-1,5 of 6, since all would be large; " +
          "--trace-ranks all --trace-steps all shows all",
      ],
    });
  });

  test("is what was asked for; what was not asked for shrinks where that is large", () => {
    expect(chosenFor(100_000, { ranks: new Set([7]), steps: "all" })).toMatchObject({
      ranks: [7],
      notes: [],
    });
    expect(chosenFor(1_000_000, { ranks: "all", steps: "all" })).toMatchObject({ steps: "all", notes: [] });
    expect(chosenFor(1_000_000, { ranks: new Set([7]) })).toMatchObject({ ranks: [7], steps: [0, 1, 5] });
    expect(chosenFor(1_000_000, { steps: new Set([3]) })).toMatchObject({ ranks: [0, 1, 2, 3], steps: [3] });
    // One step of six is small: 8 x 100,000 / 6 records.
    expect(chosenFor(100_000, { steps: new Set([3]) })).toMatchObject({ ranks: "all", notes: [] });
  });

  test("says which steps are not there", () => {
    expect(chosenFor(1, { steps: new Set([3, 6, 7]) }).notes).toEqual([
      "there is no step 6-7 for the traces to show; this run has 0-5",
    ]);
  });

  test("knows steps by the scheduler, and where it recorded none by the ranks", () => {
    const steps = stepsOf(recording);
    expect(steps.map(({ step, kind }) => `${step} ${kind}`)).toEqual([
      "0 prefill",
      ...[1, 2, 3, 4, 5].map((step) => `${step} decode`),
    ]);
    const ranksOnly = Object.assign(Object.create(recording) as Recording, {
      header: { ...recording.header, processes: recording.header.processes.slice(0, -1) },
      records: recording.records.bind(recording),
    });
    for (const [index, { step, kind, start, end }] of stepsOf(ranksOnly).entries()) {
      expect({ step, kind }).toEqual({ step: steps[index]!.step, kind: steps[index]!.kind });
      expect(start).toBeGreaterThanOrEqual(steps[index]!.start);
      expect(end).toBeLessThanOrEqual(steps[index]!.end);
    }
  });
});
