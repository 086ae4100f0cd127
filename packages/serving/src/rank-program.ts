// The program of a rank: takes the scheduler's plans one by one, runs each step's layers under its schedule, gives the
// new tokens back.

import { type Instant, invariant, latest } from "@windtunnel/base";
import type { AttentionLoad } from "@windtunnel/attention-dp";
import { type CostSequence, matrixProduct, rowKernel } from "@windtunnel/gpu";
import type { ModelConfig } from "@windtunnel/model";
import type { Program } from "@windtunnel/virtual-time";
import { MicroBatch } from "./micro-batch.ts";
import type { Plan, PlannedRequest, StepKind, StepReport } from "./plan.ts";
import type { RankSetup } from "./rank-setup.ts";

type StepPlan = Extract<Plan, { kind: StepKind }>;

/** Runs until the scheduler says that there is nothing more to do. */
export function* rankProgram(setup: RankSetup): Program {
  const { gpu, work } = setup;
  for (;;) {
    const { plan: body, dependency } = yield* gpu.plan();
    const plan = body as Plan;
    if (plan.kind === "end") return;
    for (const request of plan.requests) work.admit(request);
    const report = yield* runStep({ setup, plan, startedAt: dependency.at });
    for (const { request, last } of plan.requests) if (last) work.release(request);
    gpu.report(report, report.end);
  }
}

interface StepRun {
  readonly setup: RankSetup;
  readonly plan: StepPlan;
  readonly startedAt: Instant;
}

function* runStep(run: StepRun): Program<StepReport> {
  const { setup, plan, startedAt } = run;
  const { gpu, timed, work } = setup;
  const { schedule } = setup.styles[plan.kind];
  invariant(schedule.kinds.includes(plan.kind), `${schedule.name} does not ${plan.kind}`);
  const tokens = plan.requests.flatMap((request) => request.tokens);
  invariant(tokens.length <= setup.maxRows, `${tokens.length} rows in a step, room for ${setup.maxRows}`);
  const whole = createMicroBatch(run, plan.requests, { index: 0, firstRow: 0 });
  work.embed(tokens);
  const start = whole.embed();
  const microBatches = schedule.microBatchCount === 1 ? [whole] : halve(run);
  const moeLayers = timed.layers.filter(({ kind }) => kind === "moe");
  for (const layer of timed.layers) {
    if (layer.kind !== "dense") continue;
    whole.attention0(layer);
    whole.attention1(layer);
    whole.dense(layer);
  }
  for (const microBatch of microBatches) microBatch.follow([whole]);
  yield* schedule.moeLayers({ layers: moeLayers, microBatches });
  const newTokens = work.newTokens(plan.requests);
  const place = { step: plan.step, layer: -1, microBatch: -1 };
  const residual = microBatches.flatMap((microBatch) => microBatch.residual);
  const last = residual.reduce((at, dependency) => latest(at, dependency.at), startedAt);
  const rows = plan.requests.length;
  const end =
    rows === 0
      ? last
      : gpu.compute({ name: "head", place, cost: headCost(timed.config, rows), dependsOn: residual }).at;
  const { step, kind } = plan;
  gpu.recorder.rankStep({ step, kind, start, end, requests: rows, tokens: tokens.length });
  return { rank: setup.rank, step, start, end, newTokens };
}

/** Two micro-batches of half the requests each, over the same rows. */
function halve(run: StepRun): MicroBatch[] {
  const { requests } = run.plan;
  const middle = Math.ceil(requests.length / 2);
  const first = requests.slice(0, middle);
  const firstRows = first.reduce((sum, { tokens }) => sum + tokens.length, 0);
  return [
    createMicroBatch(run, first, { index: 0, firstRow: 0 }),
    createMicroBatch(run, requests.slice(middle), { index: 1, firstRow: firstRows }),
  ];
}

function createMicroBatch(
  run: StepRun,
  requests: readonly PlannedRequest[],
  place: { readonly index: number; readonly firstRow: number },
): MicroBatch {
  const { setup, plan, startedAt } = run;
  const { gpu, work } = setup;
  const { pattern, schedule } = setup.styles[plan.kind];
  const { step, kind } = plan;
  const all = gpu.costModel.profile.sms;
  return new MicroBatch({
    setup,
    pattern,
    step,
    index: place.index,
    rows: work.rowsOf(requests, { step, kind, microBatch: place.index, firstRow: place.firstRow }),
    load: attentionLoad(run, requests),
    sms: schedule.overlaps ? all - (pattern.sms ?? 0) : all,
    exchangeStream: schedule.overlaps && pattern.sms !== null ? "communication" : "compute",
    after: { at: startedAt, cause: { kind: "plan" } },
  });
}

/** Rows as the timed attention sees them. */
function attentionLoad(run: StepRun, requests: readonly PlannedRequest[]): AttentionLoad {
  const { plan, setup } = run;
  const newPositions = requests.map(({ tokens }) => tokens.length);
  const priced = plan.kind === "decode" ? setup.timed.cachedPositions : undefined;
  return {
    form: plan.kind === "prefill" ? "expanded" : "absorbed",
    newPositions,
    contextPositions: requests.map(
      ({ request, tokens }) => (priced ?? setup.work.cachedPositions(request)) + tokens.length,
    ),
  };
}

/** Last norm, vocabulary projection (BF16 weights) and choice. */
function headCost(config: ModelConfig, rows: number): CostSequence {
  return [
    rowKernel(rows, rows * 2 * config.hiddenSize),
    matrixProduct(rows, config.hiddenSize, config.vocabularySize, "bf16"),
    rowKernel(rows, rows * config.vocabularySize),
  ];
}
