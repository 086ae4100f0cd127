// From a scenario to everything that a run needs to know, checked. A pure function of the scenario and the files that
// it names: every host calls it and gets the same. It starts nothing and allocates nothing.

import path from "node:path";
import { type Duration, inputError, microseconds } from "@windtunnel/base";
import {
  checkTokenLimit,
  direct,
  type DispatchPattern,
  LOW_LATENCY_TOKEN_LIMIT,
  lowLatency,
} from "@windtunnel/expert";
import type { HardwareProfile, WeightPrecision } from "@windtunnel/gpu";
import { checkPrompt, type ModelConfig, type WirePrecision } from "@windtunnel/model";
import { createFatTreePlane, NETWORK_PROFILES, type NetworkProfile } from "@windtunnel/network-plane";
import { type ExpertPlacement, placeExperts } from "@windtunnel/router";
import {
  type DrawnRouting,
  drawRequests,
  fiveStage,
  layersWithoutMath,
  mapLayers,
  type Schedule,
  sequential,
  spreadRequests,
  type StepKind,
  type StepStyle,
  type TimedLayer,
  type WorkloadRequest,
} from "@windtunnel/serving";
import { hardwareProfile } from "./hardware.ts";
import { type HostPlacement, placeOnHosts } from "./host-placement.ts";
import { checkMemory } from "./memory-plan.ts";
import { type ExecutedSource, executedSource, namedModel, timedConfig } from "./models.ts";
import { numberProcesses, type ProcessNumbers } from "./process-numbers.ts";
import {
  checkHosts,
  checkTokens,
  type DrawnRouting as DrawnScenarioRouting,
  hostCount,
  loadPrompts,
  nearestName,
  type Scenario,
} from "./scenario/index.ts";

const BALANCED: Extract<DrawnScenarioRouting, { draw: string }> = { draw: "balanced" };
/** Prompt tokens of a rank in one prefill step (mechanics §4.1: 16K tokens per GPU). */
const PREFILL_TOKENS_PER_RANK = 16_384;
/** Host-side control messages between scheduler and ranks, each way. */
const CONTROL_LATENCY: Duration = microseconds(5);

export interface PreparedRun {
  readonly scenario: Scenario;
  /** The scenario with what follows from the profile and the models: planes and drawn routing. */
  readonly resolved: Scenario;
  /** Undefined with `math: skip`; then routing is drawn. */
  readonly executed: ExecutedSource | undefined;
  readonly routing: DrawnRouting | undefined;
  readonly timed: ModelConfig;
  readonly timedName: string;
  readonly layers: readonly TimedLayer[];
  readonly profile: HardwareProfile;
  readonly network: NetworkProfile;
  readonly weightPrecision: WeightPrecision;
  readonly wire: WirePrecision;
  readonly numbers: ProcessNumbers;
  readonly hosts: HostPlacement;
  readonly placement: ExpertPlacement;
  readonly styles: Readonly<Record<StepKind, StepStyle>>;
  readonly requests: readonly WorkloadRequest[];
  readonly prefillTokensPerRank: number;
  readonly controlLatency: Duration;
  /** Most rows of a rank in a step, and most positions of a request. */
  readonly maxRows: number;
  readonly maxPositions: number;
}

