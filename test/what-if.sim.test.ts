// What if: a changed run is the run of the scenario that a user would write with that change, event by event.

import { readdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import {
  applyChange,
  defaultChanges,
  loadScenario,
  parseChanges,
  resolveScenario,
  runScenario,
  runWhatIf,
  type Scenario,
  type Summary,
} from "@windtunnel/cluster";
import { afterEach, describe, expect, test, vi } from "vitest";
import { temporaryFolder } from "./support/folders.ts";
import { writeTimedModel } from "./support/timed-models.ts";

afterEach(() => {
  vi.unstubAllEnvs();
});

/** The lines of a scenario that changes touch. */
interface Lines {
  readonly routing?: string;
  readonly decode?: string;
  readonly overrides: string;
}

const UNCHANGED_ROUTING = "{ draw: gate-like }";
const UNCHANGED_DECODE = "{ schedule: five-stage, dispatch: low-latency }";
const GPU = "gpus: { 1: { speed: 0.5 } }";
const LINK = 'links: { "plane 0 / leaf 0 - spine 1": { bandwidth: 0.125 } }';
const EXPERT = "experts: { 3: { load: 4 } }";
const SLOW = `${GPU}, ${LINK}`;

function written(folder: string, { routing, decode, overrides }: Lines): Scenario {
  // The shapes of DeepSeek-V3, one dense and two MoE layers.
  const model = writeTimedModel(folder, 3, 256, { dense: 1 });
  const file = path.join(folder, "what-if.yaml");
  writeFileSync(
    file,
    `
model: { preset: deepseek-v3 }
math: skip
routing: ${routing ?? UNCHANGED_ROUTING}
timing: { model: ${model}, kvLength: 1024 }
cluster:
  nodes: 2
  gpusPerNode: 2
  fabric: { nodesPerLeaf: 1, spinesPerPlane: 2, pcie: true }
run:
  phase: decode
  decode: ${decode ?? UNCHANGED_DECODE}
  precision: { dispatch: fp8, combine: bf16 }
workload: { requestsPerGpu: 32, promptTokens: 16, steps: 2 }
overrides: { ${overrides} }
`,
  );
  return loadScenario(file);
}

async function digestsOf(scenario: Scenario): Promise<Summary["digests"]> {
  const options = { outputFolder: path.join(temporaryFolder(), "run"), exports: false };
  return (await runScenario(scenario, options)).digests;
}

let knownEvents: string | undefined;

/** Of one scenario that is always the same: run once. */
async function unchangedEvents(scenario: Scenario): Promise<string> {
  knownEvents ??= (await digestsOf(scenario)).events;
  return knownEvents;
}

describe("a changed run", () => {
  test.each([
    ["nic=2x", { overrides: `${SLOW}, nic: { bandwidth: 2 }` }],
    ["nvlink=0.25x", { overrides: `${SLOW}, nvlink: { bandwidth: 0.25 }` }],
    ["pcie=0.5x", { overrides: `${SLOW}, pcie: { bandwidth: 0.5 }` }],
    ["launch=0", { overrides: `${SLOW}, launch: { time: 0 }` }],
    ["launch=9x", { overrides: `${SLOW}, launch: { time: 9 }` }],
    [
      "gpus=2x",
      { overrides: `${LINK}, gpus: { 0: { speed: 2 }, 1: { speed: 1 }, 2: { speed: 2 }, 3: { speed: 2 } }` },
    ],
    ["gpu:1=1x", { overrides: LINK }],
    ["gpu:2=0.25x", { overrides: `${LINK}, gpus: { 1: { speed: 0.5 }, 2: { speed: 0.25 } }` }],
    ["link:plane 0 / leaf 0 - spine 1=1x", { overrides: GPU }],
    ["expert:3=4x", { overrides: `${SLOW}, ${EXPERT}` }],
    ["gate=balanced", { routing: "{ draw: balanced }", overrides: SLOW }],
    ["schedule=sequential", { decode: "{ dispatch: low-latency }", overrides: SLOW }],
    ["dispatch=normal", { decode: "{ schedule: five-stage, dispatch: normal }", overrides: SLOW }],
  ] satisfies [string, Lines][])("with %s has the digests of that scenario", async (text, lines) => {
    const folder = temporaryFolder();
    const unchanged = written(folder, { overrides: SLOW });
    const changed = await digestsOf(applyChange(unchanged, parseChanges(text)[0]!));
    expect(changed).toEqual(await digestsOf(written(folder, lines)));
    expect(changed.events).not.toBe(await unchangedEvents(unchanged));
  });

  test.each(["expert:3=1x", "gate=balanced"])("with %s forgets the hot expert", async (text) => {
    const folder = temporaryFolder();
    const routing = text === "gate=balanced" ? "{ draw: balanced }" : UNCHANGED_ROUTING;
    const changed = applyChange(written(folder, { overrides: EXPERT }), parseChanges(text)[0]!);
    expect(await digestsOf(changed)).toEqual(await digestsOf(written(folder, { routing, overrides: "" })));
  });

  test("draws balanced routing where a gate chose", async () => {
    const folder = temporaryFolder();
    const real: Scenario = { ...written(folder, { overrides: "" }), math: "real" };
    const changed = applyChange(real, parseChanges("gate=balanced")[0]!);
    const byHand = written(folder, { routing: "{ draw: balanced }", overrides: "" });
    expect(await digestsOf(changed)).toEqual(await digestsOf(byHand));
  });
});

describe("what if", () => {
  test("tells the changes with the largest gain first, each against the unchanged run", async () => {
    const temporary = temporaryFolder();
    const scenario = written(temporaryFolder(), { overrides: GPU });
    vi.stubEnv("TMPDIR", temporary);
    const runs: (string | null)[] = [];
    const changes = [...defaultChanges(scenario), ...parseChanges("gpu:1=0.25x,nic=1x")];
    const result = await runWhatIf({
      scenario,
      changes,
      onProgress: ({ change, run }) => {
        if (run.stage === "starting") runs.push(change);
      },
    });
    expect(runs).toEqual([null, ...changes.map(({ text }) => text)]);
    expect(readdirSync(temporary)).toEqual([]);

    const { unchanged, outcomes } = result;
    const gains = outcomes.map(({ difference }) => -difference.total.us);
    expect(gains).toEqual(gains.toSorted((a, b) => b - a));
    const outcomeOf = (text: string): (typeof outcomes)[number] =>
      outcomes.find(({ change }) => change === text)!;
    // All four GPUs wait for the slow one: without it, a step takes far less; at half its speed far more.
    expect(outcomeOf("gpu:1=1x").difference.total.fraction).toBeLessThan(-0.2);
    expect(outcomes.at(-1)!.change).toBe("gpu:1=0.25x");
    const { measures, difference } = outcomeOf("gpus=2x");
    expect(difference.steps.decode!.stepUs.us).toBe(
      measures.steps.decode!.stepUs - unchanged.steps.decode!.stepUs,
    );
    expect(difference.total.fraction).toBe((measures.totalUs - unchanged.totalUs) / unchanged.totalUs);
    expect(unchanged.steps.prefill).toBeUndefined();
    expect(outcomeOf("nic=1x")).toMatchObject({
      measures: unchanged,
      difference: { total: { us: 0, fraction: 0 } },
      remark: "Nothing in this run depends on it.",
    });
  });

  test("says of an executed model that a changed gate changes no token", async () => {
    const scenario = resolveScenario(
      {
        model: { preset: "v3-tiny" },
        cluster: { nodes: 1, gpusPerNode: 2 },
        workload: { requestsPerGpu: 2, promptTokens: 4, steps: 1 },
      },
      { folder: "." },
    );
    const { unchanged, outcomes } = await runWhatIf({ scenario, changes: parseChanges("gate=gate-like") });
    expect(Object.keys(unchanged.steps)).toEqual(["prefill", "decode"]);
    expect(outcomes[0]!.remark).toMatch(
      /^Run with math: skip and routing drawn gate-like: .* never tokens\.$/,
    );
  });

  test("leaves nothing where it is ended", async () => {
    const temporary = temporaryFolder();
    const scenario = written(temporaryFolder(), { overrides: "" });
    vi.stubEnv("TMPDIR", temporary);
    const controller = new AbortController();
    const run = runWhatIf({
      scenario,
      changes: parseChanges("nic=2x"),
      signal: controller.signal,
      onProgress: ({ index, run: { stage } }) => {
        if (index === 0 && stage === "exporting") controller.abort();
      },
    });
    await expect(run).rejects.toThrow(/abort/i);
    expect(readdirSync(temporary)).toEqual([]);
  });

  test("exports no traces, which a run by itself does", async () => {
    const folder = temporaryFolder();
    const scenario = written(folder, { overrides: "" });
    await runScenario(scenario, { outputFolder: path.join(folder, "without"), exports: false });
    await runScenario(scenario, { outputFolder: path.join(folder, "with") });
    const without = readdirSync(path.join(folder, "without"));
    const all = readdirSync(path.join(folder, "with"));
    expect(all.filter((name) => !without.includes(name))).toEqual([
      "trace.otlp.jsonl",
      "trace.perfetto.json",
    ]);
  });
});
