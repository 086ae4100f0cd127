// The real arithmetic of a micro-batch: its rows of the residual stream, and what an executed layer does to them.
// It knows no time. Everything that must outlive a wait lies in the rank's row buffers; the rest is scratch.

import { defined, invariant } from "@windtunnel/base";
import {
  combine,
  combineTokens,
  type ExchangeMath,
  packDispatch,
  packTokens,
  runExperts,
  runExpertsOnTokens,
  sumTokens,
} from "@windtunnel/expert";
import {
  attentionCore,
  type AttentionBatch,
  feedForwardInput,
  gateTokens,
  type LayerWeights,
  type MlpWeights,
  mlpForward,
  type MoeWeights,
  projectAttention,
  type WirePrecision,
} from "@windtunnel/model";
import {
  type DispatchLayout,
  type ExpertPlacement,
  expertsOfRank,
  layoutDispatch,
  physicalChoices,
} from "@windtunnel/router";
import { rowsOf, type Tensor } from "@windtunnel/tensor";
import type { ExecutedModel } from "./rank-setup.ts";

/** Rows of a rank that live through a step: [maxRows, …] each. */
export interface RowBuffers {
  /** The residual stream. */
  readonly x: Tensor;
  /** What gate, experts and shared experts see. */
  readonly normed: Tensor;
  readonly queries: Tensor;
  /** The sum of the routed experts' outputs, and the shared experts' output. */
  readonly routed: Tensor;
  readonly shared: Tensor;
}

export function createRowBuffers(executed: ExecutedModel, maxRows: number): RowBuffers {
  const { config, memory } = executed;
  const querySize = config.headCount * (config.nopeSize + config.ropeSize);
  const rows = (size: number): Tensor => memory.tensor([maxRows, size]);
  return {
    x: rows(config.hiddenSize),
    normed: rows(config.hiddenSize),
    queries: rows(querySize),
    routed: rows(config.hiddenSize),
    shared: rows(config.hiddenSize),
  };
}

/** Bytes of a rank's row buffers. */
export function rowBufferBytes(config: ExecutedModel["config"], maxRows: number): number {
  const floats = 4 * config.hiddenSize + config.headCount * (config.nopeSize + config.ropeSize);
  return 4 * maxRows * floats + 1024;
}

/** Which experts a layer's tokens chose; kept for the timed layers that take the same routing. */
export interface Routing {
  readonly layout: DispatchLayout;
  /** [tokens, choices] */
  readonly weights: Float32Array;
}

export class MicroBatchMath {
  readonly rowCount: number;
  readonly #executed: ExecutedModel;
  readonly #placement: ExpertPlacement;
  readonly #unitRank: number;
  readonly #firstRow: number;
  readonly #wire: WirePrecision;
  readonly #batch: AttentionBatch;
  readonly #buffers: RowBuffers;
  readonly #routings = new Map<number, Routing>();

