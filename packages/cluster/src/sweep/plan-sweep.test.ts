import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { WorldError } from "@windtunnel/base";
import { afterAll, describe, expect, test } from "vitest";
import { planSweep, type SweepPlan } from "./plan-sweep.ts";
import { createKeys } from "./point-key.ts";

const folder = mkdtempSync(path.join(tmpdir(), "windtunnel-plan-"));
afterAll(() => rmSync(folder, { recursive: true }));

const SCENARIO = { model: { preset: "v3-tiny" }, math: "skip", cluster: { nodes: 2, gpusPerNode: 2 } };

function plan(
  over: readonly string[],
  settings: readonly string[] = [],
  scenario: object = SCENARIO,
): SweepPlan {
  const file = path.join(folder, "scenario.yaml");
  writeFileSync(file, JSON.stringify(scenario));
  return planSweep({ file, settings, over });
}

function refusal(over: readonly string[], settings: readonly string[] = []): WorldError {
  try {
    plan(over, settings);
  } catch (error) {
    if (error instanceof WorldError) return error;
    throw error;
  }
  throw new Error("nothing was refused");
}

describe("a planned sweep", () => {
  test("has its points in the order of the grid, each with its scenario", () => {
    const { name, points } = plan([
      "run.decode.dispatch=direct,low-latency",
      "parallelism.expertParallel=1,4",
    ]);
    expect(name).toBe("scenario");
    expect(
      points.map(({ scenario }) => [scenario.run.decode.dispatch, scenario.parallelism.expertParallel]),
    ).toEqual([
      ["direct", 1],
      ["direct", 4],
      ["low-latency", 1],
      ["low-latency", 4],
    ]);
    expect(new Set(points.map(({ key }) => key)).size).toBe(4);
  });

  test("sets --set for all points, and passes over a placement", () => {
    const { points, placementPassedOver } = plan(["seed=1,2"], ["placement=threads:2", "run.phase=decode"]);
    expect(placementPassedOver).toBe("threads:2");
    for (const { scenario } of points) {
      expect([scenario.placement.kind, scenario.run.phase]).toEqual(["inline", "decode"]);
    }
    expect(plan(["seed=1,2"]).placementPassedOver).toBeUndefined();
  });
});

describe("a key", () => {
  function keyOf(settings: readonly string[] = []): string {
    return plan(["seed=1"], settings).points[0]!.key;
  }

  test("is that of the same point in another sweep, by whatever name and placement", () => {
    const key = keyOf();
    expect(plan(["workload.steps=9,4", "seed=1,2"]).points[2]!.key).toBe(key);
    expect(keyOf(["name=other", "placement=threads:2"])).toBe(key);
    expect(plan(["seed=1"], [], { ...SCENARIO, parallelism: { expertParallel: 4 } }).points[0]!.key).toBe(
      key,
    );
  });

  test("changes with every other field", () => {
    expect(keyOf(["workload.steps=5"])).not.toBe(keyOf());
    expect(keyOf(["overrides.nic.bandwidth=2"])).not.toBe(keyOf());
  });

  test("changes with what is in a file, and with what a module imports", () => {
    const pattern = path.join(folder, "mine.ts");
    const sizes = path.join(folder, "sizes.ts");
    const write = (headerBytes: number): void => {
      writeFileSync(sizes, `export const headerBytes = ${headerBytes};\n`);
    };
    writeFileSync(
      pattern,
      'import { headerBytes } from "./sizes.ts";\nexport default { name: "mine", headerBytes, sms: 4, ' +
        "hostWaits: false, quantizesLocalRows: true, dispatch() {}, combine() {} };\n",
    );
    write(16);
    const settings = ["run.decode.dispatch=./mine.ts"];
    const first = keyWithFile(settings);
    expect(keyWithFile(settings)).toBe(first);
    write(32);
    expect(keyWithFile(settings)).not.toBe(first);
  });

  test("changes with the lines of a file of prompts", () => {
    const prompts = path.join(folder, "prompts.jsonl");
    const settings = ["workload={prompts: prompts.jsonl}"];
    writeFileSync(prompts, '{"tokens":[1,2]}\n');
    const first = keyOf(settings);
    writeFileSync(prompts, '{"tokens":[1,3]}\n');
    expect(keyOf(settings)).not.toBe(first);
  });

  /** Whether such a file is a pattern is not the question here. */
  function keyWithFile(settings: readonly string[]): string {
    const { scenario } = plan(["seed=1"]).points[0]!;
    const file = path.join(folder, settings[0]!.split("=")[1]!);
    const run = { ...scenario.run, decode: { ...scenario.run.decode, dispatch: file } };
    return createKeys()({ ...scenario, run });
  }
});

