// The operations of a micro-batch on its rank, named as the stages of the published schedules: each is issued on the
// GPU at the timed model's cost and, where the layer is executed, done for real at that moment.
// Invariant: an operation depends on what it reads, whatever order a schedule issues them in.

import { defined, type Duration, type Instant, invariant, type Payload, picoseconds } from "@windtunnel/base";
import { type AttentionLoad, coreCost, projectionCost } from "@windtunnel/attention-dp";
import {
  type ArrivedRows,
  type DispatchPattern,
  type ExchangeShape,
  expertsCost,
  gateCost,
  mlpCost,
} from "@windtunnel/expert";
import {
  type Completion,
  type CostSequence,
  type Dependency,
  elementwise,
  type Gpu,
  type Operation,
  type Received,
} from "@windtunnel/gpu";
import { countsForRank } from "@windtunnel/router";
import type { Phase, SpanName, StreamName } from "@windtunnel/trace";
import type { Program } from "@windtunnel/virtual-time";
import { exchangeNumber } from "./exchange-number.ts";
import type { MicroBatchMath } from "./micro-batch-math.ts";
import type { MicroBatchRows } from "./rank-work.ts";
import type { RankSetup } from "./rank-setup.ts";
import type { TimedLayer } from "./timed-layers.ts";

/** What a dispatched parcel carries; counts are the timed rows for each expert of the target. */
interface DispatchBody {
  readonly counts: Int32Array;
  readonly payload: Payload | undefined;
}

interface CombineBody {
  readonly payload: Payload | undefined;
}

export interface MicroBatchOptions {
  readonly setup: RankSetup;
  readonly pattern: DispatchPattern;
  readonly step: number;
  /** 0 or 1 in its exchanges' numbers. */
  readonly index: number;
  readonly rows: MicroBatchRows;
  readonly load: AttentionLoad;
  /** SMs that computing kernels take. */
  readonly sms: number;
  /** Where the pattern's kernels run. */
  readonly exchangeStream: StreamName;
  /** What the first operation waits for. */
  readonly after: Dependency;
}

export class MicroBatch {
  readonly #options: MicroBatchOptions;
  readonly #gpu: Gpu;
  readonly #tokens: number;
  readonly #unitRank: number;
  readonly #shape: ExchangeShape;
  /** What the next operation on the residual stream, on the gate's output and in the exchange depends on. */
  #residual: Dependency[];
  #gated: Dependency | undefined;
  #exchanged: Dependency | undefined;
  /** Own rows, which do not travel, and rows that arrived, by the unit's ranks. */
  #ownDispatch: DispatchBody | undefined;
  #arrived: readonly DispatchBody[] = [];
  #ownCombine: CombineBody | undefined;
  #outputs: readonly (Payload | undefined)[] = [];
  #combinedLayer = -1;
  #sharedLayer = -1;

