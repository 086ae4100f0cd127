// The operations of a micro-batch on its rank, named as the stages of the published schedules: each is issued on the
// GPU at the timed model's cost and, where the layer is executed, done for real at that moment.
// Invariant: an operation depends on what it reads, whatever order a schedule issues them in.

import { defined, type Instant } from "@windtunnel/base";
import type { AttentionLoad } from "@windtunnel/attention-dp";
import {
  checkSteps,
  type DispatchPattern,
  type ExchangeLoad,
  type ExchangeShape,
  type ExchangeSteps,
  expertsCost,
  type FollowedBy,
  permutationCost,
  RankExchange,
} from "@windtunnel/expert";
import { type CostSequence, type Dependency, elementwise, type Gpu, type RowSpread } from "@windtunnel/gpu";
import { countsForRank } from "@windtunnel/router";
import type { Phase, SpanName, StreamName } from "@windtunnel/trace";
import type { Program } from "@windtunnel/virtual-time";
import { exchangeNumber } from "./exchange-number.ts";
import { MicroBatchCosts, RepeatedCost } from "./micro-batch-costs.ts";
import type { MicroBatchMath } from "./micro-batch-math.ts";
import type { MicroBatchOperation, MicroBatchOrder } from "./micro-batch-order.ts";
import type { MicroBatchRows } from "./rank-work.ts";
import type { RankSetup } from "./rank-setup.ts";
import type { LeastKernels, ScheduledMicroBatch } from "./schedule.ts";
import type { TimedLayer } from "./timed-layers.ts";

export interface MicroBatchOptions {
  readonly setup: RankSetup;
  readonly pattern: DispatchPattern;
  readonly step: number;
  /** 0 or 1 in its exchanges' numbers. */
  readonly index: number;
  readonly rows: MicroBatchRows;
  readonly load: AttentionLoad;
  /** Dense kernels are priced for so many rows: a replayed graph has the size that it was captured with. */
  readonly pricedRows: number;
  readonly order: MicroBatchOrder;
  /** The micro-batch that has the first part of a prompt whose second part is in this one. */
  readonly continues?: MicroBatch;
  /** SMs that computing kernels take in MoE layers; before these nothing communicates, and all compute. */
  readonly sms: number;
  /** Where the pattern's kernels run. */
  readonly exchangeStream: StreamName;
  /** What the first operation waits for. */
  readonly after: Dependency;
}

export class MicroBatch implements ScheduledMicroBatch {
  readonly #options: MicroBatchOptions;
  readonly #gpu: Gpu;
  /** Rows that dense kernels are priced for, and tokens that are exchanged. */
  readonly #rows: number;
  readonly #tokens: number;
  readonly #shape: ExchangeShape;
  /** The exchange that is under way, and its pattern's steps. */
  #exchange: { readonly rank: RankExchange; readonly steps: ExchangeSteps } | undefined;
  /** What the next operation on the residual stream, on the gate's output and in the exchange depends on. */
  #residual: Dependency[];
  #gated: Dependency | undefined;
  #exchanged: Dependency | undefined;
  /** The attention projections that were issued last, and their layer. */
  #projected: { readonly layer: number; readonly done: Dependency } | undefined;
  #combinedLayer = -1;
  #sharedLayer = -1;
  readonly #costs: MicroBatchCosts;
  /** Of the layer that was asked for last. */
  #arrived: { readonly layer: TimedLayer; readonly load: ExchangeLoad } | undefined;
  #own: { readonly layer: number; readonly load: ExchangeLoad; readonly active: number } | undefined;

