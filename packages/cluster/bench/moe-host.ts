// The ranks of one host through the layers, all hosts in step: gate and dispatch, exchange, experts, exchange, combine.
// Ranks of the same host hand their rows over by reference; rows for other hosts cross in one frame for each host and
// phase. It knows neither threads nor sockets. Timed from barrier to barrier, so that the slowest host counts.

import { createHash } from "node:crypto";
import process from "node:process";
import { defined, invariant, Payload } from "@windtunnel/base";
import { type ArrivedRows, combine, packDispatch, runExperts } from "@windtunnel/expert";
import { PayloadPool } from "./payload-pool.ts";
import {
  attachWeights,
  fillWeights,
  FULL_PRECISION,
  gateTokens,
  drawnWeights,
  type LayerContext,
  type MlpWeights,
  type MoeWeights,
} from "@windtunnel/model";
import { countsForRank, type DispatchLayout, layoutDispatch } from "@windtunnel/router";
import {
  createLimitLoops,
  createSimdKernels,
  type LimitLoops,
  type Tensor,
  TensorMemory,
} from "@windtunnel/tensor";
import type { ValueExchange } from "@windtunnel/transport";
import { drawTokens, type MoePlan, type MoeSpace, ranksOfHost, scratchBytes, SEED } from "./moe-plan.ts";

export interface MoeHostResult {
  readonly host: number;
  /** Of each timed repetition. */
  readonly seconds: readonly number[];
  /** What this thread used of its core meanwhile, waiting excluded: it tells how much other work took. */
  readonly cpuSeconds: readonly number[];
  /** What registers alone reach beside each repetition, on this thread. */
  readonly limitGflops: readonly number[];
  /** By rank of this host: a digest of the bits of its tokens after the last layer. */
  readonly digests: readonly (readonly [rank: number, digest: string])[];
  /** Of one repetition. */
  readonly frames: number;
  readonly frameBytes: number;
  readonly work: MoeWork;
}

/** What this host's ranks did in one repetition. */
export interface MoeWork {
  /** Rows that its tokens sent to experts. */
  rows: number;
  /** Those of them whose expert lives on another host. */
  rowsToOtherHosts: number;
  payloadBytes: number;
  /** Rows that its experts got, by layer. */
  readonly rowsOfExperts: number[];
  mostRowsOfExpert: number;
}

/** From each source rank of the sender to each target rank of the receiver, sources outermost. */
export interface MoeMessage {
  /** [pairs, expertsPerRank] in dispatch; empty elsewhere. */
  readonly counts: Int32Array;
  readonly payloads: readonly Payload[];
}

export interface MoeHostTask {
  readonly plan: MoePlan;
  readonly space: MoeSpace;
  /** This host's share of filling the weights. */
  readonly share: { readonly part: number; readonly partCount: number };
}

const NOTHING: MoeMessage = { counts: new Int32Array(), payloads: [] };
/** 384 flops an iteration: some ten milliseconds. */
const LIMIT_ITERATIONS = 500_000;

export async function runMoeHost(
  task: MoeHostTask,
  exchange: ValueExchange<MoeMessage>,
): Promise<MoeHostResult> {
  const { plan, space, share } = task;
  const host = new MoeHost(plan, space, exchange);
  fillWeights(TensorMemory.attach(space.memory), space.weights, drawnWeights(SEED), share);
  const limits = createLimitLoops(TensorMemory.attach(space.memory));
  const seconds: number[] = [];
  const cpuSeconds: number[] = [];
  const limitGflops: number[] = [];
  let digests: MoeHostResult["digests"] = [];
  let traffic = exchange.traffic;
  for (let repetition = -plan.warmUps; repetition < plan.repetitions; repetition++) {
    host.begin();
    traffic = { ...exchange.traffic };
    await host.barrier();
    const cpuStart = process.threadCpuUsage();
    const start = performance.now();
    for (let layer = 0; layer < plan.layerCount; layer++) await host.layer(layer);
    await host.barrier();
    const took = (performance.now() - start) / 1000;
    const { user, system } = process.threadCpuUsage(cpuStart);
    if (repetition < 0) continue;
    limitGflops.push(limitSpeed(limits));
    seconds.push(took);
    cpuSeconds.push((user + system) / 1e6);
    const found = host.digests();
    invariant(
      repetition === 0 || found.every(([, digest], i) => digest === digests[i]![1]),
      `repetition ${repetition} gives other bits than the first`,
    );
    digests = found;
  }
  const { frames, frameBytes } = exchange.traffic;
  return {
    host: exchange.self,
    seconds,
    cpuSeconds,
    limitGflops,
    digests,
    work: host.work,
    frames: frames - traffic.frames,
    frameBytes: frameBytes - traffic.frameBytes,
  };
}

