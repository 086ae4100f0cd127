// The program of a rank: takes the scheduler's plans one by one, runs each step's layers under its schedule, gives the
// new tokens back.

import { type Instant, invariant, latest } from "@windtunnel/base";
import type { AttentionLoad } from "@windtunnel/attention-dp";
import { type CostSequence, matrixProduct, rowKernel } from "@windtunnel/gpu";
import type { ModelConfig } from "@windtunnel/model";
import type { Program } from "@windtunnel/virtual-time";
import { MicroBatch } from "./micro-batch.ts";
import { MicroBatchOrder } from "./micro-batch-order.ts";
import type { Plan, StepKind, StepReport } from "./plan.ts";
import type { RankSetup } from "./rank-setup.ts";
import type { BatchPart } from "./rank-work.ts";
import { toldOf } from "./schedule-file.ts";
import { capturedSize, splitDecode, splitPrefill } from "./split-batch.ts";
import type { TimedLayer } from "./timed-layers.ts";

type StepPlan = Extract<Plan, { kind: StepKind }>;

/** Runs until the scheduler says that there is nothing more to do. */
export function* rankProgram(setup: RankSetup): Program {
  const { gpu, work } = setup;
  for (;;) {
    const { plan: body, dependency } = yield* gpu.plan();
    const plan = body as Plan;
    if (plan.kind === "end") return;
    for (const request of plan.requests) work.admit(request);
    try {
      const report = yield* runStep({ setup, plan, startedAt: dependency.at });
      for (const { request, last } of plan.requests) if (last) work.release(request);
      gpu.report(report, report.end);
    } catch (error) {
      throw toldOf(error, setup.styles[plan.kind].schedule);
    }
  }
}

interface StepRun {
  readonly setup: RankSetup;
  readonly plan: StepPlan;
  readonly startedAt: Instant;
  readonly moeLayers: readonly TimedLayer[];
}

function* runStep(run: Omit<StepRun, "moeLayers">): Program<StepReport> {
  const { setup, plan, startedAt } = run;
  const { gpu, timed, work } = setup;
  const { schedule, graphSizes } = setup.styles[plan.kind];
  invariant(schedule.kinds.includes(plan.kind), `${schedule.name} does not ${plan.kind}`);
  const tokens = plan.requests.flatMap((request) => request.tokens);
  invariant(tokens.length <= setup.maxRows, `${tokens.length} rows in a step, room for ${setup.maxRows}`);
  const moeLayers = timed.layers.filter(({ kind }) => kind === "moe");
  const parts = plan.requests.map(({ request, tokens: own }): BatchPart => {
    return { request, tokens: own, before: 0 };
  });
  const captured = capturedSize(parts.length, graphSizes);
  const size = captured ?? parts.length;
  const stepRun = { ...run, moeLayers };
  const whole = createMicroBatch(stepRun, parts, { index: 0, firstRow: 0, size });
  const halves = schedule.microBatchCount === 1 ? undefined : halve(stepRun, parts, size);
  const microBatches = halves ?? [whole];
  work.embed(tokens);
  if (captured !== undefined) gpu.beginReplay();
  const start = whole.batch.embed();
  for (const layer of timed.layers) {
    if (layer.kind !== "dense") continue;
    whole.batch.attention0(layer);
    whole.batch.attention1(layer);
    whole.batch.dense(layer);
  }
  if (halves !== undefined) for (const { batch } of halves) batch.follow([whole.batch]);
  const batches = microBatches.map(({ batch }) => batch);
  yield* schedule.moeLayers({ layers: moeLayers, microBatches: batches, kind: plan.kind });
  for (const { order } of microBatches) order.checkComplete();
  const newTokens = work.newTokens(plan.requests);
  const place = { step: plan.step, layer: -1, microBatch: -1 };
  const residual = batches.flatMap((batch) => batch.residual);
  const last = residual.reduce((at, dependency) => latest(at, dependency.at), startedAt);
  const rows = size * positionsPerRequest(plan);
  const end =
    rows === 0
      ? last
      : gpu.compute({ name: "head", place, cost: headCost(timed.config, rows), dependsOn: residual, rows })
          .at;
  if (captured !== undefined) gpu.endReplay();
  const { step, kind } = plan;
  gpu.recorder.rankStep({
    step,
    kind,
    start,
    end,
    requests: plan.requests.length,
    tokens: tokens.length,
  });
  return { rank: setup.rank, step, start, end, newTokens };
}

