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
  /** As DeepEP's benchmark: scores 1 + |N(0, 1)|, groups kept by their largest score, then the top k in them. */
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
      scores[expert] =
        draw.draw === "gate-like"
          ? 1 + Math.abs(random.normal())
          : // The largest of log p + Gumbel noise is a draw by p, the next ones draws without replacement.
            log(draw.popularity[expert]!) - log(-log((random.uint32() + 0.5) / 2 ** 32));
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
  const best = Float64Array.from({ length: groupCount }, (_, group) =>
    scores
      .subarray(group * size, (group + 1) * size)
      .reduce((most, score) => Math.max(most, score), -Infinity),
  );
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
    let place = count;
    while (place > 0 && values[index]! > values[into[place - 1]!]!) place--;
    if (place === into.length) continue;
    into.copyWithin(place + 1, place, Math.min(count, into.length - 1));
    into[place] = index;
    count = Math.min(count + 1, into.length);
  }
}

/** Deals groups to tokens and experts of each group to its tokens, from shuffled decks. */
function dealChoices(shape: RoutingShape, tokenCount: number, random: RandomStream): Int32Array {
  const { expertCount, expertsPerToken, groupCount, limitedGroupCount } = shape;
  const size = expertCount / groupCount;
  const groups = new Deck(groupCount, random);
  const experts = Array.from({ length: groupCount }, () => new Deck(size, random));
  const choices = new Int32Array(tokenCount * expertsPerToken);
  for (let token = 0; token < tokenCount; token++) {
    let slot = token * expertsPerToken;
    for (const [index, group] of groups.deal(limitedGroupCount).entries()) {
      // As evenly as they divide: 8 experts from 3 groups are 3, 3 and 2.
      const from = Math.floor((index * expertsPerToken) / limitedGroupCount);
      const to = Math.floor(((index + 1) * expertsPerToken) / limitedGroupCount);
      for (const expert of experts[group]!.deal(to - from)) choices[slot++] = group * size + expert;
    }
  }
  return choices;
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
