import pc from "picocolors";
import { expect, test } from "vitest";
import { axis, measures, sweepOf } from "./sweep-fixture.ts";
import { createTimeLeft, formatTimeLeft } from "./sweep-progress.ts";
import { renderSweep } from "./sweep-report.ts";

const colours = pc.createColors(false);
const written = { folder: "runs/test-sweep", files: ["table.csv", "plot.svg"] };
const failure = { code: "deadlock", message: "nothing can happen any more, and 2 programs wait:\n  rank 0" };

function widestLine(text: string): number {
  return Math.max(...text.split("\n").map(({ length }) => length));
}

test("a sweep on the screen has its points, what failed and the files", () => {
  const sweep = sweepOf(
    [axis("run.decode.dispatch", "direct", "low-latency"), axis("parallelism.expertParallel", 8)],
    [measures(517), failure],
  );
  expect(renderSweep(sweep, written, colours)).toBe(
    [
      "test: 2 points, steps of decode",
      "  dispatch     expertParallel    step  exposed  tok/s/node  hidden  MoE layer",
      "  direct                    8  517 µs  51.7 µs   1,934,236       –     129 µs",
      "  low-latency               8       –        –           –       –          –",
      "",
      "Failed",
      "  run.decode.dispatch=low-latency, parallelism.expertParallel=8",
      "    nothing can happen any more, and 2 programs wait:",
      "",
      "Files in runs/test-sweep",
      "  table.csv  plot.svg",
    ].join("\n"),
  );
});

test("many fields, long values and many points fit 80 columns", () => {
  const files = [1, 2, 3].map((number) => `/a/folder/with/a/long/name/somewhere/pattern-${number}.ts`);
  const seeds = Array.from({ length: 20 }, (_, index) => index);
  const axes = [
    axis("run.prefill.dispatch", ...files),
    axis("run.decode.dispatch", "direct"),
    axis("seed", ...seeds),
  ];
  const text = renderSweep(
    sweepOf(
      axes,
      Array.from({ length: 60 }, () => failure),
    ),
    { ...written, refusal: "it shows one or two swept fields, and these are 3" },
    colours,
  );
  expect(widestLine(text)).toBeLessThanOrEqual(80);
  expect(text).toMatch(/ prefill\.dispatch +decode\.dispatch +seed +step/);
  expect(text).toContain("…ewhere/pattern-1.ts");
  expect(text).toContain("… and 20 more in table.md");
  expect(text).toContain("… and 52 more in table.md");
  expect(text).toContain("no plot: it shows one or two");
});

test("the time left follows from the points of this call, and counts down between signs of progress", () => {
  const secondsLeft = createTimeLeft();
  const progress = { pointCount: 12, storedCount: 2, doneCount: 0, partsDone: 0 };
  expect(secondsLeft(progress, 3)).toBeUndefined();
  // 2 of 10 points in 10 s: 5 s for each of the 8 others.
  expect(secondsLeft({ ...progress, doneCount: 1, partsDone: 1 }, 10)).toBe(40);
  expect(secondsLeft({ ...progress, doneCount: 1, partsDone: 1 }, 25)).toBe(25);
  expect(secondsLeft({ ...progress, doneCount: 1, partsDone: 1 }, 60)).toBe(1);
  expect(secondsLeft({ ...progress, doneCount: 5 }, 70)).toBe(70);
});

test.each([
  [0.2, "1 s"],
  [89, "89 s"],
  [90, "2 min"],
  [3599, "60 min"],
  [7500, "2 h 05 min"],
])("%d s are shown as %s", (seconds, text) => {
  expect(formatTimeLeft(seconds)).toBe(text);
});