describe("points that can't be run", () => {
  test("are all named in one error, before anything runs", () => {
    const error = refusal(["parallelism.expertParallel=4,3,2", "cluster.nodes=1,2"]);
    expect(error.exitCode).toBe(2);
    // 4 does not divide the 2 GPUs of one node; 3 divides neither 2 nor 4.
    expect(error.message).toContain("3 of 6 points can't be run, and none was:");
    expect(error.message).toMatch(
      /expertParallel=4, cluster\.nodes=1:\n +.*--over: parallelism\.expertParallel: found 4; allowed: a divisor of the 2 GPUs/,
    );
    expect(error.message).toMatch(/expertParallel=3, cluster\.nodes=1:\n.*found 3; .* 2 GPUs/);
    expect(error.message).toMatch(/expertParallel=3, cluster\.nodes=2:\n.*found 3; .* 4 GPUs/);
    expect(error.details["points"]).toMatchObject([
      {
        point: "parallelism.expertParallel=4, cluster.nodes=1",
        path: "parallelism.expertParallel",
        found: "4",
      },
      { point: "parallelism.expertParallel=3, cluster.nodes=1" },
      { point: "parallelism.expertParallel=3, cluster.nodes=2" },
    ]);
  });

  test("are told together where the reason is the same", () => {
    const { message } = refusal(["run.decode.dispatch=low-latncy,direct", "seed=1,2,3"]);
    expect(message).toContain("3 of 6 points can't be run");
    expect(message).toContain("dispatch=low-latncy, seed=1, and 2 more for the same reason:");
    expect(message).toContain("Did you mean low-latency?");
  });

  test("are not looked for beyond the first dozens", () => {
    const many = Array.from({ length: 100 }, (_, index) => index).join(",");
    let checkedCount = 0;
    const file = path.join(folder, "scenario.yaml");
    const onCheck = (): void => void checkedCount++;
    const over = ["cluster.nodes=2,0", `seed=${many}`];
    // The first 100 points are right, the next 64 wrong.
    expect(() => planSweep({ file, settings: [], over, onCheck })).toThrow(
      /^64 of the first 164 of 200 points can't be run/,
    );
    expect(checkedCount).toBe(164);
  });

  test("are no matter of points where all are wrong alike", () => {
    expect(refusal(["cluster.nods=1,2"]).message).toMatch(
      /^\S*scenario\.yaml: --over: cluster\.nods: unknown field "nods"; the nearest known name is "nodes"$/,
    );
    expect(refusal(["seed=1,2"], ["cluster.nodes=0"]).message).toContain("--set: cluster.nodes: found 0");
  });

  test("may be those that do not fit the memory", () => {
    const error = refusal(["timing.kvLength=1024,2000000000"]);
    expect([error.code, error.exitCode]).toEqual(["oversubscribed", 2]);
    expect(error.message).toMatch(
      /timing\.kvLength=2000000000:\n +the timed model does not fit the memory of h800/,
    );
    const over = ["timing.kvLength=1024,2000000000"];
    expect(plan(over, ["allowOversubscription=true"]).points).toHaveLength(2);
  });
});