export function prepareRun(scenario: Scenario): PreparedRun {
  const executed = scenario.math === "real" ? executedSource(scenario) : undefined;
  const model = executed ?? namedModel(scenario);
  const timed = timedConfig(scenario, model.config);
  const layers = executed === undefined ? layersWithoutMath(timed) : mapLayers(timed, executed.config);
  const profile = hardwareProfile(scenario.timing.gpu);
  const planeCount = planesOf(scenario, profile);
  checkHosts(scenario, planeCount);
  const numbers = numberProcesses(scenario.cluster, planeCount);
  const placement = placeExperts({
    expertCount: timed.expertCount,
    degree: checkedDegree(scenario, timed.expertCount, numbers.rankCount),
  });
  const styles = {
    prefill: styleOf(scenario.run.prefill),
    decode: styleOf(scenario.run.decode),
  };
  const requests = requestsOf(scenario, model.config, numbers.rankCount);
  const limited = styles.prefill.pattern === lowLatency;
  const prefillTokensPerRank = limited ? LOW_LATENCY_TOKEN_LIMIT : PREFILL_TOKENS_PER_RANK;
  const wire = wireOf(scenario);
  const weightPrecision = wire.dispatch === "fp8" ? "fp8" : "bf16";
  const routing = routingOf(scenario, timed);
  const run: PreparedRun = {
    scenario,
    resolved: resolvedScenario(scenario, planeCount, routing),
    executed,
    routing,
    timed,
    timedName: scenario.timing.model === "executed" ? model.name : path.basename(scenario.timing.model),
    layers,
    profile,
    network: NETWORK_PROFILES[scenario.cluster.fabric.network],
    weightPrecision,
    wire,
    numbers,
    hosts: placeOnHosts(numbers, hostCount(scenario.placement)),
    placement,
    styles,
    requests,
    prefillTokensPerRank,
    controlLatency: CONTROL_LATENCY,
    ...extremes(requests, numbers.rankCount, prefillTokensPerRank, scenario.run.phase),
  };
  checkSms(run);
  checkOverrides(run);
  checkExchangeSizes(run);
  if (!scenario.allowOversubscription) checkFit(run);
  return run;
}

/** Each plane hangs on a NIC of every node; further NICs stay unused. */
function planesOf(scenario: Scenario, profile: HardwareProfile): number {
  const { count } = profile.nics;
  const planes = scenario.cluster.fabric.planes ?? count;
  if (planes <= count) return planes;
  throw inputError(`a node of ${profile.name} has ${count} NICs, too few for ${planes} planes`, {
    path: "cluster.fabric.planes",
    found: planes,
    allowed: `1 to ${count}, or a hardware profile with more NICs`,
  });
}

function resolvedScenario(scenario: Scenario, planes: number, drawn: DrawnRouting | undefined): Scenario {
  const { cluster } = scenario;
  const resolved = { ...scenario, cluster: { ...cluster, fabric: { ...cluster.fabric, planes } } };
  if (drawn === undefined) return resolved;
  const { draw, exponent, shape } = drawn;
  const { groupCount: groups, limitedGroupCount: limitedGroups } = shape;
  return { ...resolved, routing: { draw, ...(draw === "zipf" ? { exponent } : {}), groups, limitedGroups } };
}

/** The timed model's groups, unless the scenario says otherwise; balanced, unless it says how to draw. */
function routingOf(scenario: Scenario, timed: ModelConfig): DrawnRouting | undefined {
  const { routing, seed } = scenario;
  if (scenario.math === "real") {
    if (routing === undefined) return undefined;
    throw inputError("routing is drawn only where nothing is executed", {
      path: "routing",
      found: routing,
      allowed: "math: skip beside it, or leaving it out",
    });
  }
  const drawn = routing !== undefined && "draw" in routing ? routing : BALANCED;
  if (drawn.exponent !== undefined && drawn.draw !== "zipf") {
    throw inputError(`an exponent means nothing to ${drawn.draw} routing`, {
      path: "routing.exponent",
      found: drawn.exponent,
      allowed: "draw: zipf beside it, or leaving it out",
    });
  }
  const groupCount = drawn.groups ?? timed.groupCount;
  const limitedGroupCount = drawn.limitedGroups ?? timed.limitedGroupCount;
  const { expertCount, expertsPerToken } = timed;
  const reachable = (expertCount / groupCount) * limitedGroupCount;
  if (expertCount % groupCount !== 0 || limitedGroupCount > groupCount || expertsPerToken > reachable) {
    throw inputError(
      `${expertsPerToken} of ${expertCount} experts from ${limitedGroupCount} of ${groupCount} groups`,
      {
        path: "routing",
        found: { groups: groupCount, limitedGroups: limitedGroupCount },
        allowed: "groups that divide the experts, and enough experts in the groups of a token",
      },
    );
  }
  const shape = { expertCount, expertsPerToken, groupCount, limitedGroupCount };
  return { draw: drawn.draw, exponent: drawn.exponent ?? 1, shape, seed };
}

