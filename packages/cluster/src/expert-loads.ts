// Loads of single experts in drawn routing, as a scenario overrides them. A token's experts are drawn as a race, in which
// an expert arrives at -log(u) / weight, groups are kept by their first expert, and the first k of them are chosen. An
// expert of four times the weight gets less than four times the rows, since no token chooses it twice; so weights are
// sought here with which the expected rows are what the factors say. What EPLB expects stays as it was.

import { exp, inputError, log, RandomStream } from "@windtunnel/base";
import type { RoutingShape } from "@windtunnel/router";
import { type DrawnRouting, popularitiesOf } from "@windtunnel/serving";
import type { ScenarioOverrides } from "./scenario/index.ts";

/** Arrivals that are looked at in a round, and bounds on the tokens that they make. Shares are within one percent. */
const PILOT_WORK = 2048 * 256;
const LEAST_TOKENS = 256;
const MOST_TOKENS = 2048;
const MOST_ROUNDS = 20;
/** A round that changes no weight by more is the last one. */
const CLOSE_ENOUGH = 1e-3;
/** Loads that come out further from what was asked for can't be had. */
const TOO_FAR = 0.02;

/** The routing with the weights that give the overridden loads. Throws input errors for loads that can't be had. */
export function withLoads(routing: DrawnRouting, { experts }: ScenarioOverrides): DrawnRouting {
  const factors = factorsOf(experts, routing.shape);
  if (factors.size === 0) return routing;
  const popularities = popularitiesOf(routing);
  const arrivals = pilotArrivals(routing, factors.size);
  const weightsOf = (popularity: Float64Array): Float64Array =>
    weightsFor({ race: new PilotRace(popularity, arrivals, routing.shape), factors, routing });
  if (routing.draw === "zipf") return { ...routing, weights: popularities.map(weightsOf) };
  // Without overrides all are alike, and so in all layers.
  const weights = weightsOf(popularities[0]!);
  return { ...routing, weights: popularities.map(() => weights) };
}

/** By expert, without those that change nothing. */
function factorsOf(
  experts: ScenarioOverrides["experts"],
  { expertCount }: RoutingShape,
): ReadonlyMap<number, number> {
  const factors = new Map<number, number>();
  for (const [name, { load }] of Object.entries(experts)) {
    const expert = Number(name);
    if (expert >= expertCount) {
      const allowed = `experts from 0 to ${expertCount - 1}`;
      const path = `overrides.experts.${expert}`;
      throw inputError(`${path}: found ${expert}; allowed: ${allowed}`, { path, found: expert, allowed });
    }
    if (load !== 1) factors.set(expert, load);
  }
  return factors;
}

/** [tokens, experts]: arrivals with a weight of 1. */
function pilotArrivals({ shape, seed }: DrawnRouting, overridden: number): Float64Array {
  const most = Math.floor(PILOT_WORK / (overridden * shape.expertCount));
  const tokens = Math.min(Math.max(most, LEAST_TOKENS), MOST_TOKENS);
  const random = new RandomStream(seed, "overridden loads");
  const arrivals = new Float64Array(tokens * shape.expertCount);
  for (let at = 0; at < arrivals.length; at++) arrivals[at] = -log((random.uint32() + 0.5) / 2 ** 32);
  return arrivals;
}

interface Search {
  readonly race: PilotRace;
  readonly factors: ReadonlyMap<number, number>;
  readonly routing: DrawnRouting;
}

function weightsFor({ race, factors, routing }: Search): Float64Array {
  const { draw, shape } = routing;
  const { expertCount, expertsPerToken } = shape;
  const usual = new Map(
    [...factors.keys()].map((expert) => {
      // Experts that are all alike have the same share of a token's choices.
      return [expert, draw === "zipf" ? race.chosenShare(expert) : expertsPerToken / expertCount];
    }),
  );
  const wanted = wantedShares(usual, factors, expertsPerToken);
  for (let round = 0; round < MOST_ROUNDS; round++) {
    let change = 0;
    for (const [expert, share] of wanted) change = Math.max(change, race.reach(expert, share));
    if (change < CLOSE_ENOUGH) break;
  }
  for (const [expert, share] of wanted) {
    const found = race.chosenShare(expert);
    if (Math.abs(found / share - 1) < TOO_FAR) continue;
    refuseLoad(expert, factors.get(expert)!, "loads that a token's groups can have together");
  }
  return race.weights;
}