function limitSpeed({ chained, apart }: LimitLoops): number {
  const speeds = [chained, apart].map((loop) => {
    const start = performance.now();
    return loop(LIMIT_ITERATIONS) / (performance.now() - start) / 1e6;
  });
  return Math.max(...speeds);
}

/** Digests of each rank's tokens, for hosts and for the twin alike. */
export function digestTokens({ data }: Tensor): string {
  const hash = createHash("sha256").update(
    new Uint8Array(data.buffer, data.byteOffset, data.byteLength).slice(),
  );
  return hash.digest("hex").slice(0, 16);
}

interface Rank {
  readonly rank: number;
  readonly initial: Tensor;
  /** [tokens, hidden]: what goes from layer to layer. */
  readonly x: Tensor;
  layout: DispatchLayout | undefined;
  /** [tokens, choices] */
  readonly gateWeights: Float32Array;
}

class MoeHost {
  readonly #plan: MoePlan;
  readonly #exchange: ValueExchange<MoeMessage>;
  readonly #context: LayerContext;
  readonly #layers: readonly MoeWeights[];
  readonly #ranks: readonly Rank[];
  readonly #ranksByHost: readonly (readonly number[])[];
  readonly #hostOfRank: Int32Array;
  /** A phase's payloads are used again one layer later: by then the exchange after it is over, so all have arrived. */
  readonly #dispatched = new PayloadPool();
  readonly #computed = new PayloadPool();
  #work: MoeWork = noWork();

  constructor(plan: MoePlan, space: MoeSpace, exchange: ValueExchange<MoeMessage>) {
    this.#plan = plan;
    this.#exchange = exchange;
    const memory = TensorMemory.attach(space.memory);
    this.#context = moeContext(plan, memory, scratchBytes(plan));
    this.#layers = moeLayers(memory, space);
    this.#ranksByHost = Array.from({ length: plan.hostCount }, (_, host) => ranksOfHost(plan, host));
    this.#hostOfRank = new Int32Array(plan.rankCount);
    for (const [host, ranks] of this.#ranksByHost.entries())
      for (const rank of ranks) this.#hostOfRank[rank] = host;
    this.#ranks = this.#ranksByHost[exchange.self]!.map((rank) => {
      const shape = [plan.tokensPerRank, plan.hiddenSize];
      const initial = memory.tensor(shape);
      drawTokens(plan, rank, initial.data);
      const gateWeights = new Float32Array(plan.tokensPerRank * plan.expertsPerToken);
      return { rank, initial, x: memory.tensor(shape), layout: undefined, gateWeights };
    });
  }

  get work(): MoeWork {
    return this.#work;
  }

  begin(): void {
    this.#work = noWork();
    for (const { x, initial } of this.#ranks) x.data.set(initial.data);
  }

  async barrier(): Promise<void> {
    await this.#exchange.swap(this.#ranksByHost.map(() => NOTHING));
  }

  digests(): [number, string][] {
    return this.#ranks.map(({ rank, x }) => [rank, digestTokens(x)]);
  }

  /** x ← x + MoE(x) for all ranks of all hosts. */
  async layer(index: number): Promise<void> {
    const { gate, experts } = this.#layers[index]!;
    this.#dispatched.reset();
    const sent = this.#ranks.map((rank) => this.#gateAndPack(gate, rank));
    const arrived = await this.#dispatch(sent);
    this.#countArrived(arrived);
    this.#computed.reset();
    const context = { ...this.#context, takeBytes: this.#computed.take };
    const outputs = arrived.map((rows, i) => {
      const first = this.#ranks[i]!.rank * this.#plan.experts.expertsPerRank;
      const own = experts.slice(first, first + this.#plan.experts.expertsPerRank);
      return runExperts(context, own.map(held), rows, FULL_PRECISION);
    });
    const returned = await this.#return(outputs);
    for (const [i, rank] of this.#ranks.entries()) this.#combine(rank, returned[i]!);
  }

  /** What a rank sends, by target rank. */
  #gateAndPack(gate: MoeWeights["gate"], rank: Rank): ArrivedRows[] {
    const { experts, tokensPerRank, expertsPerToken } = this.#plan;
    const layout = this.#context.arena.scope(() => {
      const { indices, weights } = gateTokens(this.#context, gate, rank.x);
      rank.gateWeights.set(weights);
      return layoutDispatch(indices, tokensPerRank, expertsPerToken, experts);
    });
    rank.layout = layout;
    const context = { ...this.#context, takeBytes: this.#dispatched.take };
    const payloads = packDispatch(context, rank.x, layout, experts, FULL_PRECISION.dispatch);
    return payloads.map((payload, target) => ({ counts: countsForRank(layout, experts, target), payload }));
  }

  /** By own rank, by source rank: the rows for its experts. */
  async #dispatch(sent: readonly (readonly ArrivedRows[])[]): Promise<ArrivedRows[][]> {
    const { self } = this.#exchange;
    this.#countDispatch(sent);
    const messages = this.#ranksByHost.map((targets, host): MoeMessage => {
      if (host === self) return NOTHING;
      const pairs = sent.flatMap((rows) => targets.map((target) => rows[target]!));
      const { expertsPerRank } = this.#plan.experts;
      const counts = new Int32Array(pairs.length * expertsPerRank);
      for (const [i, pair] of pairs.entries()) counts.set(pair.counts, i * expertsPerRank);
      return { counts, payloads: pairs.map(({ payload }) => payload) };
    });
    const received = await this.#exchange.swap(messages);
    const own = this.#ranksByHost[self]!;
    return own.map((target, targetIndex) =>
      this.#ranksByHost.flatMap((sources, host) =>
        sources.map((_, sourceIndex): ArrivedRows => {
          if (host === self) return sent[sourceIndex]![target]!;
          return arrivedRows(received[host], sourceIndex * own.length + targetIndex, this.#plan);
        }),
      ),
    );
  }

  /** By own rank, by owner rank: the outputs of its rows. */
  async #return(outputs: readonly (readonly Payload[])[]): Promise<Payload[][]> {
    const { self } = this.#exchange;
    for (const payloads of outputs)
      for (const { bytes } of payloads) this.#work.payloadBytes += bytes.byteLength;
    const messages = this.#ranksByHost.map((targets, host): MoeMessage => {
      if (host === self) return NOTHING;
      return {
        ...NOTHING,
        payloads: outputs.flatMap((bySource) => targets.map((target) => bySource[target]!)),
      };
    });
    const received = await this.#exchange.swap(messages);
    const own = this.#ranksByHost[self]!;
    return own.map((source, sourceIndex) =>
      this.#ranksByHost.flatMap((owners, host) =>
        owners.map((_, ownerIndex) => {
          if (host === self) return outputs[ownerIndex]![source]!;
          const payload = received[host]?.payloads[ownerIndex * own.length + sourceIndex];
          return defined(payload, `outputs from host ${host}`);
        }),
      ),
    );
  }

  #combine({ x, gateWeights, layout }: Rank, returned: readonly Payload[]): void {
    const { arena, kernels } = this.#context;
    arena.scope(() => {
      const out = arena.tensor(x.shape);
      const routing = defined(layout, "the layout of this layer");
      combine(this.#context, out, gateWeights, routing, returned, FULL_PRECISION.combine);
      kernels.add(x, out);
    });
    kernels.checkFinite(x, "the residual stream");
  }

  #countArrived(arrived: readonly (readonly ArrivedRows[])[]): void {
    let total = 0;
    for (const bySource of arrived) {
      for (let expert = 0; expert < this.#plan.experts.expertsPerRank; expert++) {
        let rows = 0;
        for (const { counts } of bySource) rows += counts[expert]!;
        total += rows;
        this.#work.mostRowsOfExpert = Math.max(this.#work.mostRowsOfExpert, rows);
      }
    }
    this.#work.rowsOfExperts.push(total);
  }

  #countDispatch(sent: readonly (readonly ArrivedRows[])[]): void {
    const { self } = this.#exchange;
    for (const byTarget of sent) {
      for (const [target, { counts, payload }] of byTarget.entries()) {
        const rows = counts.reduce((sum, count) => sum + count, 0);
        this.#work.rows += rows;
        this.#work.payloadBytes += payload.bytes.byteLength;
        if (this.#hostOfRank[target] !== self) this.#work.rowsToOtherHosts += rows;
      }
    }
  }
}

