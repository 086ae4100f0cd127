// Changes as text, as scenarios, and which of them are worth a try. What runs of them come to: test/what-if.sim.test.ts.

import path from "node:path";
import { WorldError } from "@windtunnel/base";
import { describe, expect, test } from "vitest";
import { resolveScenario, type Scenario } from "./scenario/index.ts";
import { applyChange, defaultChanges, parseChanges, runWhatIf } from "./what-if.ts";

function scenario(fields: Readonly<Record<string, unknown>> = {}): Scenario {
  return resolveScenario(
    { model: { preset: "v3-small" }, math: "skip", cluster: { nodes: 2, gpusPerNode: 4 }, ...fields },
    { folder: "." },
  );
}

function changed(before: Scenario, text: string): Scenario {
  return applyChange(before, parseChanges(text)[0]!);
}

function texts(before: Scenario): string[] {
  return defaultChanges(before).map(({ text }) => text);
}

describe("changes as text", () => {
  test("are read between commas, each once", () => {
    expect(
      parseChanges("nic=2x, launch=0,launch=0.5x,nic=2x,gpu:17=1x,link:plane 3 / leaf 0 - spine 5=1x"),
    ).toEqual([
      { text: "nic=2x", kind: "nic", factor: 2 },
      { text: "launch=0", kind: "launch", factor: 0 },
      { text: "launch=0.5x", kind: "launch", factor: 0.5 },
      { text: "gpu:17=1x", kind: "gpu", number: 17, factor: 1 },
      {
        text: "link:plane 3 / leaf 0 - spine 5=1x",
        kind: "link",
        name: "plane 3 / leaf 0 - spine 5",
        factor: 1,
      },
    ]);
    expect(parseChanges("gate=gate-like,schedule=sequential,prefill.dispatch=./mine.ts")).toEqual([
      { text: "gate=gate-like", kind: "gate", draw: "gate-like" },
      { text: "schedule=sequential", kind: "schedule", value: "sequential" },
      { text: "prefill.dispatch=./mine.ts", kind: "prefill.dispatch", value: path.resolve("mine.ts") },
    ]);
  });

  test.each([
    ["", "a change: found nothing; allowed: NAME=VALUE"],
    ["nic", "nic: found nic; allowed: NAME=VALUE"],
    ["nic=2", "nic=2: found 2; allowed: a factor above 0, such as 2x"],
    ["nic=0x", "nic=0x: found 0x; allowed: a factor above 0"],
    ["gpus=1e999x", "found 1e999x; allowed: a factor above 0"],
    ["launch=-1x", "launch=-1x: found -1x; allowed: 0, or a factor"],
    ["nicc=2x", "Did you mean nic?"],
    ["nvlnk=2x", "nvlnk=2x: found nvlnk; allowed: nic, nvlink, pcie"],
    ["gate=balancd", "gate=balancd: found balancd; allowed: balanced, gate-like. Did you mean balanced?"],
    ["gpu=2x", "gpu=2x: found gpu; allowed: which one, such as gpu:17=1x"],
    ["gpu:x=2x", "gpu:x=2x: found x; allowed: a number"],
    ["nic:3=2x", "found a part of nic; allowed: nic as a whole"],
    ["links:plane 0=2x", "Did you mean link?"],
    ["link:=2x", "found no name; allowed: a link's name"],
    ["schedule=", "found no value; allowed: a schedule"],
  ])("%j is refused", (text, message) => {
    let error: unknown;
    try {
      parseChanges(text);
    } catch (caught) {
      error = caught;
    }
    expect(error).toBeInstanceOf(WorldError);
    expect((error as WorldError).message).toContain(message);
    expect((error as WorldError).exitCode).toBe(2);
  });
});

