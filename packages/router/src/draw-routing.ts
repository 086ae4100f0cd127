// Choices of experts without a model: drawn from a distribution, for timing alone. Pure functions of their random
// stream; what is drawn depends on nothing else.

import { invariant, log, pow, type RandomStream } from "@windtunnel/base";

export interface RoutingShape {
  readonly expertCount: number;
  readonly expertsPerToken: number;
  /** Groups of consecutive experts, and how many of them a token may use. */
  readonly groupCount: number;
  readonly limitedGroupCount: number;
}

export type RoutingDraw =
  /** Every expert gets the same number of tokens, a token's groups are chosen uniformly (mechanics §2.4). */
  | { readonly draw: "balanced" }
  /**
   * As DeepEP's benchmark: scores 1 + |N(0, 1)|, groups kept by their largest score, then the top k in them. Only the
   * order of the scores counts, and independent scores of one distribution stand in every order equally often; so they
   * are drawn from the cheapest.
   */
  | { readonly draw: "gate-like" }
  /** Popularity of experts by a power law; `popularity` [experts] holds each one's weight. */
  | { readonly draw: "zipf"; readonly popularity: Float64Array };

/** [tokens, expertsPerToken]: distinct experts of each token. */
export function drawChoices(
  draw: RoutingDraw,
  shape: RoutingShape,
  tokenCount: number,
  random: RandomStream,
): Int32Array {
  const { expertCount, expertsPerToken, groupCount, limitedGroupCount } = shape;
  invariant(expertCount % groupCount === 0, `${expertCount} experts in ${groupCount} groups`);
  invariant(
    expertsPerToken <= (expertCount / groupCount) * limitedGroupCount,
    `${expertsPerToken} experts from ${limitedGroupCount} of ${groupCount} groups`,
  );
  if (draw.draw === "balanced") return dealChoices(shape, tokenCount, random);
  const choices = new Int32Array(tokenCount * expertsPerToken);
  const scores = new Float64Array(expertCount);
  for (let token = 0; token < tokenCount; token++) {
    for (let expert = 0; expert < expertCount; expert++) {
      const bits = random.uint32();
      scores[expert] =
        draw.draw === "gate-like"
          ? bits
          : // A race: experts arrive at -log(u) / p. The first one is a draw by p, the next ones draws without replacement.
            log((bits + 0.5) / 2 ** 32) / draw.popularity[expert]!;
    }
    keepBestGroups(scores, shape);
    takeBest(scores, choices.subarray(token * expertsPerToken, (token + 1) * expertsPerToken));
  }
  return choices;
}

/** Weights of a power law, given to experts in a random order: 1, 2^-s, 3^-s … */
export function zipfPopularity(expertCount: number, exponent: number, random: RandomStream): Float64Array {
  const order = shuffled(expertCount, random);
  const popularity = new Float64Array(expertCount);
  for (const [rank, expert] of order.entries()) popularity[expert] = pow(rank + 1, -exponent);
  return popularity;
}

function keepBestGroups(scores: Float64Array, { groupCount, limitedGroupCount }: RoutingShape): void {
  if (limitedGroupCount >= groupCount) return;
  const size = scores.length / groupCount;
  const best = new Float64Array(groupCount);
  for (let group = 0; group < groupCount; group++) {
    let most = -Infinity;
    for (let index = group * size; index < (group + 1) * size; index++) {
      if (scores[index]! > most) most = scores[index]!;
    }
    best[group] = most;
  }
  const kept = new Int32Array(limitedGroupCount);
  takeBest(best, kept);
  for (let group = 0; group < groupCount; group++) {
    if (!kept.includes(group)) scores.fill(-Infinity, group * size, (group + 1) * size);
  }
}

/** The indices of the largest values, largest first, ties to the lowest index. */
function takeBest(values: Float64Array, into: Int32Array): void {
  let count = 0;
  for (let index = 0; index < values.length; index++) {
    const value = values[index]!;
    if (count === into.length && !(value > values[into[count - 1]!]!)) continue;
    let place = count < into.length ? count++ : count - 1;
    for (; place > 0 && value > values[into[place - 1]!]!; place--) into[place] = into[place - 1]!;
    into[place] = index;
  }
}

/**
 * Uniform choices, dealt so that all come out even: a token's groups are uniform, and its experts among all of theirs, so
 * that a group may get none of them (mechanics §2.4). Only which of its groups gets how many is made to suit the others.
 */
