// From a scenario to everything that a run needs to know, checked. A pure function of the scenario and the files that
// it names: every host calls it and gets the same. It starts nothing and allocates nothing.

import path from "node:path";
import { type Duration, inputError, microseconds } from "@windtunnel/base";
import { checkTokenLimit } from "@windtunnel/expert";
import type { HardwareProfile, WeightPrecision } from "@windtunnel/gpu";
import { checkPrompt, type ModelConfig, type WirePrecision } from "@windtunnel/model";
import type { NetworkProfile, TopologyDescription } from "@windtunnel/network-plane";
import { divisionProblem, type ExpertPlacement, placeExperts, type Redundancy } from "@windtunnel/router";
import {
  capturedSize,
  type DrawnRouting,
  drawRequests,
  layersWithoutMath,
  mapLayers,
  popularitiesOf,
  positionsOf,
  splitDecode,
  spreadRequests,
  type StepKind,
  type StepStyle,
  type TimedLayer,
  type WorkloadRequest,
} from "@windtunnel/serving";
import { withLoads } from "./expert-loads.ts";
import { checkLinkOverrides, describeFabric } from "./fabric.ts";
import { hardwareProfile, overriddenProfile } from "./hardware.ts";
import { type HostPlacement, placeOnHosts } from "./host-placement.ts";
import { checkMemory } from "./memory-plan.ts";
import { type ExecutedSource, executedSource, namedModel, timedConfig } from "./models.ts";
import { dispatchPattern } from "./patterns.ts";
import { numberProcesses, type ProcessNumbers } from "./process-numbers.ts";
import { scheduleOf } from "./schedules.ts";
import {
  checkHosts,
  checkTokens,
  type DrawnRouting as DrawnScenarioRouting,
  gpuCount,
  hostCount,
  loadPrompts,
  type Scenario,
} from "./scenario/index.ts";

const BALANCED: Extract<DrawnScenarioRouting, { draw: string }> = { draw: "balanced" };
/** Prompt tokens of a rank in one prefill step (mechanics §4.1: 16K tokens per GPU). */
const PREFILL_TOKENS_PER_RANK = 16_384;
/** SMs of DeepEP's normal kernels (mechanics §2.2), and of the copies of `direct`. */
const COMMUNICATION_SMS = 20;
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
  readonly fabric: TopologyDescription;
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

