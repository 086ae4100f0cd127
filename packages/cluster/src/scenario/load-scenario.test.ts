import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { WorldError } from "@windtunnel/base";
import { loadScenario } from "./load-scenario.ts";

const folder = mkdtempSync(path.join(tmpdir(), "windtunnel-scenario-"));
afterAll(() => rmSync(folder, { recursive: true }));

function write(name: string, text: string): string {
  const file = path.join(folder, name);
  writeFileSync(file, text);
  return file;
}

function errorOf(action: () => unknown): WorldError {
  try {
    action();
  } catch (error) {
    if (error instanceof WorldError) return error;
    throw error;
  }
  throw new Error("no error was thrown");
}

function errorIn(text: string, settings: readonly string[] = []): WorldError {
  return errorOf(() => loadScenario(write("wrong.yaml", text), settings));
}

const PRESET = "model: { preset: tiny }\n";

describe("a good scenario", () => {
  test("needs a model and nothing else", () => {
    const scenario = loadScenario(write("only-a-model.yaml", PRESET));
    expect(scenario).toEqual({
      version: 1,
      name: "only-a-model",
      seed: 1,
      model: { preset: "tiny" },
      math: "real",
      timing: { model: "executed", gpu: "h800", fusedActivation: true },
      cluster: {
        nodes: 1,
        gpusPerNode: 8,
        fabric: {
          kind: "multi-plane",
          nodesPerLeaf: 32,
          spinesPerPlane: 32,
          switchPorts: 64,
          network: "infiniband",
          routing: "static",
          pcie: false,
        },
      },
      parallelism: { expertParallel: 8, redundantExperts: 0 },
      run: {
        phase: "generate",
        prefill: { schedule: "sequential", dispatch: "direct" },
        decode: {
          schedule: "sequential",
          dispatch: "low-latency",
          launch: "kernels",
          graphSizes: expect.arrayContaining([1, 16, 256, 272, 512]) as number[],
        },
        precision: { dispatch: "f32", combine: "f32" },
        nvlinkForDispatch: true,
      },
      workload: {
        drawn: { requestsPerGpu: 4, promptTokens: 8, steps: 4, positionsPerRequest: 1, acceptedPerStep: 1 },
      },
      overrides: { gpus: {}, links: {}, experts: {} },
      placement: { kind: "inline" },
      allowOversubscription: false,
    });
  });

  test("may be JSON, with tabs, and reads back its resolved form", () => {
    const first = loadScenario(
      write("as-json.json", '{\n\t"model": {"preset": "tiny"},\n\t"placement": "processes:2:tcp"\n}\n'),
    );
    expect(first.placement).toEqual({ kind: "processes", hosts: 2, transport: "tcp" });
    expect(loadScenario(write("resolved.json", JSON.stringify(first)))).toEqual(first);
  });

  test("has its relative paths resolved against its own folder, also those from --set", () => {
    mkdirSync(path.join(folder, "checkpoint"), { recursive: true });
    write("prompts.jsonl", '{"tokens":[1]}\n');
    write("gpu.yaml", "name: mine\n");
    write("config.json", "{}");
    const file = write(
      "paths.yaml",
      "model: { checkpoint: checkpoint }\ntiming: { model: config.json }\nworkload: { prompts: prompts.jsonl }\n",
    );
    const scenario = loadScenario(file, ["timing.gpu=./gpu.yaml"]);
    expect(scenario.model).toEqual({ checkpoint: path.join(folder, "checkpoint") });
    expect(scenario.timing).toEqual({
      model: path.join(folder, "config.json"),
      gpu: path.join(folder, "gpu.yaml"),
      fusedActivation: true,
    });
    expect(scenario.workload).toEqual({ prompts: path.join(folder, "prompts.jsonl"), maxNewTokens: 16 });
  });

  test("takes --set at any depth, making mappings on the way", () => {
    const scenario = loadScenario(write("set.yaml", PRESET), [
      "cluster.nodes=2",
      "overrides.gpus.3.speed=0.5",
      'overrides.links."plane 3 / leaf 0 - spine 5".bandwidth=0.25',
      "placement=threads:4",
      "workload={ drawn: { steps: 9 } }",
    ]);
    expect(scenario.cluster.nodes).toBe(2);
    expect(scenario.parallelism.expertParallel).toBe(16); // 2 nodes of 8 GPUs
    expect(scenario.overrides.gpus[3]).toEqual({ speed: 0.5 });
    expect(scenario.overrides.links["plane 3 / leaf 0 - spine 5"]).toEqual({ bandwidth: 0.25 });
    expect(scenario.placement).toEqual({ kind: "threads", hosts: 4 });
    expect(scenario.workload).toMatchObject({ drawn: { requestsPerGpu: 4, steps: 9 } });
  });
});