/** The degree divides GPUs and experts; the error names those that do. */
function checkedDegree(scenario: Scenario, expertCount: number, gpus: number): number {
  const degree = scenario.parallelism.expertParallel;
  if (expertCount % degree === 0) return degree;
  const degrees = Array.from({ length: gpus }, (_, index) => index + 1);
  const possible = degrees.filter((each) => expertCount % each === 0 && gpus % each === 0);
  throw inputError(
    `${expertCount} experts do not divide by a degree of ${degree} (by default all GPUs are one unit)`,
    {
      path: "parallelism.expertParallel",
      found: degree,
      allowed: `${possible.join(", ")} on ${gpus} GPUs`,
    },
  );
}

function styleOf(style: Scenario["run"]["prefill"] | Scenario["run"]["decode"]): StepStyle {
  const schedules: readonly Schedule[] = [sequential, fiveStage];
  const patterns: readonly DispatchPattern[] = [direct, lowLatency];
  const schedule = schedules.find(({ name }) => name === style.schedule);
  const pattern = patterns.find(({ name }) => name === style.dispatch);
  if (schedule === undefined || pattern === undefined) {
    throw inputError(`${style.schedule} with ${style.dispatch} can't be run`, { path: "run" });
  }
  return { schedule, pattern };
}

function wireOf(scenario: Scenario): WirePrecision {
  const { dispatch, combine } = scenario.run.precision;
  if (combine === "fp8")
    throw inputError("combine can't be fp8", { path: "run.precision.combine", allowed: "f32, bf16" });
  return { dispatch, combine };
}

function requestsOf(scenario: Scenario, config: ModelConfig, rankCount: number): WorkloadRequest[] {
  const { workload, run, seed } = scenario;
  if ("drawn" in workload) {
    const { requestsPerGpu, promptTokens, steps } = workload.drawn;
    const prefill = run.phase !== "decode";
    const newTokens = { generate: steps + 1, prefill: 1, decode: steps }[run.phase];
    const { vocabularySize } = config;
    const requests = drawRequests({
      seed,
      rankCount,
      requestsPerGpu,
      promptTokens,
      vocabularySize,
      prefill,
      newTokens,
    });
    const [longest] = requests;
    if (longest !== undefined) checkPositions(config, longest);
    return requests;
  }
  if (run.phase === "decode") {
    throw inputError("a decode run has nothing to prefill prompts with", {
      path: "run.phase",
      found: "decode with workload.prompts",
      allowed: "phase: generate, or a drawn workload",
    });
  }
  const prompts = loadPrompts(workload.prompts);
  checkTokens(prompts, config.vocabularySize, workload.prompts);
  const requests = prompts.map(({ tokens, maxNewTokens }) => ({
    tokens,
    newTokens: run.phase === "prefill" ? 1 : (maxNewTokens ?? workload.maxNewTokens),
  }));
  for (const { tokens, newTokens } of requests) checkPrompt(config, tokens, newTokens);
  return spreadRequests(requests, rankCount);
}

function checkPositions(config: ModelConfig, { prompt, newTokens, drawnPositions }: WorkloadRequest): void {
  const positions = drawnPositions + prompt.length + newTokens;
  if (positions <= config.maxPositions) return;
  throw inputError(`requests need ${positions} positions; the executed model has ${config.maxPositions}`, {
    path: "workload",
    found: positions,
    allowed: `at most ${config.maxPositions} (use timing.kvLength to price longer caches)`,
  });
}

function extremes(
  requests: readonly WorkloadRequest[],
  rankCount: number,
  prefillTokens: number,
  phase: Scenario["run"]["phase"],
): { maxRows: number; maxPositions: number } {
  const decodeRows = new Int32Array(rankCount);
  const promptRows = new Int32Array(rankCount);
  let longestPrompt = 1;
  let maxPositions = 1;
  for (const { rank, prompt, newTokens, drawnPositions } of requests) {
    decodeRows[rank]!++;
    promptRows[rank]! += prompt.length;
    longestPrompt = Math.max(longestPrompt, prompt.length);
    maxPositions = Math.max(maxPositions, drawnPositions + prompt.length + newTokens);
  }
  const mostDecoding = Math.max(1, ...decodeRows);
  const mostPrefilled = Math.min(Math.max(...promptRows, 1), Math.max(prefillTokens, longestPrompt));
  return { maxRows: phase === "decode" ? mostDecoding : Math.max(mostDecoding, mostPrefilled), maxPositions };
}

