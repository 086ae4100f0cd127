// A rank's work without math (`math: skip`): routing is drawn, requests are counted, every new token is 0.
// Draws come from a pool that is made once per number of tokens; which of them a micro-batch takes follows from where
// it stands, so the pool is the same whoever carries the rank.

import { defined, mix32, RandomStream } from "@windtunnel/base";
import {
  type DispatchLayout,
  drawChoices,
  type ExpertPlacement,
  layoutDispatch,
  type RoutingDraw,
  type RoutingShape,
  zipfPopularity,
} from "@windtunnel/router";
import type { PlannedRequest } from "./plan.ts";
import type { MicroBatchRows, RankWork, RowsPlace } from "./rank-work.ts";

export interface DrawnRouting {
  readonly draw: RoutingDraw["draw"];
  /** Of the power law of `zipf`. */
  readonly exponent: number;
  readonly shape: RoutingShape;
  readonly seed: number;
}

/** Layers take popularities in turn, so that hot experts differ from layer to layer and agree from rank to rank. */
const POPULARITIES = 4;
/** Draws for each number of tokens and popularity. */
const VARIANTS = 16;

/** Layouts by number of tokens; one pool serves all ranks of a thread. */
export class RoutingPool {
  readonly #routing: DrawnRouting;
  readonly #placement: ExpertPlacement;
  readonly #draws: readonly RoutingDraw[];
  readonly #layouts = new Map<string, DispatchLayout>();

  constructor(routing: DrawnRouting, placement: ExpertPlacement) {
    this.#routing = routing;
    this.#placement = placement;
    const { draw, exponent, seed, shape } = routing;
    this.#draws = Array.from({ length: POPULARITIES }, (_, index): RoutingDraw => {
      if (draw !== "zipf") return { draw };
      const random = new RandomStream(seed, `popularity ${index}`);
      return { draw, popularity: zipfPopularity(shape.expertCount, exponent, random) };
    });
  }

  /** The layout of `tokenCount` tokens; `variant` may be any integer. */
  layout(tokenCount: number, layer: number, variant: number): DispatchLayout {
    const popularity = layer % POPULARITIES;
    const name = `routing of ${tokenCount} tokens, ${popularity}.${variant % VARIANTS}`;
    const known = this.#layouts.get(name);
    if (known !== undefined) return known;
    const { shape, seed } = this.#routing;
    const draw = defined(this.#draws[popularity], `popularity ${popularity}`);
    const choices = drawChoices(draw, shape, tokenCount, new RandomStream(seed, name));
    const layout = layoutDispatch(choices, tokenCount, shape.expertsPerToken, this.#placement);
    this.#layouts.set(name, layout);
    return layout;
  }
}

export class DrawnWork implements RankWork {
  readonly #rank: number;
  readonly #pool: RoutingPool;
  readonly #cached = new Map<number, number>();

  constructor(rank: number, pool: RoutingPool) {
    this.#rank = rank;
    this.#pool = pool;
  }

  admit({ request, admit }: PlannedRequest): void {
    if (admit !== undefined) this.#cached.set(request, admit.drawnPositions);
  }

  release(request: number): void {
    this.#cached.delete(request);
  }

  cachedPositions(request: number): number {
    return defined(this.#cached.get(request), `request ${request}`);
  }

  rowsOf(requests: readonly PlannedRequest[], { step, microBatch }: RowsPlace): MicroBatchRows {
    const rowCount = requests.reduce((sum, { tokens }) => sum + tokens.length, 0);
    const key = mix32(mix32(step) ^ mix32(2 * this.#rank + microBatch + 1));
    return {
      rowCount,
      layoutOf: (layer) => this.#pool.layout(rowCount, layer, mix32(key + layer)),
      math: undefined,
    };
  }

  embed(): void {
    // There is no residual stream.
  }

  newTokens(requests: readonly PlannedRequest[]): number[] {
    for (const { request, tokens } of requests) {
      this.#cached.set(request, this.cachedPositions(request) + tokens.length);
    }
    return requests.map(() => 0);
  }
}
