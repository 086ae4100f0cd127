import { describe, expect, test } from "vitest";
import { axis, measures, sweepOf } from "./sweep-fixture.ts";
import { renderCsv, renderMarkdown, tableData } from "./sweep-table.ts";

const failure = { code: "deadlock", message: 'nothing happens, and "2" wait:\n  rank 0 | rank 1' };
const result = sweepOf(
  [axis("run.decode.dispatch", "direct"), axis("overrides.nic", { bandwidth: 0.5 }, { bandwidth: 2 })],
  [measures(0.1 + 0.2), failure],
);

describe("a sweep as CSV", () => {
  const [head, first, ...rest] = renderCsv(result).split("\n");

  test("has a head of field names", () => {
    expect(head).toBe(
      "run.decode.dispatch,overrides.nic,decodeStepUs,decodeLayerUs,decodeExposedUs,prefillStepUs,prefillLayerUs," +
        "prefillExposedUs,timeToFirstTokenUs,timePerOutputTokenUs,tokensPerSecondPerNode,hiddenFraction,exposedUs," +
        "nvlinkBytes,rdmaBytes,eventsDigest,failure",
    );
  });

  test("has every digit, and nothing where there is nothing", () => {
    const numbers = [0.30000000000000004, 0.07500000000000001, 0.030000000000000006].join(",");
    expect(first).toContain(`direct,"{""bandwidth"":0.5}",${numbers},,,,,`);
    expect(first).toMatch(/,4808384,0,(?:0123456789abcdef){4},$/);
  });

  test("quotes what holds commas, quotes or line breaks", () => {
    expect(rest.join("\n")).toBe(
      `direct,"{""bandwidth"":2}",${",".repeat(14)}"nothing happens, and ""2"" wait:\n  rank 0 | rank 1"\n`,
    );
  });
});

test("a sweep as data has values as YAML read them, and null where there is nothing", () => {
  expect(tableData(result)).toMatchObject({
    schema: "windtunnel/sweep@1",
    name: "test",
    over: [
      { path: "run.decode.dispatch", values: ["direct"] },
      { path: "overrides.nic", values: [{ bandwidth: 0.5 }, { bandwidth: 2 }] },
    ],
    points: [
      {
        set: { "run.decode.dispatch": "direct", "overrides.nic": { bandwidth: 0.5 } },
        decodeStepUs: 0.1 + 0.2,
        prefillStepUs: null,
        failure: null,
      },
      { set: { "overrides.nic": { bandwidth: 2 } }, decodeStepUs: null, eventsDigest: null, failure },
    ],
  });
});

describe("a sweep as Markdown", () => {
  test("leaves out what no point has, and cuts a reason to its first line", () => {
    const sweep = sweepOf([axis("seed", 1, 2)], [measures(517.06), failure]);
    expect(renderMarkdown(sweep, { hasPlot: true })).toBe(
      [
        "# test: a sweep of 2 points",
        "",
        "| seed | decode step | decode MoE layer | exposed in a decode step | TPOT | tokens/s/node | exposed | NVLink | RDMA | events | failure |",
        "| --- | --: | --: | --: | --: | --: | --: | --: | --: | --: | --- |",
        "| 1 | 517 µs | 129 µs | 51.7 µs | 530 µs | 1,934,012 | 103 µs | 4.81 MB | 0 B | `0123456789ab` |  |",
        '| 2 |  |  |  |  |  |  |  |  |  | nothing happens, and "2" wait: |',
        "",
        "![Step time of every point](plot.svg)",
        "",
      ].join("\n"),
    );
  });

  test("names no plot where there is none, and keeps cells whole", () => {
    const text = renderMarkdown(sweepOf([axis("name", "a|b")], [measures(1)]), { hasPlot: false });
    expect(text).not.toContain("plot");
    expect(text).toContain(String.raw`| a\|b | 1.00 µs |`);
  });
});