/** A pattern's kernels leave computing ones at least one SM. */
function checkSms({ styles, profile }: PreparedRun): void {
  for (const { pattern } of Object.values(styles)) {
    if (pattern.sms === null || pattern.sms < profile.sms) continue;
    throw inputError(
      `${pattern.name} takes ${pattern.sms} SMs for communication; ${profile.name} has ${profile.sms}`,
      {
        path: "timing.gpu",
        found: profile.sms,
        allowed: `more than ${pattern.sms} SMs, or dispatch: low-latency in both phases`,
      },
    );
  }
}

/** Names of overridden links must be ones that the cluster has. */
function checkOverrides(run: PreparedRun): void {
  const { overrides } = run.scenario;
  const named = Object.keys(overrides.links);
  if (named.length === 0) return;
  const cables = new Set(cableNames(run));
  for (const name of named) {
    if (cables.has(name)) continue;
    const nearest = nearestName(name, [...cables]);
    throw inputError(`overrides.links names "${name}", which this cluster does not have`, {
      path: "overrides.links",
      found: name,
      allowed:
        "cables, both directions at once, with a hyphen: " +
        (nearest === undefined ? 'such as "plane 0 / node 0 - leaf 0"' : `for example "${nearest}"`),
    });
  }
}

function cableNames(run: PreparedRun): string[] {
  const { numbers } = run;
  const planes = Array.from({ length: numbers.planeCount }, (_, plane) => planeTopology(run, plane).links);
  const nvlink = Array.from({ length: numbers.nodeCount }, (_, node) =>
    Array.from({ length: numbers.gpusPerNode }, (_, gpu) => `node ${node} nvlink / gpu ${gpu}`),
  );
  return [...planes.flat().map(({ cable }) => cable), ...nvlink.flat()];
}

export function planeTopology(run: PreparedRun, plane: number): ReturnType<typeof createFatTreePlane> {
  const { nodes, fabric } = run.scenario.cluster;
  return createFatTreePlane({
    plane,
    nodes,
    nodesPerLeaf: fabric.nodesPerLeaf,
    spines: fabric.spinesPerPlane,
    linkBytesPerSecond: run.profile.nics.bytesPerSecond,
    network: run.network,
    routing: fabric.routing,
  });
}

/** Low-latency buffers are laid out for a fixed number of tokens. */
function checkExchangeSizes(run: PreparedRun): void {
  const { styles, requests, numbers } = run;
  if (styles.decode.pattern === lowLatency && run.scenario.run.phase !== "prefill") {
    const perRank = new Int32Array(numbers.rankCount);
    for (const { rank } of requests) perRank[rank]!++;
    const most = Math.max(0, ...perRank);
    checkTokenLimit(
      Math.ceil(most / styles.decode.schedule.microBatchCount),
      LOW_LATENCY_TOKEN_LIMIT,
      "low-latency",
    );
  }
  if (styles.prefill.pattern === lowLatency && run.scenario.run.phase !== "decode") {
    const longest = requests.reduce((most, { prompt }) => Math.max(most, prompt.length), 0);
    checkTokenLimit(longest, LOW_LATENCY_TOKEN_LIMIT, "low-latency");
  }
}

function checkFit(run: PreparedRun): void {
  const { scenario, timed, weightPrecision, placement, requests, numbers, profile, maxRows } = run;
  const positions = new Float64Array(numbers.rankCount);
  const priced = scenario.run.phase === "prefill" ? undefined : scenario.timing.kvLength;
  for (const { rank, prompt, newTokens, drawnPositions } of requests) {
    positions[rank]! += priced ?? drawnPositions + prompt.length + newTokens - 1;
  }
  checkMemory(
    {
      timed,
      precision: weightPrecision,
      expertsPerRank: placement.expertsPerRank,
      cachedPositions: Math.max(0, ...positions),
      tokensPerExchange: maxRows,
    },
    profile,
  );
}
