// The program of a rank: takes the scheduler's plans one by one, runs each step's layers under its schedule, gives the
// new tokens back.

import { defined, type Instant, invariant, latest, RandomStream } from "@windtunnel/base";
import { type AttentionLoad, type RequestRows, ResidentRequests } from "@windtunnel/attention-dp";
import { type CostSequence, elementwise, matrixProduct } from "@windtunnel/gpu";
import { embed, greedyTokens, KvCache, type ModelConfig, projectLogits } from "@windtunnel/model";
import { rowSize, type Tensor } from "@windtunnel/tensor";
import type { Program } from "@windtunnel/virtual-time";
import { MicroBatch } from "./micro-batch.ts";
import { createRowBuffers, MicroBatchMath, type RowBuffers } from "./micro-batch-math.ts";
import type { Plan, PlannedRequest, StepKind, StepReport } from "./plan.ts";
import type { RankSetup } from "./rank-setup.ts";

type StepPlan = Extract<Plan, { kind: StepKind }>;

/** Runs until the scheduler says that there is nothing more to do. */
export function* rankProgram(setup: RankSetup): Program {
  const { executed, gpu } = setup;
  const resident = new ResidentRequests(executed.config, (shape) => executed.memory.tensor(shape));
  const buffers = createRowBuffers(executed, setup.maxRows);
  for (;;) {
    const { plan: body, dependency } = yield* gpu.plan();
    const plan = body as Plan;
    if (plan.kind === "end") return;
    admitRequests(setup, resident, plan);
    const report = yield* runStep({ setup, resident, buffers, plan, startedAt: dependency.at });
    for (const { request, last } of plan.requests) if (last) resident.release(request);
    gpu.report(report, report.end);
  }
}

function admitRequests(setup: RankSetup, resident: ResidentRequests, plan: StepPlan): void {
  for (const { request, admit } of plan.requests) {
    if (admit === undefined) continue;
    const cache = resident.admit({ request, positions: admit.positions });
    if (admit.drawnPositions > 0) drawPositions(cache, setup, request, admit.drawnPositions);
  }
}

/** Fills a cache as if so many positions had been prefilled: values of the size that norms give, from the seed. */
function drawPositions(cache: KvCache, setup: RankSetup, request: number, positions: number): void {
  const { config, seed } = setup.executed;
  const random = new RandomStream(seed, `cached positions of request ${request}`);
  for (let layer = 0; layer < config.layerCount; layer++) {
    for (let position = 0; position < positions; position++) {
      const row = cache.append(layer, position);
      for (let i = 0; i < row.length; i++) row[i] = 2 * random.uniform() - 1;
    }
  }
}

interface StepRun {
  readonly setup: RankSetup;
  readonly resident: ResidentRequests;
  readonly buffers: RowBuffers;
  readonly plan: StepPlan;
  readonly startedAt: Instant;
}

function* runStep(run: StepRun): Program<StepReport> {
  const { setup, plan, buffers, startedAt } = run;
  const { gpu, timed, executed } = setup;
  const { schedule } = setup.styles[plan.kind];
  invariant(schedule.kinds.includes(plan.kind), `${schedule.name} does not ${plan.kind}`);
  const tokens = plan.requests.flatMap((request) => request.tokens);
  invariant(tokens.length <= setup.maxRows, `${tokens.length} rows in a step, room for ${setup.maxRows}`);
  const whole = createMicroBatch(run, plan.requests, { index: 0, firstRow: 0 });
  executed.context.arena.scope(() => {
    whole.math.x.data.set(embed(executed.context, executed.weights, tokens).data);
  });
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
  const newTokens = sampleTokens(run, buffers.x);
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
  const { setup, resident, buffers, plan, startedAt } = run;
  const { executed, placement, wire, gpu } = setup;
  const { pattern, schedule } = setup.styles[plan.kind];
  const rows = requests.map(({ request, tokens }): RequestRows => {
    return { request, tokens, kind: plan.kind === "prefill" ? "prompt" : "generated" };
  });
  const batch = resident.batchOf(rows);
  const all = gpu.costModel.profile.sms;
  return new MicroBatch({
    setup,
    pattern,
    step: plan.step,
    index: place.index,
    math: new MicroBatchMath({ executed, placement, wire, batch, buffers, firstRow: place.firstRow }),
    load: attentionLoad(run, requests),
    sms: schedule.overlaps ? all - (pattern.sms ?? 0) : all,
    exchangeStream: schedule.overlaps ? pattern.stream : "compute",
    after: { at: startedAt, cause: { kind: "plan" } },
  });
}

/** Rows as the timed attention sees them. */
function attentionLoad(run: StepRun, requests: readonly PlannedRequest[]): AttentionLoad {
  const { plan, resident, setup } = run;
  const newPositions = requests.map(({ tokens }) => tokens.length);
  const priced = plan.kind === "decode" ? setup.timed.cachedPositions : undefined;
  return {
    form: plan.kind === "prefill" ? "expanded" : "absorbed",
    newPositions,
    contextPositions: requests.map(
      ({ request, tokens }) => (priced ?? resident.cachedPositions(request)) + tokens.length,
    ),
  };
}

/** The greedy token after each request's last row. */
function sampleTokens(run: StepRun, x: Tensor): number[] {
  const { context, weights } = run.setup.executed;
  const { requests } = run.plan;
  if (requests.length === 0) return [];
  const size = rowSize(x);
  return context.arena.scope(() => {
    const lastRows = context.arena.tensor([requests.length, size]);
    let row = -1;
    for (const [index, { tokens }] of requests.entries()) {
      row += tokens.length;
      lastRows.data.set(x.data.subarray(row * size, (row + 1) * size), index * size);
    }
    return greedyTokens(projectLogits(context, weights, lastRows)).map((token) => defined(token, "a token"));
  });
}

/** Last norm, vocabulary projection (BF16 weights) and choice. */
function headCost(config: ModelConfig, rows: number): CostSequence {
  return [
    elementwise(rows * 2 * config.hiddenSize),
    matrixProduct(rows, config.hiddenSize, config.vocabularySize, "bf16"),
    elementwise(rows * config.vocabularySize),
  ];
}