function noWork(): MoeWork {
  return { rows: 0, rowsToOtherHosts: 0, payloadBytes: 0, rowsOfExperts: [], mostRowsOfExpert: 0 };
}

/** What layers compute with; MoE layers turn nothing, so there are no rotary tables. */
export function moeContext(plan: MoePlan, memory: TensorMemory, arenaBytes: number): LayerContext {
  const none: Tensor = memory.tensor([0, 0]);
  return {
    config: plan.config,
    kernels: createSimdKernels(memory),
    arena: memory.arena(arenaBytes),
    ropeTables: { cosines: none, sines: none },
  };
}

export function moeLayers(memory: TensorMemory, space: MoeSpace): MoeWeights[] {
  return attachWeights(memory, space.weights).layers.map(({ feedForward }) => {
    invariant(feedForward.kind === "moe", "the benchmark has MoE layers only");
    return feedForward;
  });
}

function held(expert: MlpWeights | null): MlpWeights {
  return defined(expert ?? undefined, "an expert of this rank");
}

function arrivedRows(message: MoeMessage | undefined, pair: number, { experts }: MoePlan): ArrivedRows {
  const { counts, payloads } = defined(message, "the rows of another host");
  const payload = defined(payloads[pair], `the payload of pair ${pair}`);
  return {
    counts: counts.subarray(pair * experts.expertsPerRank, (pair + 1) * experts.expertsPerRank),
    payload,
  };
}
