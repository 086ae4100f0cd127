// A scenario with one change, as a user would write it by hand. Pure; nothing is checked but in `checkedScenario`, which
// refuses what a run of the changed scenario would refuse, in the name of the change.
// Invariant: an override of 1 is none, so that a part which is set to 1x is as if the scenario had never mentioned it.

import { WorldError } from "@windtunnel/base";
import { prepareRun } from "../prepare-run.ts";
import { gpuCount, resolveScenario, type Scenario, type ScenarioOverrides } from "../scenario/index.ts";
import type { Change, StepField } from "./change.ts";

export function applyChange(scenario: Scenario, change: Change): Scenario {
  const changed = withChange(scenario, change);
  return { ...changed, overrides: withoutOnes(changed.overrides) };
}

/** Throws an error of the change where the changed scenario can't be run, or has no such part. */
export function checkedScenario(scenario: Scenario, change: Change): Scenario {
  try {
    // With the part named even where nothing of it is left, so that unknown ones are refused.
    prepareRun(resolveScenario(withChange(scenario, change), { folder: "." }));
    return applyChange(scenario, change);
  } catch (error) {
    if (!(error instanceof WorldError)) throw error;
    const details = { ...error.details, change: change.text };
    throw new WorldError(error.code, `${change.text}: ${error.message.replace(/^scenario: /, "")}`, details);
  }
}

function withChange(scenario: Scenario, change: Change): Scenario {
  const { overrides } = scenario;
  const overridden = (changed: Partial<ScenarioOverrides>): Scenario => {
    return { ...scenario, overrides: { ...overrides, ...changed } };
  };
  switch (change.kind) {
    case "nic":
    case "nvlink":
    case "pcie":
      return overridden({ [change.kind]: { bandwidth: change.factor } });
    case "launch":
      return overridden({ launch: { time: change.factor } });
    case "gpus":
      return overridden({ gpus: speedsOfAll(scenario, change.factor) });
    case "gpu":
      return overridden({ gpus: { ...overrides.gpus, [change.number]: { speed: change.factor } } });
    case "link":
      return overridden({ links: { ...overrides.links, [change.name]: { bandwidth: change.factor } } });
    case "expert":
      return overridden({ experts: { ...overrides.experts, [change.number]: { load: change.factor } } });
    case "gate":
      return withDraw(scenario, change.draw);
    case "schedule":
    case "dispatch":
      return withStepField(scenario, `${mainPhase(scenario)}.${change.kind}`, change.value);
    default:
      return withStepField(scenario, change.kind, change.value);
  }
}

/** What a schedule or a pattern is meant for where no phase is named. */
export function mainPhase({ run }: Scenario): "prefill" | "decode" {
  return run.phase === "prefill" ? "prefill" : "decode";
}

function speedsOfAll(scenario: Scenario, factor: number): ScenarioOverrides["gpus"] {
  const ranks = Array.from({ length: gpuCount(scenario) }, (_, rank) => rank);
  const speedOf = (rank: number): number => scenario.overrides.gpus[rank]?.speed ?? 1;
  return Object.fromEntries(ranks.map((rank) => [rank, { speed: speedOf(rank) * factor }]));
}

/** Groups stay; an exponent belongs to zipf, and loads of single experts are not balanced. */
function withDraw(scenario: Scenario, draw: "balanced" | "gate-like"): Scenario {
  const { routing, overrides } = scenario;
  const { groups, limitedGroups } = routing !== undefined && "draw" in routing ? routing : {};
  return {
    ...scenario,
    math: "skip",
    routing: {
      draw,
      ...(groups === undefined ? {} : { groups }),
      ...(limitedGroups === undefined ? {} : { limitedGroups }),
    },
    overrides: draw === "balanced" ? { ...overrides, experts: {} } : overrides,
  };
}

function withStepField(scenario: Scenario, field: StepField, value: string): Scenario {
  const { run } = scenario;
  const changed = field.endsWith("schedule") ? { schedule: value } : { dispatch: value };
  return field.startsWith("prefill")
    ? { ...scenario, run: { ...run, prefill: { ...run.prefill, ...changed } } }
    : { ...scenario, run: { ...run, decode: { ...run.decode, ...changed } } };
}

function withoutOnes({ nic, nvlink, pcie, launch, ...single }: ScenarioOverrides): ScenarioOverrides {
  const isNone = (factor: number | undefined): boolean => factor === undefined || factor === 1;
  return {
    gpus: others(single.gpus, ({ speed }) => isNone(speed)),
    links: others(single.links, ({ bandwidth }) => isNone(bandwidth)),
    experts: others(single.experts, ({ load }) => isNone(load)),
    ...(isNone(nic?.bandwidth) ? {} : { nic: nic! }),
    ...(isNone(nvlink?.bandwidth) ? {} : { nvlink: nvlink! }),
    ...(isNone(pcie?.bandwidth) ? {} : { pcie: pcie! }),
    ...(isNone(launch?.time) ? {} : { launch: launch! }),
  };
}

/** Of single parts those that are overridden. */
function others<Part>(
  parts: Readonly<Record<string, Part>>,
  isNone: (part: Part) => boolean,
): Record<string, Part> {
  return Object.fromEntries(Object.entries(parts).filter(([, part]) => !isNone(part)));
}