  /** Rows [firstRow, firstRow + batch.rowCount) of the buffers. */
  constructor(options: {
    readonly executed: ExecutedModel;
    readonly placement: ExpertPlacement;
    /** The rank's number in its unit. */
    readonly unitRank: number;
    readonly wire: WirePrecision;
    readonly batch: AttentionBatch;
    readonly buffers: RowBuffers;
    readonly firstRow: number;
  }) {
    const { executed, placement, unitRank, wire, batch, buffers, firstRow } = options;
    this.#executed = executed;
    this.#placement = placement;
    this.#unitRank = unitRank;
    this.#firstRow = firstRow;
    this.#wire = wire;
    this.#batch = batch;
    this.rowCount = batch.rowCount;
    const own = (rows: Tensor): Tensor => rowsOf(rows, firstRow, firstRow + batch.rowCount);
    this.#buffers = {
      x: own(buffers.x),
      normed: own(buffers.normed),
      queries: own(buffers.queries),
      routed: own(buffers.routed),
      shared: own(buffers.shared),
    };
  }

  get x(): Tensor {
    return this.#buffers.x;
  }

  /** The routing of an executed layer in this step. */
  routingOf(layer: number): Routing {
    return defined(this.#routings.get(layer), `the routing of layer ${layer}`);
  }

  attention0(layer: number): void {
    const { context } = this.#executed;
    const { x, queries } = this.#buffers;
    const weights = this.#weightsOf(layer).attention;
    context.arena.scope(() => {
      queries.data.set(projectAttention(context, { layer, weights }, x, this.#batch).data);
    });
  }

  /** The core, the residual, and for an MoE layer the gate. */
  attention1(layer: number): void {
    const { context } = this.#executed;
    const { x, queries, normed } = this.#buffers;
    const weights = this.#weightsOf(layer);
    context.arena.scope(() => {
      context.kernels.add(
        x,
        attentionCore(context, { layer, weights: weights.attention }, queries, this.#batch),
      );
    });
    if (weights.feedForward.kind === "dense") return;
    const { gate } = weights.feedForward;
    context.arena.scope(() => {
      normed.data.set(feedForwardInput(context, weights, x).data);
      const choices = gateTokens(context, gate, normed);
      const { expertsPerToken } = context.config;
      const source = {
        layer,
        choicesPerToken: expertsPerToken,
        unitRank: this.#unitRank,
        firstRow: this.#firstRow,
      };
      const physical = physicalChoices(choices.indices, this.#placement, source);
      const layout = layoutDispatch(physical, this.rowCount, expertsPerToken, this.#placement);
      this.#routings.set(layer, { layout, weights: choices.weights.slice() });
    });
  }

  dense(layer: number): void {
    const { context } = this.#executed;
    const { x } = this.#buffers;
    const weights = this.#weightsOf(layer);
    const { feedForward } = weights;
    invariant(feedForward.kind === "dense", `layer ${layer} is dense`);
    context.arena.scope(() => {
      context.kernels.add(x, mlpForward(context, feedForward.mlp, feedForwardInput(context, weights, x)));
    });
    context.kernels.checkFinite(x, `the residual stream after layer ${layer}`);
  }

  /** What an exchange of a layer asks for. */
  exchange(layer: number): ExchangeMath {
    const { context } = this.#executed;
    const { layout, weights } = this.routingOf(layer);
    const wire = this.#wire;
    const placement = this.#placement;
    const { normed, routed } = this.#buffers;
    return {
      packRows: () => packDispatch(context, normed, layout, placement, wire.dispatch),
      packTokens: () => ({ weights, rows: packTokens(context, normed, wire.dispatch) }),
      runRows: (arrived) => runExperts(context, this.#heldExperts(layer), arrived, wire),
      runTokens: (sets) => {
        const first = this.#unitRank * placement.expertsPerRank;
        return runExpertsOnTokens(context, this.#heldExperts(layer), first, sets, wire);
      },
      sumTokens: (sets) => sumTokens(sets, wire.combine, context.config.hiddenSize),
      combineRows: (returned) => combine(context, routed, weights, layout, returned, wire.combine),
      combineTokens: (sets) => combineTokens(routed, sets, wire.combine),
    };
  }

  /** The weights of this rank's physical experts. */
  #heldExperts(layer: number): MlpWeights[] {
    const { experts } = this.#moeWeights(layer);
    return expertsOfRank(this.#placement, layer, this.#unitRank).map((expert) =>
      defined(experts[expert] ?? undefined, `expert ${expert} of layer ${layer}`),
    );
  }

  shared(layer: number): void {
    const { context } = this.#executed;
    const { shared, normed } = this.#buffers;
    const weights = this.#moeWeights(layer).shared;
    if (weights === null) return;
    context.arena.scope(() => shared.data.set(mlpForward(context, weights, normed).data));
  }

  /** Routed and shared outputs go to the residual stream: x ← x + (routed + shared). */
  finish(layer: number): void {
    const { kernels } = this.#executed.context;
    const { x, routed, shared } = this.#buffers;
    if (this.#moeWeights(layer).shared !== null) kernels.add(routed, shared);
    kernels.add(x, routed);
    kernels.checkFinite(x, `the residual stream after layer ${layer}`);
  }

  #weightsOf(layer: number): LayerWeights {
    return defined(this.#executed.weights.layers[layer], `the weights of layer ${layer}`);
  }

  #moeWeights(layer: number): MoeWeights {
    const { feedForward } = this.#weightsOf(layer);
    invariant(feedForward.kind === "moe", `layer ${layer} has experts`);
    return feedForward;
  }
}