/** `sizes`: of the timed model, where they are not those of a named one; nothing is executed then. */
export function prepareRun(scenario: Scenario, sizes?: ModelConfig): PreparedRun {
  const executed = scenario.math === "real" ? executedSource(scenario) : undefined;
  const model = executed ?? (sizes === undefined ? namedModel(scenario) : { name: "sizes", config: sizes });
  const timed = timedConfig(scenario, model.config);
  const layers = executed === undefined ? layersWithoutMath(timed) : mapLayers(timed, executed.config);
  const profile = overriddenProfile(hardwareProfile(scenario.timing.gpu), scenario.overrides);
  const fabric = describeFabric(scenario, profile);
  const numbers = numberProcesses(fabric);
  checkHosts(scenario, numbers.planeCount);
  const routing = routingOf(scenario, timed);
  const placement = placementOf(scenario, timed.expertCount, {
    groupCount: routing?.shape.groupCount ?? model.config.groupCount,
    loads: routing === undefined ? [new Float64Array(timed.expertCount).fill(1)] : popularitiesOf(routing),
  });
  const styles = {
    prefill: styleOf(scenario, "prefill"),
    decode: styleOf(scenario, "decode"),
  };
  const requests = requestsOf(scenario, model.config, numbers.rankCount);
  const prefillTokensPerRank = styles.prefill.pattern.tokenLimit ?? PREFILL_TOKENS_PER_RANK;
  const wire = wireOf(scenario);
  const weightPrecision = wire.dispatch === "fp8" ? "fp8" : "bf16";
  const run: PreparedRun = {
    scenario,
    resolved: resolvedScenario(scenario, fabric, routing),
    executed,
    routing,
    timed,
    timedName: scenario.timing.model === "executed" ? model.name : path.basename(scenario.timing.model),
    layers,
    profile,
    fabric,
    network: fabric.network,
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
  checkLinkOverrides(run);
  checkExchangeSizes(run);
  if (!scenario.allowOversubscription) checkFit(run);
  return run;
}

/** With what follows from the hardware profile: planes, and the nodes of a leaf that serves all NICs. */
function resolvedScenario(
  scenario: Scenario,
  { kind, planes, nodesPerLeaf }: TopologyDescription,
  drawn: DrawnRouting | undefined,
): Scenario {
  const { cluster } = scenario;
  const nics = kind === "nvlink-domain" ? {} : { planes, nodesPerLeaf };
  const resolved = { ...scenario, cluster: { ...cluster, fabric: { ...cluster.fabric, ...nics } } };
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
  return withLoads({ draw: drawn.draw, exponent: drawn.exponent ?? 1, shape, seed }, scenario.overrides);
}

/** Expected loads are those of drawn routing, or all alike where a model's gate chooses. */
function placementOf(
  scenario: Scenario,
  expertCount: number,
  expected: Pick<Redundancy, "groupCount" | "loads">,
): ExpertPlacement {
  const { expertParallel: degree, redundantExperts: count } = scenario.parallelism;
  checkDegree(scenario, expertCount);
  const { gpusPerNode, fabric } = scenario.cluster;
  const isOneDomain = fabric.kind === "nvlink-domain";
  const nodeCount = !isOneDomain && degree % gpusPerNode === 0 ? degree / gpusPerNode : 1;
  return placeExperts({ expertCount, degree, redundancy: { count, nodeCount, ...expected } });
}

/** All replicas divide by the degree; the error names degrees and numbers of redundant experts that fit. */
function checkDegree(scenario: Scenario, expertCount: number): void {
  const { expertParallel: degree, redundantExperts } = scenario.parallelism;
  const problem = divisionProblem(expertCount, redundantExperts, degree);
  if (problem === undefined) return;
  const gpus = gpuCount(scenario);
  const degrees = Array.from({ length: gpus }, (_, index) => index + 1);
  const fitting = degrees.filter(
    (each) => gpus % each === 0 && (expertCount + redundantExperts) % each === 0,
  );
  throw inputError(`${problem} (by default all GPUs are one unit)`, {
    path: "parallelism.expertParallel",
    found: degree,
    allowed: `${fitting.join(", ")} on ${gpus} GPUs with ${redundantExperts} redundant experts`,
  });
}

function styleOf({ run }: Scenario, kind: StepKind): StepStyle {
  const schedule = scheduleOf(run[kind].schedule, kind);
  const sms = run.communicationSms ?? schedule.communicationSms ?? COMMUNICATION_SMS;
  const pattern = dispatchPattern(run[kind].dispatch, sms, `run.${kind}.dispatch`);
  if (kind === "prefill" || run.decode.launch === "kernels") return { schedule, pattern };
  if (pattern.hostWaits) {
    throw inputError(`the host waits for counts in ${pattern.name}, which no graph can hold`, {
      path: "run.decode.launch",
      found: `graph with dispatch: ${run.decode.dispatch}`,
      allowed: "launch: kernels, or dispatch: low-latency or direct",
    });
  }
  return { schedule, pattern, graphSizes: run.decode.graphSizes };
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
    const { requestsPerGpu, promptTokens, steps, positionsPerRequest, acceptedPerStep } = workload.drawn;
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
      speculation:
        positionsPerRequest === 1 ? undefined : { positionsPerStep: positionsPerRequest, acceptedPerStep },
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

function checkPositions(config: ModelConfig, request: WorkloadRequest): void {
  const positions = positionsOf(request) + 1;
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
  for (const request of requests) {
    const { rank, prompt } = request;
    decodeRows[rank]! += request.speculation?.positionsPerStep ?? 1;
    promptRows[rank]! += prompt.length;
    longestPrompt = Math.max(longestPrompt, prompt.length);
    maxPositions = Math.max(maxPositions, positionsOf(request) + 1);
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

/** Some patterns' buffers are laid out for a fixed number of tokens. */
function checkExchangeSizes({ styles, requests, numbers, scenario }: PreparedRun): void {
  const { phase } = scenario.run;
  if (phase !== "prefill") {
    const perRank = new Int32Array(numbers.rankCount);
    for (const { rank } of requests) perRank[rank]!++;
    const most = Math.max(0, ...perRank);
    const positions = requests[0]?.speculation?.positionsPerStep ?? 1;
    const { pattern, schedule, graphSizes } = styles.decode;
    const inFirst =
      schedule.microBatchCount === 1
        ? most
        : splitDecode(most, capturedSize(most, graphSizes) ?? most).requests;
    checkTokenLimit(inFirst * positions, pattern);
  }
  if (phase !== "decode") {
    const longest = requests.reduce((most, { prompt }) => Math.max(most, prompt.length), 0);
    checkTokenLimit(longest, styles.prefill.pattern);
  }
}

function checkFit(run: PreparedRun): void {
  const { scenario, timed, weightPrecision, placement, requests, numbers, profile, maxRows } = run;
  const positions = new Float64Array(numbers.rankCount);
  const priced = scenario.run.phase === "prefill" ? undefined : scenario.timing.kvLength;
  for (const request of requests) positions[request.rank]! += priced ?? positionsOf(request);
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