describe("a drawn workload", () => {
  test("may stand in `workload` itself", () => {
    const short = loadScenario(write("short.yaml", `${PRESET}workload: { requestsPerGpu: 7, steps: 2 }\n`));
    const long = loadScenario(
      write("short.yaml", `${PRESET}workload: { drawn: { requestsPerGpu: 7, steps: 2 } }\n`),
    );
    expect(short).toEqual(long);
    expect(errorIn(`${PRESET}workload: { requestsPerGpu: 7, step: 2 }\n`).message).toContain(
      'nearest known name is "steps"',
    );
  });
});

describe("a wrong scenario", () => {
  test("is an input error with file, path, found and allowed", () => {
    const error = errorIn(`${PRESET}cluster:\n  nodes: two\n`);
    expect(error.exitCode).toBe(2);
    expect(error.details).toEqual({
      file: path.join(folder, "wrong.yaml"),
      path: "cluster.nodes",
      found: '"two"',
      allowed: "a whole number from 1 to 4096",
    });
    expect(error.message).toBe(
      `${path.join(folder, "wrong.yaml")}: line 3: cluster.nodes: found "two"; allowed: a whole number from 1 to 4096`,
    );
  });

  test("names the nearest known field", () => {
    const error = errorIn(`${PRESET}cluster: { nodez: 2 }\n`);
    expect(error.message).toContain(
      'line 2: cluster.nodez: unknown field "nodez"; the nearest known name is "nodes"',
    );
    expect(errorIn("modle: { preset: tiny }\n").message).toContain('the nearest known name is "model"');
    expect(errorIn(`${PRESET}allowoversubscription: true\n`).message).toContain('"allowOversubscription"');
  });

  test("says where a misplaced field belongs", () => {
    expect(errorIn(`${PRESET}drawn: { steps: 2 }\n`).message).toContain("it belongs at workload.drawn");
    const error = errorIn(`${PRESET}cluster: { fabric: { nvlinkForDispatch: true } }\n`);
    expect(error.message).toContain("it belongs at run.nvlinkForDispatch");
  });

  test("reports several problems together, one line each", () => {
    const error = errorIn(
      `${PRESET}seed: -1\nrun: { phase: train, precision: { dispatch: f16 } }\nsped: 1\n`,
    );
    expect(error.message.split("\n")).toEqual([
      `${path.join(folder, "wrong.yaml")}: 4 problems`,
      "  line 2: seed: found -1; allowed: a whole number from 0 to 4294967295",
      '  line 3: run.phase: found "train"; allowed: one of generate, prefill, decode',
      '  line 3: run.precision.dispatch: found "f16"; allowed: one of f32, bf16, fp8',
      '  line 4: sped: unknown field "sped"; the nearest known name is "seed"',
    ]);
  });

  test.each([
    ["seed: 1\n", "model: found nothing; allowed: either { checkpoint: FOLDER } or { preset: NAME }"],
    ["model: { preset: a, checkpoint: b }\n", "allowed: either { checkpoint: FOLDER } or { preset: NAME }"],
    ["- 1\n- 2\n", "found [1,2]; allowed: fields among version, name, seed, model"],
    [`${PRESET}version: 2\n`, "version: found 2; allowed: 1"],
    [`${PRESET}placement: threads:0\n`, 'found "threads:0"; allowed: inline, threads:N, processes:N'],
    [`${PRESET}placement: { kind: threads }\n`, "allowed: inline, threads:N, processes:N"],
    [`${PRESET}name: ../elsewhere\n`, 'name: found "../elsewhere"'],
    [`${PRESET}overrides: { gpus: { a: { speed: 1 } } }\n`, 'overrides.gpus.a: found "a"; allowed: a rank'],
    [
      `${PRESET}overrides: { gpus: { 1: { speed: 0 } } }\n`,
      "overrides.gpus.1.speed: found 0; allowed: a number above 0",
    ],
    [
      `${PRESET}overrides: { gpus: { 8: { speed: 1 } } }\n`,
      "overrides.gpus.8: found 8; allowed: ranks from 0 to 7",
    ],
    [`${PRESET}parallelism: { expertParallel: 3 }\n`, "found 3; allowed: a divisor of the 8 GPUs"],
    [`${PRESET}workload: { maxNewTokens: 2 }\n`, "maxNewTokens: found 2; allowed: only beside `prompts`"],
    [`${PRESET}workload: { prompts: a, drawn: {} }\n`, "allowed: either { prompts: FILE"],
    [
      `${PRESET}workload: { drawn: { steps: 1.5 } }\n`,
      "steps: found 1.5; allowed: a whole number of at least 1",
    ],
    [`${PRESET}workload: { drawn: { acceptedPerStep: 2 } }\n`, "from 1 to positionsPerRequest (1)"],
    [`${PRESET}timing: { gpu: ./none.yaml }\n`, "none.yaml, which is not there; allowed: a file"],
    ["model: { checkpoint: none }\n", "none, which is not there; allowed: a folder with config.json"],
    ["model: { checkpoint: wrong.yaml }\n", "wrong.yaml, which is a file; allowed: a folder"],
  ])("%j is refused", (text, expected) => {
    expect(errorIn(text).message).toContain(expected);
  });

  test("from --set says so", () => {
    const error = errorIn(PRESET, ["cluster.nodes=none"]);
    expect(error.message).toContain(
      '--set: cluster.nodes: found "none"; allowed: a whole number from 1 to 4096',
    );
  });

  test.each(["cluster.nodes", "=2", ".a=2", "a..b=2", "__proto__.a=1", ""])(
    "--set %j is refused",
    (setting) => {
      expect(errorIn(PRESET, [setting]).message).toContain("allowed: path=value, such as cluster.nodes=2");
    },
  );

  test("a --set value that is no YAML is refused", () => {
    expect(errorIn(PRESET, ["name=[1,"]).message).toContain("--set name: the value is not YAML");
  });
});

