import { describe, expect, test } from "vitest";
import { axis, measures, sweepOf } from "./sweep-fixture.ts";
import { plotOption, plotRefusal, renderPlot } from "./sweep-plot.ts";

interface Option {
  readonly xAxis: { readonly data: readonly string[]; readonly name: string };
  readonly yAxis: { readonly data?: readonly string[]; readonly name: string };
  readonly series: readonly {
    readonly name?: string;
    readonly type: string;
    readonly stack?: string;
    readonly data: readonly unknown[];
  }[];
}

const failure = { code: "deadlock", message: "nothing happens" };
const degrees = axis("parallelism.expertParallel", 16, 4, 8);
const patterns = axis("run.decode.dispatch", "direct", "low-latency");
const schedules = axis("run.decode.schedule", "sequential", "five-stage");

function optionOf(...given: Parameters<typeof sweepOf>): Option {
  return plotOption(sweepOf(...given)) as unknown as Option;
}

describe("one field", () => {
  test("of numbers is a line of the step and one of what is exposed, from the least to the greatest", () => {
    const { xAxis, yAxis, series } = optionOf([degrees], [measures(1600), measures(400), measures(800)]);
    expect(xAxis).toMatchObject({ name: "parallelism.expertParallel", data: ["4", "8", "16"] });
    expect(yAxis.name).toBe("decode step, ms");
    expect(series.map(({ type, data }) => [type, data])).toEqual([
      ["line", [0.4, 0.8, 1.6]],
      ["line", [0.04, 0.08, 0.16]],
    ]);
  });

  test("of names is bars as typed, cut into what is exposed and the rest", () => {
    const { xAxis, yAxis, series } = optionOf([patterns], [measures(500), measures(300)]);
    expect(xAxis.data).toEqual(["direct", "low-latency"]);
    expect(yAxis.name).toBe("decode step, µs");
    expect(series.map(({ type, stack, data }) => [type, stack, data])).toEqual([
      ["bar", "step", [50, 30]],
      ["bar", "step", [450, 270]],
    ]);
  });

  test("has a gap where a point failed, and shows prefill where nothing decodes", () => {
    const prefill = measures(0, {
      decodeStepUs: null,
      decodeExposedUs: null,
      prefillStepUs: 5e6,
      prefillExposedUs: 1e6,
    });
    const { yAxis, series } = optionOf([patterns], [failure, prefill]);
    expect(yAxis.name).toBe("prefill step, s");
    expect(series.map(({ data }) => data)).toEqual([
      [null, 1],
      [null, 4],
    ]);
  });
});

describe("two fields", () => {
  const six = [1, 2, 3, 4, 5, 6].map((us) => measures(us));

  test("are a line for each name over the numbers, whichever comes first", () => {
    // direct: 16 takes 1 µs, 4 takes 2, 8 takes 3; low-latency: 4, 5, 6.
    const expected = [
      ["dispatch direct", [2, 3, 1]],
      ["dispatch low-latency", [5, 6, 4]],
    ];
    const named = optionOf([patterns, degrees], six);
    expect(named.xAxis.data).toEqual(["4", "8", "16"]);
    expect(named.series.map(({ name, data }) => [name, data])).toEqual(expected);
    // 16: 1 and 4, 4: 2 and 5, 8: 3 and 6.
    const numbersFirst = [1, 4, 2, 5, 3, 6].map((us) => measures(us));
    expect(optionOf([degrees, patterns], numbersFirst).series.map(({ name, data }) => [name, data])).toEqual(
      expected,
    );
  });

  test("of numbers are lines over the first one", () => {
    const { xAxis, series } = optionOf([degrees, axis("seed", 2, 1)], six);
    expect(xAxis.name).toBe("parallelism.expertParallel");
    expect(series.map(({ name, data }) => [name, data])).toEqual([
      ["seed 1", [4, 6, 2]],
      ["seed 2", [3, 5, 1]],
    ]);
  });

  test("of names are a heat map, without cells of points that failed", () => {
    const { xAxis, yAxis, series } = optionOf(
      [patterns, schedules],
      [measures(1), measures(2), failure, measures(4)],
    );
    expect([xAxis.data, yAxis.data]).toEqual([
      ["sequential", "five-stage"],
      ["direct", "low-latency"],
    ]);
    expect(series.map(({ type, data }) => [type, data])).toEqual([
      [
        "heatmap",
        [
          [0, 0, 1],
          [1, 0, 2],
          [1, 1, 4],
        ],
      ],
    ]);
  });

  test("with more lines than can be told apart are a heat map", () => {
    const nine = axis("seed", 1, 2, 3, 4, 5, 6, 7, 8, 9);
    const many = Array.from({ length: 27 }, (_, index) => measures(index + 1));
    expect(optionOf([degrees, nine], many).series).toMatchObject([{ name: "expertParallel 4" }, {}, {}]);
    const both = Array.from({ length: 81 }, (_, index) => measures(index + 1));
    expect(optionOf([nine, axis("workload.steps", 1, 2, 3, 4, 5, 6, 7, 8, 9)], both).series[0]!.type).toBe(
      "heatmap",
    );
  });
});

describe("a plot", () => {
  test("is refused for three fields, and where nothing was measured", () => {
    expect(plotRefusal(sweepOf([degrees], [measures(1), measures(2), measures(3)]))).toBeUndefined();
    const three = [axis("a", 1), axis("b", 1), axis("c", 1)];
    expect(plotRefusal(sweepOf(three, [measures(1)]))).toContain("one or two swept fields, and these are 3");
    expect(plotRefusal(sweepOf([axis("a", 1)], [failure]))).toBe("no point has a step");
  });

  test("is SVG with labels, the same bytes whatever was drawn before", async () => {
    const sweep = sweepOf(
      [patterns, degrees],
      [1, 2, 3, 4, 5, 6].map((us) => measures(us)),
    );
    const first = await renderPlot(sweep);
    expect(first).toMatch(/^<svg width="800" height="480" xmlns="http:\/\/www\.w3\.org\/2000\/svg"/);
    for (const text of ["test: decode step", "dispatch low-latency", "parallelism.expertParallel", ">16<"]) {
      expect(first).toContain(text);
    }
    const map = sweepOf([patterns, schedules], [measures(1), measures(2), measures(3), measures(4)]);
    const firstMap = await renderPlot(map);
    expect(await renderPlot(sweep)).toBe(first);
    expect(await renderPlot(map)).toBe(firstMap);
  });
});
