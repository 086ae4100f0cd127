// What runs in an all-to-all that is measured alone: a program for each rank, and what begins both phases on all of them.

import { type Instant, invariant, NEVER } from "@windtunnel/base";
import { checkSteps, RankExchange, Unit } from "@windtunnel/expert";
import { CONTROL_EVENTS, type Gpu } from "@windtunnel/gpu";
import type { DispatchLayout } from "@windtunnel/router";
import type { ParcelTable } from "@windtunnel/network-plane";
import { noRecorder, type Phase, type Recorder, type SpanName, type SpanRecord } from "@windtunnel/trace";
import type { LogicalProcess, ProcessContext, ProcessEvent, Program } from "@windtunnel/virtual-time";
import { createGpu, ranksInReach } from "./create-processes.ts";
import type { PreparedRun } from "./prepare-run.ts";
import { roundTripOf } from "./wiring.ts";

export interface MeasuredRank {
  readonly gpu: Gpu;
  readonly layout: DispatchLayout;
  readonly span: Readonly<Record<Phase, { start: Instant; end: Instant }>>;
  /** When the phase was begun, before what is not measured. */
  plannedAt: Instant;
}

/** Layout and counts are made before DeepEP's clock starts; every other kernel of a phase is measured. */
const NOT_MEASURED: ReadonlySet<SpanName> = new Set(["dispatch.layout", "dispatch.notify"]);

export function measureRank(
  run: PreparedRun,
  rank: number,
  layout: DispatchLayout,
  parcels: ParcelTable,
): MeasuredRank {
  const never = (): { start: Instant; end: Instant } => ({ start: NEVER, end: NEVER });
  const span = { dispatch: never(), combine: never() };
  const recorder: Recorder = {
    ...noRecorder,
    span: ({ name, start }: SpanRecord) => {
      const phase = name.split(".")[0]!;
      const measured = phase === "dispatch" || phase === "combine" ? span[phase] : undefined;
      if (measured !== undefined && !NOT_MEASURED.has(name) && start < measured.start) measured.start = start;
      return 0;
    },
  };
  const gpu = createGpu(run, rank, { recorder, parcels });
  const measured: MeasuredRank = { gpu, layout, span, plannedAt: NEVER };
  gpu.load(() => program(run, rank, measured));
  return measured;
}

function* program(run: PreparedRun, rank: number, measured: MeasuredRank): Program {
  const { gpu, layout, span } = measured;
  const { placement, timed, wire } = run;
  const { pattern } = run.styles.decode;
  const exchange = new RankExchange({
    gpu,
    pattern: pattern.name,
    alongRails: pattern.alongRails === true,
    receivesOnly: pattern.receivesOnly === true,
    unit: new Unit({
      rank,
      ranks: Array.from({ length: placement.degree }, (_, index) => index),
      gpusPerNode: ranksInReach(run),
    }),
    shape: {
      hiddenSize: timed.hiddenSize,
      wire,
      expertsPerRank: placement.expertsPerRank,
      choicesPerToken: timed.expertsPerToken,
    },
    place: { step: 0, layer: 0, microBatch: 0 },
    numbers: { dispatch: 0, combine: 1 },
    stream: pattern.sms === null ? "compute" : "communication",
    sms: pattern.sms,
    computeSms: gpu.costModel.profile.sms,
    layout,
    placement,
    math: undefined,
    memory: new Map<string, unknown>(),
    roundTrip: roundTripOf(run),
  });
  const steps = checkSteps(pattern.open(exchange), pattern.name);
  const begin = yield* gpu.plan();
  measured.plannedAt = begin.dependency.at;
  yield* exchange.run({ phase: "dispatch", followedBy: [] }, steps.sendDispatch(begin.dependency));
  const received = yield* exchange.run({ phase: "dispatch", followedBy: "report" }, steps.receiveDispatch());
  endPhase(span.dispatch, begin.dependency.at, received.at);
  exchange.checkKept();
  exchange.runExperts();
  gpu.report(rank, received.at);
  const goOn = yield* gpu.plan();
  yield* exchange.run({ phase: "combine", followedBy: [] }, steps.sendCombine(goOn.dependency));
  const combined = yield* exchange.run({ phase: "combine", followedBy: "report" }, steps.receiveCombine());
  endPhase(span.combine, goOn.dependency.at, combined.at);
  exchange.combine();
  gpu.report(rank, combined.at);
}

/** A phase without a kernel of its own, as a user's pattern may have it, lasts from its begin. */
function endPhase(span: { start: Instant; end: Instant }, begun: Instant, end: Instant): void {
  span.end = end;
  if (span.start === NEVER) span.start = begun;
}

export interface Traffic {
  readonly messages: number;
  readonly nvlinkBytes: number;
  /** Bytes that entered a NIC. */
  readonly rdmaBytes: number;
}

/** Begins each phase on all ranks at one instant, when all have ended the one before. */
export class PhaseCoordinator implements LogicalProcess {
  /** Traffic up to the end of each phase. */
  readonly traffic: Traffic[] = [];
  readonly #run: PreparedRun;
  readonly #measure: () => Traffic;
  #reports = 0;

  constructor(run: PreparedRun, measure: () => Traffic) {
    this.#run = run;
    this.#measure = measure;
  }

  start(context: ProcessContext): void {
    this.#begin(context);
  }

  handle(event: ProcessEvent, context: ProcessContext): void {
    invariant(event.kind === CONTROL_EVENTS.report, `a coordinator does not know event kind ${event.kind}`);
    if (++this.#reports % this.#run.numbers.rankCount !== 0) return;
    this.traffic.push(this.#measure());
    if (this.traffic.length === 1) this.#begin(context);
  }

  #begin(context: ProcessContext): void {
    const { numbers, controlLatency } = this.#run;
    for (let target = 0; target < numbers.rankCount; target++) {
      const time = (context.now + controlLatency) as Instant;
      const common = { sentAt: context.now, time, size: 0, body: undefined };
      context.send({ target, kind: CONTROL_EVENTS.plan, ...common });
    }
  }
}