  constructor(options: MicroBatchOptions) {
    const { setup, rows } = options;
    this.#options = options;
    this.#gpu = setup.gpu;
    this.#tokens = rows.rowCount;
    this.#unitRank = setup.unitRanks.indexOf(setup.rank);
    this.#shape = {
      hiddenSize: setup.timed.config.hiddenSize,
      wire: setup.wire,
      expertsPerRank: setup.placement.expertsPerRank,
    };
    this.#residual = [options.after];
  }

  /** Rows and routing; for an executed layer also its arithmetic. */
  get rows(): MicroBatchRows {
    return this.#options.rows;
  }

  get #math(): MicroBatchMath {
    return this.#need(this.#options.rows.math, "math");
  }

  /** What must be complete before the residual stream is read. */
  get residual(): readonly Dependency[] {
    return this.#residual;
  }

  /** Begins when all of these are done with the residual stream. */
  follow(others: readonly MicroBatch[]): void {
    this.#residual = others.flatMap((other) => other.residual);
  }

  /** Tokens to rows; the math is done already. Gives the instant at which the step's work begins. */
  embed(): Instant {
    const elements = 2 * this.#tokens * this.#timed.config.hiddenSize;
    const cost = this.#tokens === 0 ? [] : [elementwise(elements)];
    const place = { step: this.#options.step, layer: -1, microBatch: -1 };
    const [plan] = this.#residual;
    if (cost.length === 0) return this.#need(plan, "plan").at;
    const embedded = this.#gpu.compute({
      name: "embed",
      place,
      cost,
      sms: this.#options.sms,
      dependsOn: this.#residual,
    });
    this.#residual = [embedded];
    return embedded.start;
  }

  /** ATTN-0: everything before the attention core. */
  attention0(layer: TimedLayer): void {
    const { config, weightPrecision } = this.#timed;
    if (layer.executed !== undefined) this.#math.attention0(layer.executed);
    const cost = this.#tokens === 0 ? [] : projectionCost(config, weightPrecision, this.#options.load);
    this.#residual = [this.#compute("attention.project", layer, cost, this.#residual)];
  }

  /** ATTN-1: the core, the output projection, and in an MoE layer the gate. */
  attention1(layer: TimedLayer): void {
    const { config, weightPrecision } = this.#timed;
    if (layer.executed !== undefined) this.#math.attention1(layer.executed);
    const cost = this.#tokens === 0 ? [] : coreCost(config, weightPrecision, this.#options.load);
    this.#residual = [this.#compute("attention.core", layer, cost, this.#residual)];
    if (layer.kind === "dense") return;
    const gate = this.#tokens === 0 ? [] : gateCost(config, this.#tokens);
    this.#gated = this.#compute("gate", layer, gate, this.#residual);
  }

  /** The MLP of a dense layer. */
  dense(layer: TimedLayer): void {
    const { config, weightPrecision } = this.#timed;
    if (layer.executed !== undefined) this.#math.dense(layer.executed);
    const cost =
      this.#tokens === 0 ? [] : mlpCost(config, weightPrecision, this.#tokens, config.denseInnerSize);
    this.#residual = [this.#compute("mlp.dense", layer, cost, this.#residual)];
  }

  /** SHARED: depends on the gate's input only, so it fits under either exchange. */
  shared(layer: TimedLayer): void {
    const { config, weightPrecision } = this.#timed;
    if (layer.executed !== undefined) this.#math.shared(layer.executed);
    const innerSize = config.sharedExpertCount * config.expertInnerSize;
    const idle = this.#tokens === 0 || innerSize === 0;
    const cost = idle ? [] : mlpCost(config, weightPrecision, this.#tokens, innerSize);
    this.#residual = [
      ...this.#residual,
      this.#compute("mlp.shared", layer, cost, [this.#need(this.#gated, "gate")]),
    ];
    this.#sharedLayer = layer.layer;
    this.#finishIfComplete(layer);
  }

  sendDispatch(layer: TimedLayer): void {
    const { setup, pattern } = this.#options;
    const layout = this.rows.layoutOf(layer.routedBy);
    const payloads = layer.executed === undefined ? undefined : this.#math.dispatch(layer.executed);
    const bodies = setup.unitRanks.map((_, rank): DispatchBody => ({
      counts: countsForRank(layout, setup.placement, rank),
      payload: payloads?.[rank],
    }));
    this.#ownDispatch = bodies[this.#unitRank];
    const load = { tokens: this.#tokens, rows: layout.slotOfRow.length };
    const cost = pattern.dispatchSend(this.#shape, load);
    const sent = this.#exchangeKernel("dispatch.send", layer, cost, [this.#need(this.#gated, "gate")]);
    this.#send("dispatch", layer, sent, bodies, ({ counts }) =>
      pattern.dispatchBytes(this.#shape, sum(counts)),
    );
  }

  *receiveDispatch(layer: TimedLayer): Program {
    const { pattern } = this.#options;
    const quiet = this.#leastTime(this.leastUntilCombine());
    const received = yield* this.#receive("dispatch", layer, quiet);
    this.#arrived = this.#byUnitRank(received, this.#need(this.#ownDispatch, "own rows"));
    const rows = this.#arrived.reduce((total, { counts }) => total + sum(counts), 0);
    const cost = pattern.dispatchReceive(this.#shape, { tokens: 0, rows });
    this.#exchanged = this.#exchangeKernel("dispatch.receive", layer, cost, [received]);
  }

  /** MLP: this rank's routed experts over all rows that arrived. */
  mlp(layer: TimedLayer): void {
    const { expertsPerRank } = this.#options.setup.placement;
    const rowsByExpert = new Int32Array(expertsPerRank);
    for (const { counts } of this.#arrived) {
      for (const [expert, count] of counts.entries()) rowsByExpert[expert]! += count;
    }
    if (layer.executed === undefined) {
      this.#outputs = this.#arrived.map(() => undefined);
    } else {
      const arrived = this.#arrived.map(({ counts, payload }): ArrivedRows => ({
        counts,
        payload: defined(payload, "dispatched rows"),
      }));
      this.#outputs = this.#math.experts(layer.executed, this.#unitRank, arrived);
    }
    const cost = this.#expertsCost(sum(rowsByExpert), activeExperts(rowsByExpert));
    this.#exchanged = this.#compute("mlp.experts", layer, cost, [
      this.#need(this.#exchanged, "arrived rows"),
    ]);
  }

  sendCombine(layer: TimedLayer): void {
    const { pattern } = this.#options;
    const rowsOf = this.#arrived.map(({ counts }) => sum(counts));
    const bodies = this.#outputs.map((payload): CombineBody => ({ payload }));
    this.#ownCombine = bodies[this.#unitRank];
    const rows = rowsOf.reduce((total, count) => total + count, 0);
    const cost = pattern.combineSend(this.#shape, { tokens: 0, rows });
    const sent = this.#exchangeKernel("combine.send", layer, cost, [this.#need(this.#exchanged, "experts")]);
    this.#send("combine", layer, sent, bodies, (_, rank) => pattern.combineBytes(this.#shape, rowsOf[rank]!));
    this.#arrived = [];
    this.#outputs = [];
  }

  /** `then`: what the program runs at least between this and its next send. */
  *receiveCombine(layer: TimedLayer, then: CostSequence): Program {
    const { pattern } = this.#options;
    const load = { tokens: this.#tokens, rows: this.rows.layoutOf(layer.routedBy).slotOfRow.length };
    const cost = pattern.combineReceive(this.#shape, load);
    const received = yield* this.#receive("combine", layer, this.#leastTime([...cost, ...then]));
    if (layer.executed !== undefined) {
      const returned = this.#byUnitRank(received, this.#need(this.#ownCombine, "own outputs"));
      this.#math.combine(
        layer.executed,
        returned.map(({ payload }) => defined(payload, "expert outputs")),
      );
    }
    this.#residual = [...this.#residual, this.#exchangeKernel("combine.receive", layer, cost, [received])];
    this.#combinedLayer = layer.layer;
    this.#finishIfComplete(layer);
  }

  /** Kernels from the last arrival of a dispatch to the sending of outputs: at least those for this rank's own rows. */
  leastUntilCombine(): CostSequence {
    const { pattern } = this.#options;
    const { counts } = this.#need(this.#ownDispatch, "own rows");
    const load = { tokens: 0, rows: sum(counts) };
    return [
      ...pattern.dispatchReceive(this.#shape, load),
      ...this.#expertsCost(load.rows, activeExperts(counts)),
      ...pattern.combineSend(this.#shape, load),
    ];
  }

  /** Kernels from the last arrival of a combine to the next layer's dispatch, when nothing else comes between. */
  leastUntilDispatch(): CostSequence {
    const { pattern, load } = this.#options;
    const { config, weightPrecision } = this.#timed;
    const rows = this.#tokens * config.expertsPerToken;
    const send = pattern.dispatchSend(this.#shape, { tokens: this.#tokens, rows });
    if (this.#tokens === 0) return send;
    return [
      ...projectionCost(config, weightPrecision, load),
      ...coreCost(config, weightPrecision, load),
      ...gateCost(config, this.#tokens),
      ...send,
    ];
  }

  /** Once both the routed and the shared outputs are there. */
  #finishIfComplete(layer: TimedLayer): void {
    if (this.#combinedLayer !== layer.layer || this.#sharedLayer !== layer.layer) return;
    if (layer.executed !== undefined) this.#math.finish(layer.executed);
  }

  get #timed(): RankSetup["timed"] {
    return this.#options.setup.timed;
  }

  #expertsCost(rows: number, active: number): CostSequence {
    return expertsCost(this.#timed.config, this.#timed.weightPrecision, rows, active);
  }

  #leastTime(cost: CostSequence): Duration {
    const { pattern } = this.#options;
    const sms = Math.max(this.#options.sms, pattern.sms ?? 0);
    return picoseconds(this.#gpu.durationOf(cost, sms));
  }

  #compute(
    name: SpanName,
    layer: TimedLayer,
    cost: CostSequence,
    dependsOn: readonly Dependency[],
  ): Dependency {
    if (cost.length === 0) return latestOf(dependsOn);
    return this.#gpu.compute({ name, place: this.#place(layer), cost, sms: this.#options.sms, dependsOn });
  }

  #exchangeKernel(
    name: SpanName,
    layer: TimedLayer,
    cost: CostSequence,
    dependsOn: readonly Dependency[],
  ): Completion {
    const { sms } = this.#options.pattern;
    const stream = this.#options.exchangeStream;
    const operation: Operation = { name, place: this.#place(layer), cost, stream, dependsOn };
    return this.#gpu.compute(sms === null ? operation : { ...operation, sms });
  }

  /** One parcel for each other rank of the unit, beginning with the next one, so that ranks do not all aim at the first. */
  #send<Body>(
    phase: Phase,
    layer: TimedLayer,
    after: Completion,
    bodies: readonly Body[],
    bytesOf: (body: Body, unitRank: number) => number,
  ): void {
    const { unitRanks } = this.#options.setup;
    const others = unitRanks.map((_, distance) => (this.#unitRank + distance) % unitRanks.length).slice(1);
    const parcels = others.map((rank) => ({
      target: unitRanks[rank]!,
      bytes: bytesOf(bodies[rank]!, rank),
      body: bodies[rank],
    }));
    this.#gpu.send({
      exchange: this.#exchange(phase, layer),
      phase,
      place: this.#place(layer),
      after,
      parcels,
    });
  }

  *#receive(phase: Phase, layer: TimedLayer, quiet: Duration): Program<Received> {
    const { setup, exchangeStream, index } = this.#options;
    return yield* this.#gpu.receive({
      exchange: this.#exchange(phase, layer),
      sources: setup.unitRanks.filter((rank) => rank !== setup.rank),
      what: `${phase} of layer ${layer.layer}, micro-batch ${index}, step ${this.#options.step}`,
      stream: exchangeStream,
      quiet,
    });
  }

  #byUnitRank<Body>(received: Received, own: Body): Body[] {
    const { unitRanks } = this.#options.setup;
    const bodies = received.deliveries.map(({ body }) => body as Body);
    invariant(
      bodies.length === unitRanks.length - 1,
      `${bodies.length} parcels from ${unitRanks.length} ranks`,
    );
    return bodies.toSpliced(this.#unitRank, 0, own);
  }

  #exchange(phase: Phase, layer: TimedLayer): number {
    const { step, index } = this.#options;
    const place = { step, layer: layer.layer, microBatch: index, phase };
    return exchangeNumber(place, this.#timed.config.layerCount);
  }

  #place(layer: TimedLayer): { step: number; layer: number; microBatch: number } {
    return { step: this.#options.step, layer: layer.layer, microBatch: this.#options.index };
  }

  #need<Value>(value: Value | undefined, what: string): Value {
    return defined(value, `${what} of micro-batch ${this.#options.index}`);
  }
}

function latestOf(dependencies: readonly Dependency[]): Dependency {
  return dependencies.reduce((latest, dependency) => (dependency.at > latest.at ? dependency : latest));
}

function activeExperts(rowsByExpert: Int32Array): number {
  return rowsByExpert.reduce((total, count) => total + (count > 0 ? 1 : 0), 0);
}

function sum(values: Int32Array): number {
  let total = 0;
  for (const value of values) total += value;
  return total;
}
