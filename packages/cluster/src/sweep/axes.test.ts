import { WorldError } from "@windtunnel/base";
import { describe, expect, test } from "vitest";
import { describePlace, gridOf, parseAxes } from "./axes.ts";

function valuesOf(over: string): unknown[] {
  return parseAxes([over])[0]!.values.map(({ value }) => value);
}

describe("the values of a field", () => {
  test("are read as those of --set are", () => {
    expect(valuesOf("a.b=8, 1.5,true,low-latency,'8',~")).toEqual([8, 1.5, true, "low-latency", "8", null]);
    expect(parseAxes(["a.b= 8 ,x"])[0]).toEqual({
      name: "a.b",
      path: ["a", "b"],
      values: [
        { text: "8", value: 8 },
        { text: "x", value: "x" },
      ],
    });
  });

  test("keep commas within quotes, brackets and braces", () => {
    expect(valuesOf('a={x: 1, y: [2,3]},"b,c",[4,5]')).toEqual([{ x: 1, y: [2, 3] }, "b,c", [4, 5]]);
    expect(valuesOf(String.raw`a="say \"a,b\"",it's,that's`)).toEqual(['say "a,b"', "it's", "that's"]);
  });

  test("may belong to a name in quotes", () => {
    const [axis] = parseAxes(['overrides.links."plane 3 / leaf 0 - spine 5".bandwidth=0.5,1']);
    expect(axis!.path).toEqual(["overrides", "links", "plane 3 / leaf 0 - spine 5", "bandwidth"]);
    expect(axis!.name).toBe('overrides.links."plane 3 / leaf 0 - spine 5".bandwidth');
  });
});

describe("the grid", () => {
  test("has every combination, the first field changing slowest", () => {
    const axes = parseAxes(["a=1,2", "b=x,y,z"]);
    expect(gridOf(axes).map((place) => describePlace(axes, place))).toEqual([
      "a=1, b=x",
      "a=1, b=y",
      "a=1, b=z",
      "a=2, b=x",
      "a=2, b=y",
      "a=2, b=z",
    ]);
  });
});

describe("axes are refused", () => {
  const seventy = Array.from({ length: 70 }, (_, index) => index).join(",");

  test.each<readonly [readonly string[], readonly string[], string]>([
    [[], [], "--over: found none; allowed: one or more, path=value,value"],
    [["a"], [], '--over: found "a"; allowed: path=value,value'],
    [["=8"], [], '--over: found "=8"; allowed: path=value,value'],
    [["a="], [], "--over a: found no value; allowed: values with commas between them"],
    [["a=8,,16"], [], "--over a: found an empty value (number 2 of 3)"],
    [["a=8,"], [], "--over a: found an empty value (number 2 of 2)"],
    [["a=16,8,0x10"], [], "--over a: found 0x10 twice; allowed: every value once"],
    [["a=[1,2"], [], "--over a: the value is not YAML"],
    [["a.b=1,2", "a.b=3"], [], "--over: found a.b twice"],
    [["a=1,2", "a.b=3"], [], "--over: found a.b beside a, one within the other"],
    [["a.b=1,2"], ["a.b=3"], "--over a.b: found a.b also after --set"],
    [["a=1,2"], ["a.b=3"], "--over a: found a.b also after --set"],
    [["placement=inline,threads:2"], [], "--over: found placement; allowed: a field that results depend on"],
    [["name=a,b"], [], "--over: found name"],
    [[`a=${seventy}`, `b=${seventy}`], [], "found 70 x 70 = 4900 points; allowed: at most 4096"],
  ])("%j with --set %j", (over, settings, message) => {
    let error: unknown;
    try {
      parseAxes(over, settings);
    } catch (caught) {
      error = caught;
    }
    expect(error).toBeInstanceOf(WorldError);
    expect((error as WorldError).message).toContain(message);
    expect((error as WorldError).exitCode).toBe(2);
  });

  test("but a field within one that --set sets is not", () => {
    expect(parseAxes(["a.b=1,2"], ["a={c: 3}"])).toHaveLength(1);
  });
});
