// A rank's work with real math: its requests' KV caches, its rows of the residual stream, and the greedy tokens.

import { RandomStream } from "@windtunnel/base";
import { type RequestRows, ResidentRequests } from "@windtunnel/attention-dp";
import { embed, greedyTokens, type KvCache, projectLogits, type WirePrecision } from "@windtunnel/model";
import type { ExpertPlacement } from "@windtunnel/router";
import { rowSize } from "@windtunnel/tensor";
import { createRowBuffers, MicroBatchMath, type RowBuffers } from "./micro-batch-math.ts";
import type { PlannedRequest } from "./plan.ts";
import type { ExecutedModel } from "./rank-setup.ts";
import type { BatchPart, MicroBatchRows, RankWork, RowsPlace } from "./rank-work.ts";

export interface ExecutedWorkOptions {
  readonly executed: ExecutedModel;
  readonly placement: ExpertPlacement;
  /** The rank's number in its unit. */
  readonly unitRank: number;
  readonly wire: WirePrecision;
  readonly maxRows: number;
}

export class ExecutedWork implements RankWork {
  readonly #options: ExecutedWorkOptions;
  readonly #resident: ResidentRequests;
  readonly #buffers: RowBuffers;

  constructor(options: ExecutedWorkOptions) {
    const { executed, maxRows } = options;
    this.#options = options;
    this.#resident = new ResidentRequests(executed.config, (shape) => executed.memory.tensor(shape));
    this.#buffers = createRowBuffers(executed, maxRows);
  }

  admit({ request, admit }: PlannedRequest): void {
    if (admit === undefined) return;
    const cache = this.#resident.admit({ request, positions: admit.positions });
    if (admit.drawnPositions > 0) this.#drawPositions(cache, request, admit.drawnPositions);
  }

  release(request: number): void {
    this.#resident.release(request);
  }

  cachedPositions(request: number): number {
    return this.#resident.cachedPositions(request);
  }

  rowsOf(parts: readonly BatchPart[], { kind, firstRow }: RowsPlace): MicroBatchRows {
    const { executed, placement, unitRank, wire } = this.#options;
    const rows = parts.map(({ request, tokens, before = 0 }): RequestRows => {
      return { request, tokens, before, kind: kind === "prefill" ? "prompt" : "generated" };
    });
    const batch = this.#resident.batchOf(rows);
    const buffers = this.#buffers;
    const math = new MicroBatchMath({ executed, placement, unitRank, wire, batch, buffers, firstRow });
    return { rowCount: batch.rowCount, layoutOf: (layer) => math.routingOf(layer).layout, math };
  }

  embed(tokens: readonly number[]): void {
    const { context, weights } = this.#options.executed;
    context.arena.scope(() => this.#buffers.x.data.set(embed(context, weights, tokens).data));
  }

  /** The greedy token after each request's last row. */
  newTokens(requests: readonly PlannedRequest[]): number[] {
    if (requests.length === 0) return [];
    const { context, weights } = this.#options.executed;
    const { x } = this.#buffers;
    const size = rowSize(x);
    return context.arena.scope(() => {
      const lastRows = context.arena.tensor([requests.length, size]);
      let row = -1;
      for (const [index, { tokens }] of requests.entries()) {
        row += tokens.length;
        lastRows.data.set(x.data.subarray(row * size, (row + 1) * size), index * size);
      }
      return greedyTokens(projectLogits(context, weights, lastRows));
    });
  }

  /** Fills a cache as if so many positions had been prefilled: values of the size that norms give, from the seed. */
  #drawPositions(cache: KvCache, request: number, positions: number): void {
    const { config, seed } = this.#options.executed;
    const random = new RandomStream(seed, `cached positions of request ${request}`);
    for (let layer = 0; layer < config.layerCount; layer++) {
      for (let position = 0; position < positions; position++) {
        const row = cache.append(layer, position);
        for (let i = 0; i < row.length; i++) row[i] = 2 * random.uniform() - 1;
      }
    }
  }
}
