// A rank's work without math (`math: skip`): routing is drawn, requests are counted, every new token is 0.
// Draws come from a pool that is made once per number of tokens; which of them a micro-batch takes follows from where
// it stands, so the pool is the same whoever carries the rank. What is drawn are experts; which replicas of them a rank
// takes is the router's rule.

import { defined, mix32, RandomStream } from "@windtunnel/base";
import {
  type DispatchLayout,
  drawChoices,
  type ExpertPlacement,
  layoutKeptChoices,
  physicalChoices,
  type RoutingDraw,
  type RoutingShape,
  zipfPopularity,
} from "@windtunnel/router";
import type { PlannedRequest } from "./plan.ts";
import type { BatchPart, MicroBatchRows, RankWork, RowsPlace } from "./rank-work.ts";

export interface DrawnRouting {
  readonly draw: RoutingDraw["draw"];
  /** Of the power law of `zipf`. */
  readonly exponent: number;
  readonly shape: RoutingShape;
  readonly seed: number;
  /**
   * What experts are drawn by in place of `popularitiesOf`, as `zipf` draws: loads that nobody expected. Layers take
   * them in turn.
   */
  readonly weights?: readonly Float64Array[];
}

/** Layers take popularities in turn, so that hot experts differ from layer to layer and agree from rank to rank. */
const POPULARITIES = 4;
/**
 * Tokens drawn for each number of tokens and popularity, and bounds on the draws that they make: with 128 tokens there
 * are 256. Ranks of one exchange get different draws as long as there are as many; a draw that several ranks share adds
 * its unevenness to itself, and the loads of experts vary more than those of a real gate.
 */
const DRAWN_TOKENS = 32_768;
const LEAST_DRAWS = 16;
const MOST_DRAWS = 4096;

/** Expected popularities of experts, up to a factor; EPLB places replicas by them. Layers take them in turn. */
export function popularitiesOf({ draw, exponent, seed, shape }: DrawnRouting): Float64Array[] {
  return Array.from({ length: POPULARITIES }, (_, index) => {
    if (draw !== "zipf") return new Float64Array(shape.expertCount).fill(1);
    return zipfPopularity(shape.expertCount, exponent, new RandomStream(seed, `popularity ${index}`));
  });
}

/** Whose rows are routed. */
export interface DrawnRows {
  readonly tokenCount: number;
  readonly layer: number;
  /** Any number; ranks whose numbers differ by little get different draws. */
  readonly variant: number;
  /** See `physicalChoices`. */
  readonly unitRank: number;
  readonly firstRow: number;
}

/** Draws by number of tokens; one pool serves all ranks of a thread. */
export class RoutingPool {
  readonly #routing: DrawnRouting;
  readonly #placement: ExpertPlacement;
  readonly #draws: readonly RoutingDraw[];
  readonly #choices = new Map<number, Int32Array>();
  readonly #layouts = new Map<number, DispatchLayout>();

  constructor(routing: DrawnRouting, placement: ExpertPlacement) {
    this.#routing = routing;
    this.#placement = placement;
    const { draw, weights } = routing;
    this.#draws = Array.from(weights ?? popularitiesOf(routing), (popularity): RoutingDraw =>
      weights === undefined && draw !== "zipf" ? { draw } : { draw: "zipf", popularity },
    );
  }

  /**
   * The layout of the rows. It is kept where it follows from the draw alone; with redundant experts it depends on the
   * source too, layouts of all sources would fill the memory, and only the draw is kept.
   */
  layout(rows: DrawnRows): DispatchLayout {
    const { tokenCount, layer } = rows;
    const variant = rows.variant % drawCount(tokenCount);
    const popularity = layer % POPULARITIES;
    const key = (tokenCount * POPULARITIES + popularity) * MOST_DRAWS + variant;
    const draw = (): Int32Array => this.#draw(tokenCount, popularity, variant);
    if (this.#placement.replicaMaps.length > 0) return this.#layoutOf(kept(this.#choices, key, draw), rows);
    return kept(this.#layouts, key, () => this.#layoutOf(draw(), rows));
  }

  #draw(tokenCount: number, popularity: number, variant: number): Int32Array {
    const { shape, seed } = this.#routing;
    const name = `routing of ${tokenCount} tokens, ${popularity}.${variant}`;
    const draw = defined(this.#draws[popularity], `popularity ${popularity}`);
    return drawChoices(draw, shape, tokenCount, new RandomStream(seed, name));
  }

  #layoutOf(choices: Int32Array, { tokenCount, layer, unitRank, firstRow }: DrawnRows): DispatchLayout {
    const { expertsPerToken: choicesPerToken } = this.#routing.shape;
    const source = { layer, choicesPerToken, unitRank, firstRow };
    const physical = physicalChoices(choices, this.#placement, source);
    return layoutKeptChoices(physical, tokenCount, choicesPerToken, this.#placement);
  }
}

function drawCount(tokenCount: number): number {
  const count = Math.ceil(DRAWN_TOKENS / Math.max(1, tokenCount));
  return Math.min(Math.max(count, LEAST_DRAWS), MOST_DRAWS);
}

function kept<Value>(values: Map<number, Value>, key: number, make: () => Value): Value {
  const known = values.get(key);
  if (known !== undefined) return known;
  const made = make();
  values.set(key, made);
  return made;
}

export class DrawnWork implements RankWork {
  readonly #rank: number;
  /** Its number in its unit. */
  readonly #unitRank: number;
  readonly #pool: RoutingPool;
  /** By request: cached positions, on average, and the part of a decode step's positions that stays. */
  readonly #cached = new Map<number, { positions: number; readonly acceptedPerStep: number | undefined }>();

  constructor(rank: number, unitRank: number, pool: RoutingPool) {
    this.#rank = rank;
    this.#unitRank = unitRank;
    this.#pool = pool;
  }

  admit({ request, admit }: PlannedRequest): void {
    if (admit === undefined) return;
    this.#cached.set(request, { positions: admit.drawnPositions, acceptedPerStep: admit.acceptedPerStep });
  }

  release(request: number): void {
    this.#cached.delete(request);
  }

  cachedPositions(request: number): number {
    return Math.floor(this.#requestOf(request).positions);
  }

  rowsOf(parts: readonly BatchPart[], { step, microBatch, firstRow }: RowsPlace): MicroBatchRows {
    const tokenCount = parts.reduce((sum, { tokens }) => sum + tokens.length, 0);
    const unitRank = this.#unitRank;
    // Layers come one after the other, and each is asked for several times.
    let last: { readonly layer: number; readonly layout: DispatchLayout } | undefined;
    const layoutOf = (layer: number): DispatchLayout => {
      if (last?.layer === layer) return last.layout;
      const variant = mix32(mix32(step) + 2 * layer + microBatch) + this.#rank;
      const layout = this.#pool.layout({ tokenCount, layer, variant, unitRank, firstRow });
      last = { layer, layout };
      return layout;
    };
    return { rowCount: tokenCount, layoutOf, math: undefined };
  }

  embed(): void {
    // There is no residual stream.
  }

  newTokens(requests: readonly PlannedRequest[]): number[] {
    for (const { request, tokens } of requests) {
      const cached = this.#requestOf(request);
      const isPrefill = cached.positions === 0;
      cached.positions += isPrefill ? tokens.length : (cached.acceptedPerStep ?? tokens.length);
    }
    return requests.map(() => 0);
  }

  #requestOf(request: number): { positions: number; readonly acceptedPerStep: number | undefined } {
    return defined(this.#cached.get(request), `request ${request}`);
  }
}