function dealChoices(shape: RoutingShape, tokenCount: number, random: RandomStream): Int32Array {
  const { expertCount, expertsPerToken, groupCount } = shape;
  const size = expertCount / groupCount;
  const shares = dealShares(shape, tokenCount, random);
  const experts = Array.from({ length: groupCount }, () => new Deck(size, random));
  const choices = new Int32Array(tokenCount * expertsPerToken);
  let slot = 0;
  for (const share of shares) {
    for (const [group, count] of share) {
      for (const expert of experts[group]!.deal(count)) choices[slot++] = group * size + expert;
    }
  }
  return choices;
}

/** For each token: the groups that it may use, each with the number of its experts there. */
function dealShares(shape: RoutingShape, tokenCount: number, random: RandomStream): [number, number][][] {
  const { expertCount, groupCount, limitedGroupCount } = shape;
  const groups = new Deck(groupCount, random);
  const totals = new Int32Array(groupCount);
  const shares = Array.from({ length: tokenCount }, () => {
    // The most experts for the group that has the fewest so far; a hand is in random order, and so are equal ones.
    const counts = drawCounts(shape, random).sort((a, b) => b - a);
    const kept = groups.deal(limitedGroupCount).sort((a, b) => totals[a]! - totals[b]!);
    return kept.map((group, index): [number, number] => {
      totals[group]! += counts[index]!;
      return [group, counts[index]!];
    });
  });
  evenOut(shares, totals, { size: expertCount / groupCount, random });
  return shares;
}

/** How many of a token's experts lie in each of its groups, if they are drawn from all of them alike. */
function drawCounts(
  { expertCount, expertsPerToken, groupCount, limitedGroupCount }: RoutingShape,
  random: RandomStream,
): number[] {
  const size = expertCount / groupCount;
  const counts = Array.from({ length: limitedGroupCount }, () => 0);
  for (let drawn = 0; drawn < expertsPerToken; drawn++) {
    let place = random.below(size * limitedGroupCount - drawn);
    let group = 0;
    while (place >= size - counts[group]!) place -= size - counts[group++]!;
    counts[group]!++;
  }
  return counts;
}

interface Deal {
  /** Experts of a group. */
  readonly size: number;
  readonly random: RandomStream;
}

/** Passes over the tokens; measured: one to three do for a hundred tokens. */
const MOST_PASSES = 16;

/**
 * Brings the groups' totals as near to their mean as whole experts can be. First a token's shares change places, which
 * leaves it in as many groups as before; what is left then (two shares of eight differ by an even number) goes over one
 * by one. A change that helps nobody is made now and then: the excess may find a better place from there.
 */
function evenOut(shares: readonly [number, number][][], totals: Int32Array, { size, random }: Deal): void {
  const mean = totals.reduce((sum, total) => sum + total, 0) / totals.length;
  const isEven = (): boolean => totals.every((total) => Math.abs(total - mean) < 1);
  const pass = (moved: (one: number, other: number) => number): void => {
    for (const share of shares) {
      for (const one of share) {
        for (const other of share) {
          const count = moved(one[1], other[1]);
          // By how much the squared distances from the mean fall, halved and divided by `count`.
          const gain = totals[one[0]]! - totals[other[0]]! - count;
          if (one === other || count < 1 || gain < 0 || (gain === 0 && random.below(2) === 0)) continue;
          totals[one[0]]! -= count;
          totals[other[0]]! += count;
          one[1] -= count;
          other[1] += count;
        }
      }
      if (isEven()) return;
    }
  };
  for (let done = 0; done < MOST_PASSES && !isEven(); done++) pass((one, other) => one - other);
  for (let done = 0; done < MOST_PASSES && !isEven(); done++) {
    pass((one, other) => (one > 0 && other < size ? 1 : 0));
  }
}

/** Numbers below `size` in random order, again and again; a hand never holds one twice. */
class Deck {
  readonly #size: number;
  readonly #random: RandomStream;
  #left: number[] = [];

  constructor(size: number, random: RandomStream) {
    this.#size = size;
    this.#random = random;
  }

  deal(count: number): number[] {
    const hand: number[] = this.#left.splice(0, count);
    if (hand.length < count) {
      const fresh = shuffled(this.#size, this.#random);
      // What the hand holds already goes to the end of the new deck.
      const ordered = [
        ...fresh.filter((card) => !hand.includes(card)),
        ...fresh.filter((card) => hand.includes(card)),
      ];
      hand.push(...ordered.splice(0, count - hand.length));
      this.#left = ordered;
    }
    return hand;
  }
}

function shuffled(size: number, random: RandomStream): number[] {
  const cards = Array.from({ length: size }, (_, card) => card);
  for (let last = size - 1; last > 0; last--) {
    const other = random.below(last + 1);
    [cards[last], cards[other]] = [cards[other]!, cards[last]!];
  }
  return cards;
}