describe("a changed scenario", () => {
  test("has the kind's factor instead of its own, and no override of 1", () => {
    const slow = scenario({ overrides: { nic: { bandwidth: 0.5 }, launch: { time: 3 } } });
    expect(changed(slow, "nic=2x").overrides.nic).toEqual({ bandwidth: 2 });
    expect(changed(slow, "nic=1x")).toEqual(scenario({ overrides: { launch: { time: 3 } } }));
    expect(changed(slow, "launch=0").overrides.launch).toEqual({ time: 0 });
    expect(slow.overrides.nic).toEqual({ bandwidth: 0.5 });
  });

  test("has all GPUs faster, slower ones in proportion", () => {
    const { gpus } = changed(scenario({ overrides: { gpus: { 5: { speed: 0.6 } } } }), "gpus=2x").overrides;
    expect(Object.keys(gpus)).toHaveLength(8);
    expect([gpus[0], gpus[5]]).toEqual([{ speed: 2 }, { speed: 1.2 }]);
  });

  test("has single parts set, or no longer mentioned", () => {
    const link = "plane 0 / node 0 - leaf 0";
    const overrides = {
      gpus: { 5: { speed: 0.6 } },
      links: { [link]: { bandwidth: 0.1 } },
      experts: { 3: { load: 4 } },
    };
    const before = scenario({ overrides });
    expect(changed(before, "gpu:5=1x").overrides).toEqual({ ...overrides, gpus: {} });
    expect(changed(before, `link:${link}=1x`).overrides).toEqual({ ...overrides, links: {} });
    expect(changed(before, "expert:3=1x").overrides).toEqual({ ...overrides, experts: {} });
    expect(changed(before, "expert:9=2x").overrides.experts).toEqual({ 3: { load: 4 }, 9: { load: 2 } });
  });

  test("has drawn routing where the gate is changed, also instead of a model's", () => {
    const zipf = scenario({
      routing: { draw: "zipf", exponent: 2, groups: 4, limitedGroups: 2 },
      overrides: { experts: { 3: { load: 4 } } },
    });
    expect(changed(zipf, "gate=balanced")).toEqual(
      scenario({ routing: { draw: "balanced", groups: 4, limitedGroups: 2 } }),
    );
    const gateLike = { draw: "gate-like", groups: 4, limitedGroups: 2 };
    expect(changed(zipf, "gate=gate-like")).toEqual(
      scenario({ routing: gateLike, overrides: { experts: { 3: { load: 4 } } } }),
    );
    const real = { model: { preset: "v3-tiny" }, math: "real" };
    expect(changed(scenario(real), "gate=balanced")).toEqual(
      scenario({ ...real, math: "skip", routing: { draw: "balanced" } }),
    );
  });

  test("has another schedule or pattern in decode, in prefill where nothing else is run, or where it is said", () => {
    const run = { decode: { schedule: "five-stage" } };
    expect(changed(scenario({ run }), "schedule=sequential")).toEqual(scenario());
    expect(changed(scenario(), "dispatch=normal").run).toMatchObject({
      prefill: { dispatch: "direct" },
      decode: { dispatch: "normal" },
    });
    const prefill = scenario({ run: { phase: "prefill" } });
    expect(changed(prefill, "dispatch=normal").run.prefill.dispatch).toBe("normal");
    expect(changed(scenario(), "prefill.dispatch=normal").run.prefill.dispatch).toBe("normal");
  });
});

describe("what is tried by default", () => {
  test("is what can make a difference", () => {
    const gateLike = { routing: { draw: "gate-like" } };
    expect(texts(scenario(gateLike))).toEqual([
      "nic=2x",
      "nvlink=2x",
      "launch=0",
      "gpus=2x",
      "gate=balanced",
    ]);
    expect(texts(scenario())).not.toContain("gate=balanced");
    expect(texts(scenario({ overrides: { experts: { 3: { load: 4 } } } }))).toContain("gate=balanced");
    expect(texts(scenario({ cluster: { nodes: 1 } }))).toEqual(["nvlink=2x", "launch=0", "gpus=2x"]);
    expect(texts(scenario({ cluster: { nodes: 1 }, run: { nvlinkForDispatch: false } }))).toContain("nic=2x");
    expect(texts(scenario({ cluster: { nodes: 2, fabric: { pcie: true } } }))).toContain("pcie=2x");
    // Each node is a unit of its own, or each GPU is.
    expect(texts(scenario({ parallelism: { expertParallel: 4 } }))).not.toContain("nic=2x");
    expect(texts(scenario({ parallelism: { expertParallel: 1 } }))).toEqual(["launch=0", "gpus=2x"]);
    const domain = { nodes: 2, fabric: { kind: "nvlink-domain" } };
    expect(texts(scenario({ cluster: domain, timing: { gpu: "gb200" } }))).toEqual([
      "nvlink=2x",
      "launch=0",
      "gpus=2x",
    ]);
  });

  test("has every slow part as it would be otherwise, and doubles what it is", () => {
    const link = "plane 0 / node 0 - leaf 0";
    const overrides = {
      nic: { bandwidth: 0.25 },
      launch: { time: 2 },
      gpus: { 2: { speed: 0.5 }, 3: { speed: 2 } },
      links: { [link]: { bandwidth: 0.5 } },
      experts: { 7: { load: 3 }, 8: { load: 0.5 } },
    };
    expect(texts(scenario({ overrides }))).toEqual([
      "nic=0.5x",
      "nvlink=2x",
      "launch=0",
      "gpus=2x",
      "gate=balanced",
      "nic=1x",
      "launch=1x",
      "gpu:2=1x",
      `link:${link}=1x`,
      "expert:7=1x",
    ]);
  });
});

describe("a change that can't be applied", () => {
  test.each([
    ["gpu:8=1x", "gpu:8=1x: overrides.gpus.8: found 8; allowed: ranks from 0 to 7"],
    ["expert:64=1x", "expert:64=1x: overrides.experts.64: found 64; allowed: experts from 0 to 63"],
    ["link:plane 0 / node 0 - leaf 9=1x", 'overrides.links names "plane 0 / node 0 - leaf 9"'],
    ["pcie=1x", "pcie=1x: overrides.pcie: found PCIe links in a cluster that does not show them"],
    ["dispatch=nomal", "Did you mean normal?"],
    ["schedule=sequentil", "Did you mean sequential?"],
    ["decode.dispatch=./none.ts", "none.ts, which is not there"],
  ])("%s is refused in its own name before anything runs", async (text, message) => {
    let isRun = false;
    const onProgress = (): void => {
      isRun = true;
    };
    const run = runWhatIf({ scenario: scenario(), changes: parseChanges(`nic=2x,${text}`), onProgress });
    await expect(run).rejects.toThrow(message);
    await expect(run).rejects.toMatchObject({ details: { change: text } });
    expect(isRun).toBe(false);
  });
});