  constructor(options: MicroBatchOptions) {
    const { setup, rows } = options;
    this.#options = options;
    this.#gpu = setup.gpu;
    this.#rows = options.pricedRows;
    this.#tokens = rows.rowCount;
    this.#shape = {
      hiddenSize: setup.timed.config.hiddenSize,
      wire: setup.wire,
      expertsPerRank: setup.placement.expertsPerRank,
      choicesPerToken: setup.timed.config.expertsPerToken,
    };
    this.#residual = [options.after];
    this.#costs = new MicroBatchCosts(setup.timed, options.load, options.pricedRows);
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
    const elements = 2 * this.#rows * this.#timed.config.hiddenSize;
    const cost = this.#rows === 0 ? [] : [elementwise(elements)];
    const place = { step: this.#options.step, layer: -1, microBatch: -1 };
    const [plan] = this.#residual;
    if (cost.length === 0) return this.#need(plan, "plan").at;
    const embedded = this.#gpu.compute({
      name: "embed",
      place,
      cost,
      rows: this.#rows,
      dependsOn: this.#residual,
    });
    this.#residual = [embedded];
    return embedded.start;
  }

  attention0(layer: TimedLayer): void {
    this.#issue("attention0", layer);
    this.#options.continues?.projectedIn(layer);
    if (layer.executed !== undefined) this.#math.attention0(layer.executed);
    const done = this.#compute("attention.project", layer, this.#costs.projection, this.#residual);
    this.#projected = { layer: layer.layer, done };
    this.#residual = [done];
  }

  attention1(layer: TimedLayer): void {
    this.#issue("attention1", layer);
    const earlier = this.#options.continues?.projectedIn(layer);
    if (layer.executed !== undefined) this.#math.attention1(layer.executed);
    const after = earlier === undefined ? this.#residual : [...this.#residual, earlier];
    this.#residual = [this.#compute("attention.core", layer, this.#costs.core, after)];
    if (layer.kind === "dense") return;
    this.#gated = this.#compute("gate", layer, this.#costs.gate, this.#residual);
  }

  /** Keys and values of this micro-batch's rows, which the rest of a prompt attends to. */
  projectedIn({ layer }: TimedLayer): Dependency {
    if (this.#projected?.layer === layer) return this.#projected.done;
    return this.#options.order.refuseCut(layer);
  }

  /** The MLP of a dense layer. */
  dense(layer: TimedLayer): void {
    if (layer.executed !== undefined) this.#math.dense(layer.executed);
    this.#residual = [this.#compute("mlp.dense", layer, this.#costs.dense, this.#residual)];
  }

  /** Depends on the gate's input only, so it fits under either exchange. */
  shared(layer: TimedLayer): void {
    this.#issue("shared", layer);
    if (layer.executed !== undefined) this.#math.shared(layer.executed);
    this.#residual = [
      ...this.#residual,
      this.#compute("mlp.shared", layer, this.#costs.shared, [this.#need(this.#gated, "gate")]),
    ];
    this.#sharedLayer = layer.layer;
    this.#finishIfComplete(layer);
  }

  *sendDispatch(layer: TimedLayer): Program {
    this.#issue("sendDispatch", layer);
    const { pattern } = this.#options;
    const rank = this.#openExchange(layer);
    const steps = checkSteps(pattern.open(rank), pattern.name);
    this.#exchange = { rank, steps };
    const gate = this.#need(this.#gated, "gate");
    yield* rank.run({ phase: "dispatch", followedBy: [] }, steps.sendDispatch(gate));
  }

  *receiveDispatch(layer: TimedLayer, followedBy: FollowedBy = []): Program {
    this.#issue("receiveDispatch", layer);
    this.#options.order.checkFollowedBy(followedBy, "receiveDispatch", layer.layer);
    const { rank, steps } = this.#need(this.#exchange, "exchange");
    this.#exchanged = yield* rank.run({ phase: "dispatch", followedBy }, steps.receiveDispatch());
  }

  mlp(layer: TimedLayer): void {
    this.#issue("mlp", layer);
    const { rank } = this.#need(this.#exchange, "exchange");
    const rowsByExpert = rank.checkKept();
    rank.runExperts();
    const rows = sum(rowsByExpert);
    this.#arrived = { layer, load: { tokens: 0, rows } };
    const products = this.#expertsCost(rows, activeExperts(rowsByExpert), spreadOf(rowsByExpert));
    // Sums of tokens are there only where tokens arrived once for all experts of this rank.
    const tokens = sum(rank.partials.map((set) => set.tokens.length));
    const { config, weightPrecision } = this.#timed;
    const { expand, reduce } = permutationCost(config, weightPrecision, { tokens, rows });
    const cost = tokens === 0 ? products : [...expand, ...products, ...reduce];
    const arrived = this.#need(this.#exchanged, "arrived rows");
    this.#exchanged = this.#compute("mlp.experts", layer, cost, [arrived], rows);
  }

  *sendCombine(layer: TimedLayer): Program {
    this.#issue("sendCombine", layer);
    const { rank, steps } = this.#need(this.#exchange, "exchange");
    const experts = this.#need(this.#exchanged, "experts");
    yield* rank.run({ phase: "combine", followedBy: [] }, steps.sendCombine(experts));
  }

  *receiveCombine(layer: TimedLayer, followedBy: FollowedBy = []): Program {
    this.#issue("receiveCombine", layer);
    this.#options.order.checkFollowedBy(followedBy, "receiveCombine", layer.layer);
    const { rank, steps } = this.#need(this.#exchange, "exchange");
    const received = yield* rank.run({ phase: "combine", followedBy }, steps.receiveCombine());
    rank.combine();
    this.#exchange = undefined;
    this.#residual = [...this.#residual, received];
    this.#combinedLayer = layer.layer;
    this.#finishIfComplete(layer);
  }

  readonly least: LeastKernels = {
    untilDispatch: () => this.#leastUntilDispatch(),
    untilCombine: (layer) => this.#leastUntilCombine(layer),
    expertsAndCombine: (layer) => this.#leastExpertsAndCombine(layer),
    toSend: (phase, layer) =>
      phase === "dispatch" ? this.#leastSend(phase, this.#allRows()) : this.#leastToCombine(layer),
  };

  /** At least the kernels for this rank's own rows. */
  #leastUntilCombine(layer: TimedLayer): CostSequence {
    const { load } = this.#ownRows(layer);
    const receive = this.#options.pattern.least?.receive("dispatch", this.#shape, load);
    // Without a promise of the pattern, experts may begin before the wait that this follows.
    return receive === undefined ? [] : [...receive, ...this.#leastExpertsAndCombine(layer)];
  }

  #leastExpertsAndCombine(layer: TimedLayer): CostSequence {
    const { load, active } = this.#ownRows(layer);
    return [...this.#expertsCost(load.rows, active, "least"), ...this.#leastSend("combine", load)];
  }

  #leastUntilDispatch(): CostSequence {
    const send = this.#leastSend("dispatch", this.#allRows());
    return [...this.#costs.projection.cost, ...this.#costs.core.cost, ...this.#costs.gate.cost, ...send];
  }

  /** For what has arrived where experts are issued, and at least this rank's own rows. */
  #leastToCombine(layer: TimedLayer): CostSequence {
    if (this.#arrived?.layer !== layer) return this.#leastSend("combine", this.#ownRows(layer).load);
    return this.#exchange?.steps.leastOfCombine?.() ?? this.#leastSend("combine", this.#arrived.load);
  }

  /** What this rank sends in a dispatch. */
  #allRows(): ExchangeLoad {
    return { tokens: this.#tokens, rows: this.#tokens * this.#timed.config.expertsPerToken };
  }

  /** Rows of this rank's own tokens for its own experts, and how many of those get some. */
  #ownRows({ layer, routedBy }: TimedLayer): { readonly load: ExchangeLoad; readonly active: number } {
    if (this.#own?.layer === layer) return this.#own;
    const { placement, unit } = this.#options.setup;
    const counts = countsForRank(this.rows.layoutOf(routedBy), placement, unit.rank);
    this.#own = { layer, load: { tokens: 0, rows: sum(counts) }, active: activeExperts(counts) };
    return this.#own;
  }

  #leastSend(phase: Phase, load: ExchangeLoad): CostSequence {
    return this.#options.pattern.least?.send(phase, this.#shape, load) ?? [];
  }

  #openExchange(layer: TimedLayer): RankExchange {
    const { setup, pattern, exchangeStream, sms } = this.#options;
    const { executed } = layer;
    setup.onExchange?.();
    return new RankExchange({
      gpu: this.#gpu,
      pattern: pattern.name,
      alongRails: pattern.alongRails === true,
      receivesOnly: pattern.receivesOnly === true,
      unit: setup.unit,
      shape: this.#shape,
      place: this.#place(layer),
      numbers: { dispatch: this.#number("dispatch", layer), combine: this.#number("combine", layer) },
      stream: exchangeStream,
      sms: pattern.sms,
      computeSms: sms,
      layout: this.rows.layoutOf(layer.routedBy),
      placement: setup.placement,
      math: executed === undefined ? undefined : this.#math.exchange(executed),
      memory: setup.patternMemory,
      roundTrip: setup.roundTrip,
    });
  }

  /** Once both the routed and the shared outputs are there. */
  #finishIfComplete(layer: TimedLayer): void {
    if (this.#combinedLayer !== layer.layer || this.#sharedLayer !== layer.layer) return;
    if (layer.executed !== undefined) this.#math.finish(layer.executed);
  }

  get #timed(): RankSetup["timed"] {
    return this.#options.setup.timed;
  }

  #expertsCost(rows: number, active: number, spread: RowSpread): CostSequence {
    const { config, weightPrecision, fusedActivation } = this.#timed;
    return expertsCost(config, weightPrecision, { rows, activeExperts: active, spread, fusedActivation });
  }

  #compute(
    name: SpanName,
    layer: TimedLayer,
    costs: RepeatedCost | CostSequence,
    dependsOn: readonly Dependency[],
    rows: number = this.#rows,
  ): Dependency {
    const isRepeated = costs instanceof RepeatedCost;
    const cost = isRepeated ? costs.cost : costs;
    if (cost.length === 0) return latestOf(dependsOn);
    const sms = layer.kind === "dense" ? this.#gpu.costModel.profile.sms : this.#options.sms;
    const operation = { name, place: this.#place(layer), cost, sms, dependsOn, rows };
    return this.#gpu.compute(
      isRepeated ? { ...operation, needed: costs.neededOn(this.#gpu, sms) } : operation,
    );
  }

  /** Dense layers have no exchange, and no schedule orders them. */
  #issue(operation: MicroBatchOperation, layer: TimedLayer): void {
    if (layer.kind !== "dense") this.#options.order.issue(operation, layer.layer);
  }

  #number(phase: Phase, layer: TimedLayer): number {
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

/** Experts with up to this many times the mean count as even: a tile more for one of them is in the noise of kernels. */
const EVEN_RATIO = 1.1;

function spreadOf(rowsByExpert: Int32Array): RowSpread {
  const mean = sum(rowsByExpert) / Math.max(1, activeExperts(rowsByExpert));
  return rowsByExpert.every((count) => count <= EVEN_RATIO * mean) ? "even" : "uneven";
}

function activeExperts(rowsByExpert: Int32Array): number {
  return rowsByExpert.reduce((total, count) => total + (count > 0 ? 1 : 0), 0);
}

function sum(values: Iterable<number>): number {
  let total = 0;
  for (const value of values) total += value;
  return total;
}