/** The part of all tokens that shall choose each expert: what is usual times its factor, and all parts k together. */
function wantedShares(
  usual: ReadonlyMap<number, number>,
  factors: ReadonlyMap<number, number>,
  expertsPerToken: number,
): Map<number, number> {
  let total = expertsPerToken;
  for (const [expert, share] of usual) total += (factors.get(expert)! - 1) * share;
  return new Map(
    [...usual].map(([expert, share]) => {
      const factor = factors.get(expert)!;
      const wanted = (expertsPerToken * factor * share) / total;
      if (wanted < 1) return [expert, wanted];
      // All tokens choose it where factor · share · k is the total, of which factor · share is a part.
      const most = (total - factor * share) / (share * (expertsPerToken - 1));
      return refuseLoad(expert, factor, `below ${Number(most.toPrecision(3))}, where every token chooses it`);
    }),
  );
}

function refuseLoad(expert: number, factor: number, allowed: string): never {
  const path = `overrides.experts.${expert}.load`;
  throw inputError(`${path}: found ${factor}; allowed: ${allowed}`, { path, found: factor, allowed });
}

/** The races of some tokens, in which the weights of experts can be changed. */
class PilotRace {
  readonly weights: Float64Array;
  readonly #shape: RoutingShape;
  readonly #arrivals: Float64Array;
  readonly #tokens: number;

  constructor(popularity: Float64Array, arrivals: Float64Array, shape: RoutingShape) {
    this.weights = Float64Array.from(popularity);
    this.#shape = shape;
    this.#arrivals = arrivals;
    this.#tokens = arrivals.length / shape.expertCount;
  }

  /** The part of the tokens that choose an expert: not counted, but expected of its own arrival, given all others. */
  chosenShare(expert: number): number {
    return shareWithWeight(this.weights[expert]!, this.#limitsOf(expert));
  }

  /** Gives an expert the weight with which so many tokens choose it. Returns by what part the weight has changed. */
  reach(expert: number, share: number): number {
    const limits = this.#limitsOf(expert);
    let [low, high] = [0, 1];
    while (shareWithWeight(high, limits) < share && high < 2 ** 60) [low, high] = [high, 4 * high];
    while (high - low > 1e-5 * high) {
      const middle = (low + high) / 2;
      if (shareWithWeight(middle, limits) < share) low = middle;
      else high = middle;
    }
    const before = this.weights[expert]!;
    this.weights[expert] = high;
    return Math.abs(high / before - 1);
  }

  /** For each token, before when the expert must arrive to be chosen. */
  #limitsOf(expert: number): Float64Array {
    const { expertCount } = this.#shape;
    const arrivals = new Float64Array(expertCount);
    return Float64Array.from({ length: this.#tokens }, (_, token) => {
      for (let other = 0; other < expertCount; other++) {
        arrivals[other] = this.#arrivals[token * expertCount + other]! / this.weights[other]!;
      }
      return latestArrival(arrivals, expert, this.#shape);
    });
  }
}

/** An expert of this weight arrives before a limit with 1 - exp(-weight · limit). */
function shareWithWeight(weight: number, limits: Float64Array): number {
  let sum = 0;
  for (const limit of limits) sum += 1 - exp(-weight * limit);
  return sum / limits.length;
}

/**
 * An expert is chosen if it arrives before the k-th of the others in the groups that are then kept: its own and the first
 * of the others. Its own is kept if an expert of it arrives before the last of as many other groups as a token may use.
 */
function latestArrival(arrivals: Float64Array, expert: number, shape: RoutingShape): number {
  const { expertCount, expertsPerToken, groupCount, limitedGroupCount } = shape;
  const size = expertCount / groupCount;
  const own = Math.floor(expert / size);
  arrivals[expert] = Infinity;
  const firsts = Float64Array.from({ length: groupCount }, (_, group) =>
    arrivals
      .subarray(group * size, (group + 1) * size)
      .reduce((least, each) => Math.min(least, each), Infinity),
  );
  const ownFirst = firsts[own]!;
  firsts[own] = Infinity;
  const earliest = new Earliest(limitedGroupCount);
  for (const first of firsts) earliest.add(first);
  const lastGroup = earliest.last;
  const chosen = new Earliest(expertsPerToken);
  for (let group = 0; group < groupCount; group++) {
    if (group !== own && firsts[group]! >= lastGroup) continue;
    for (let other = group * size; other < (group + 1) * size; other++) chosen.add(arrivals[other]!);
  }
  return ownFirst < lastGroup ? chosen.last : Math.min(chosen.last, lastGroup);
}

/** The smallest of some numbers, ascending. */
class Earliest {
  readonly #values: Float64Array;

  constructor(count: number) {
    this.#values = new Float64Array(count).fill(Infinity);
  }

  /** The largest of them; Infinity while there are fewer. */
  get last(): number {
    return this.#values.at(-1)!;
  }

  add(value: number): void {
    let place = this.#values.length;
    while (place > 0 && this.#values[place - 1]! > value) place--;
    if (place === this.#values.length) return;
    this.#values.copyWithin(place + 1, place);
    this.#values[place] = value;
  }
}