/** Two micro-batches over the rows of one, cut where `split-batch.ts` says. */
function halve(run: StepRun, parts: readonly BatchPart[], size: number): OrderedMicroBatch[] {
  const { plan, setup } = run;
  const { leading = 0 } = setup.styles[plan.kind].schedule;
  const cut =
    plan.kind === "decode"
      ? splitDecode(parts.length, size)
      : splitPrefill(
          parts.map(({ request, tokens }) => {
            return { tokens: tokens.length, cached: setup.work.cachedPositions(request) };
          }),
        );
  const early = parts.slice(0, cut.requests);
  const late = parts.slice(cut.requests);
  const [split] = late;
  if (cut.tokens > 0 && split !== undefined) {
    early.push({ ...split, tokens: split.tokens.slice(0, cut.tokens) });
    late[0] = { ...split, tokens: split.tokens.slice(cut.tokens), before: cut.tokens };
  }
  const earlySize = plan.kind === "decode" ? Math.ceil(size / 2) : early.length;
  const firstRow = early.reduce((sum, { tokens }) => sum + tokens.length, 0);
  const first = createMicroBatch(run, early, { index: leading, firstRow: 0, size: earlySize });
  const second = createMicroBatch(run, late, {
    index: 1 - leading,
    firstRow,
    size: plan.kind === "decode" ? size - earlySize : late.length,
    ...(cut.tokens > 0 ? { continues: first.batch } : {}),
  });
  return leading === 0 ? [first, second] : [second, first];
}

interface OrderedMicroBatch {
  readonly batch: MicroBatch;
  readonly order: MicroBatchOrder;
}

function createMicroBatch(
  run: StepRun,
  parts: readonly BatchPart[],
  place: {
    readonly index: number;
    readonly firstRow: number;
    /** Requests that dense kernels are priced for: at least as many as there are. */
    readonly size: number;
    readonly continues?: MicroBatch;
  },
): OrderedMicroBatch {
  const { setup, plan, startedAt, moeLayers } = run;
  const { gpu, work } = setup;
  const { pattern, schedule } = setup.styles[plan.kind];
  const { step, kind } = plan;
  const { index, firstRow, size, continues } = place;
  const all = gpu.costModel.profile.sms;
  const layers = moeLayers.map(({ layer }) => layer);
  const order = new MicroBatchOrder(schedule.name, index, layers);
  const padding = size - parts.length;
  const padded = padding * positionsPerRequest(plan);
  const rows = work.rowsOf(parts, { step, kind, microBatch: index, firstRow });
  const batch = new MicroBatch({
    setup,
    pattern,
    step,
    index,
    rows,
    pricedRows: rows.rowCount + padded,
    order,
    ...(continues === undefined ? {} : { continues }),
    load: attentionLoad(run, parts, padding),
    sms: schedule.overlaps ? all - (pattern.sms ?? 0) : all,
    exchangeStream: schedule.overlaps && pattern.sms !== null ? "communication" : "compute",
    after: { at: startedAt, cause: { kind: "plan" } },
  });
  return { batch, order };
}

/** Positions that come out of a step for each request: of a prompt the last one, in decode all that are verified. */
function positionsPerRequest({ kind, requests }: StepPlan): number {
  return kind === "decode" ? (requests[0]?.tokens.length ?? 1) : 1;
}

/** Rows as the timed attention sees them; what pads a batch attends to itself alone. */
function attentionLoad(run: StepRun, parts: readonly BatchPart[], padding: number): AttentionLoad {
  const { plan, setup } = run;
  const priced = plan.kind === "decode" ? setup.timed.cachedPositions : undefined;
  const pads = Array.from({ length: padding }, () => positionsPerRequest(plan));
  return {
    form: plan.kind === "prefill" ? "expanded" : "absorbed",
    newPositions: [...parts.map(({ tokens }) => tokens.length), ...pads],
    contextPositions: [
      ...parts.map(
        ({ request, tokens, before = 0 }) =>
          (priced ?? setup.work.cachedPositions(request)) + before + tokens.length,
      ),
      ...pads,
    ],
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