describe("a scenario file", () => {
  test("that is no YAML is refused with its line", () => {
    const error = errorIn(`${PRESET}cluster: { nodes: 2\nseed: 1\n`);
    expect(error.exitCode).toBe(2);
    expect(error.message).toMatch(/wrong\.yaml, line \d+, column \d+: not valid YAML: /);
    expect(error.message).not.toContain("\n");
  });

  test("with a field twice is refused", () => {
    expect(errorIn(`${PRESET}seed: 1\nseed: 2\n`).message).toContain(
      "line 3, column 1: not valid YAML: Map keys must be unique",
    );
  });

  test("that is missing, a folder or empty is refused in one line", () => {
    expect(errorOf(() => loadScenario(path.join(folder, "none.yaml"))).message).toContain(
      "there is no such file",
    );
    expect(errorOf(() => loadScenario(folder)).message).toContain("this is a folder, not a scenario file");
    expect(errorIn(" \n").message).toContain("the file is empty");
    expect(errorIn("# only a comment\n").message).toContain("found nothing; allowed: fields among");
  });
});

describe("what this version can't run", () => {
  test.each([
    [
      "math: skip\nrouting: { file: recording.bin }\n",
      'recording.bin" is not in this version; allowed now: leaving it out',
    ],
    ["run: { precision: { combine: fp8 } }\n", '"fp8" is not in this version; allowed now: f32, bf16'],
    [
      "workload: { drawn: { positionsPerRequest: 2, acceptedPerStep: 1.8 } }\n",
      "positionsPerRequest: 2 is not in this version; allowed now: 1",
    ],
  ])("%j is refused in one sentence", (text, expected) => {
    const error = errorIn(`${PRESET}${text}`);
    expect(error.exitCode).toBe(2);
    expect(error.message).toContain(expected);
  });
});
