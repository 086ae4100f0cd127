// The options of an all-to-all as a run that is prepared like any other: a scenario in which nothing is executed, with
// all ranks in one expert-parallel unit. What a scenario would refuse in its own words, or not at all, is refused here.

import { inputError } from "@windtunnel/base";
import { findPreset, type ModelConfig } from "@windtunnel/model";
import type { AllToAllOptions } from "./all-to-all-options.ts";
import { hardwareProfile } from "./hardware.ts";
import { dispatchPattern } from "./patterns.ts";
import { type PreparedRun, prepareRun } from "./prepare-run.ts";
import { describeValue, isModuleFile, resolveScenario, type Scenario } from "./scenario/index.ts";

/**
 * Throws `input` errors. Their path is the name of an option, or the path of a scenario's field (`cluster.fabric.planes`)
 * where the scenario refuses what an option became.
 */
export function prepareAllToAll(options: AllToAllOptions): PreparedRun {
  checkSizes(options);
  checkRouting(options);
  checkDomain(options);
  const scenario = resolveScenario(scenarioOf(options), { folder: process.cwd() });
  checkPattern(options, scenario);
  return prepareRun(scenario, sizesOf(options));
}

function scenarioOf(options: AllToAllOptions): object {
  const { ranks, gpusPerNode, gate, exponent, groups, limitedGroups } = options;
  return {
    name: "all-to-all",
    seed: options.seed,
    model: { preset: "deepseek-v3" },
    math: "skip",
    routing: { draw: gate, groups, limitedGroups, ...(gate === "zipf" ? { exponent } : {}) },
    timing: { gpu: options.gpu },
    cluster: { nodes: ranks / gpusPerNode, gpusPerNode, fabric: options.fabric },
    parallelism: { expertParallel: ranks, redundantExperts: options.redundantExperts },
    run: {
      phase: "decode",
      // There is no prefill; this pattern fits every GPU and needs no file.
      prefill: { dispatch: "low-latency" },
      decode: { dispatch: options.pattern },
      precision: { dispatch: options.dispatch, combine: options.combine },
      nvlinkForDispatch: options.nvlink,
      communicationSms: options.sms,
    },
    workload: { requestsPerGpu: 1, promptTokens: 1, steps: 1 },
    allowOversubscription: true,
  };
}

function sizesOf({ hidden, experts, topk, groups, limitedGroups }: AllToAllOptions): ModelConfig {
  return {
    ...findPreset("deepseek-v3").config,
    hiddenSize: hidden,
    expertCount: experts,
    expertsPerToken: topk,
    groupCount: groups,
    limitedGroupCount: limitedGroups,
  };
}

/** An NVLink domain has no leaves, no spines and no network to choose; silence would be taken for an effect. */
function checkDomain({ fabric }: AllToAllOptions): void {
  if (fabric["kind"] !== "nvlink-domain") return;
  for (const field of ["nodesPerLeaf", "spinesPerPlane", "switchPorts", "network", "routing"]) {
    const value = fabric[field];
    if (value === undefined) continue;
    throw inputError(
      `cluster.fabric.${field}: found ${describeValue(value)} in an NVLink domain, which has one switch`,
      {
        path: `cluster.fabric.${field}`,
        found: describeValue(value),
        allowed: "leaving it out, or a fabric of another kind",
      },
    );
  }
}

function checkSizes({ ranks, gpusPerNode, tokens }: AllToAllOptions): void {
  if (ranks % gpusPerNode !== 0) {
    refuse(
      "ranks",
      `${ranks}, which do not fill nodes of ${gpusPerNode} GPUs`,
      `a multiple of ${gpusPerNode}`,
    );
  }
  if (tokens.length === 0 || tokens.length > ranks) {
    refuse(
      "tokens",
      `${tokens.length} numbers for ${ranks} ranks`,
      "one for all ranks, or at most one for each",
    );
  }
}

function checkRouting({
  ranks,
  experts,
  redundantExperts,
  topk,
  groups,
  limitedGroups,
}: AllToAllOptions): void {
  const missing = (ranks - ((experts + redundantExperts) % ranks)) % ranks;
  if (missing > 0) {
    const redundant = redundantExperts === 0 ? "" : ` and ${redundantExperts} redundant ones`;
    refuse(
      "experts",
      `${experts} experts${redundant} on ${ranks} ranks, which do not divide`,
      `for example ${experts + missing} experts, or ${redundantExperts + missing} redundantExperts`,
    );
  }
  if (experts % groups !== 0) {
    refuse(
      "groups",
      `${experts} experts in ${groups} groups, which do not divide`,
      `a divisor of ${experts}`,
    );
  }
  if (limitedGroups > groups) {
    refuse("limitedGroups", `${limitedGroups} of ${groups} groups`, `1 to ${groups}`);
  }
  const reachable = (experts / groups) * limitedGroups;
  if (topk > reachable) {
    const kept = limitedGroups === 1 ? "1 group" : `${limitedGroups} groups`;
    const from = groups === 1 ? `${experts}` : `${kept} of ${experts / groups}`;
    refuse("topk", `${topk} experts of a token from ${from}`, `at most ${reachable}, or more to choose from`);
  }
}

function checkPattern({ pattern, tokens, sms, gpu }: AllToAllOptions, { run }: Scenario): void {
  const { name, sms: held, tokenLimit } = dispatchPattern(run.decode.dispatch, sms, "pattern");
  const most = Math.max(...tokens);
  if (tokenLimit !== undefined && most > tokenLimit) {
    refuse("tokens", `${most} tokens for ${name}`, `at most ${tokenLimit} on a rank, or another pattern`);
  }
  const profile = hardwareProfile(gpu);
  if (held !== null && held >= profile.sms) {
    // A user's pattern says by itself what it holds.
    const option = isModuleFile(pattern) ? "pattern" : "sms";
    refuse(option, `${held} of the ${profile.sms} SMs of ${profile.name}`, `less than ${profile.sms}`);
  }
}

function refuse(path: keyof AllToAllOptions, found: string, allowed: string): never {
  throw inputError(`${path}: found ${found}; allowed: ${allowed}`, { path, found, allowed });
}
