// The requests that live on a rank, each with its KV cache, and batches of rows over them.
// Caches of finished requests are used again, so that a long run needs no more memory than its fullest moment.

import { defined, invariant } from "@windtunnel/base";
import { attentionBatch, type AttentionBatch, KvCache, type ModelConfig } from "@windtunnel/model";
import type { Tensor } from "@windtunnel/tensor";

/** Tokens that a request brings to a step: its prompt, or the token that it was given last. */
export interface RequestRows {
  readonly request: number;
  readonly tokens: readonly number[];
  readonly kind: "prompt" | "generated";
  /** Tokens of the request that come before these in the same step, in another batch. */
  readonly before?: number;
}

export class ResidentRequests {
  readonly #config: ModelConfig;
  readonly #allocate: (shape: readonly number[]) => Tensor;
  readonly #caches = new Map<number, KvCache>();
  /** Free caches, by capacity. */
  readonly #free = new Map<number, KvCache[]>();

  constructor(config: ModelConfig, allocate: (shape: readonly number[]) => Tensor) {
    this.#config = config;
    this.#allocate = allocate;
  }

  /** Takes in a request that will have `positions` positions at most; gives its empty cache. */
  admit(options: { readonly request: number; readonly positions: number }): KvCache {
    const { request, positions } = options;
    invariant(!this.#caches.has(request), `request ${request} lives here already`);
    const cache = this.#free.get(positions)?.pop() ?? new KvCache(this.#config, positions, this.#allocate);
    cache.truncate(0);
    this.#caches.set(request, cache);
    return cache;
  }

  release(request: number): void {
    const cache = this.#cacheOf(request);
    this.#caches.delete(request);
    const free = this.#free.get(cache.capacity) ?? [];
    free.push(cache);
    this.#free.set(cache.capacity, free);
  }

  /** Positions of a request that are cached. */
  cachedPositions(request: number): number {
    return this.#cacheOf(request).lengthOf(0);
  }

  /** The batch of these requests' rows, in their order. */
  batchOf(rows: readonly RequestRows[]): AttentionBatch {
    return attentionBatch(
      rows.map(({ request, tokens, kind, before = 0 }) => {
        const cache = this.#cacheOf(request);
        return {
          cache,
          startPosition: cache.lengthOf(0) + before,
          rowCount: tokens.length,
          form: kind === "prompt" ? "expanded" : "absorbed",
        };
      }),
    );
  }

  #cacheOf(request: number): KvCache {
    return defined(this.#caches.get(request), `the cache of request ${request}`);
  }
}
