// From what is pending and what programs promise follows, for each class, the horizon below which nothing more can arrive.
// Shortest paths over the class graph: an earliest send of one class, plus latency, plus the next one's promise.

import { NEVER } from "@windtunnel/base";
import type { Bounds } from "./bounds.ts";
import type { ClassGraph } from "./class-graph.ts";

/** For each class the least instants at which something that is not pending yet reaches it; `NEVER`: nothing does. */
export interface Reach {
  /** Anything: the class's horizon. */
  readonly any: Float64Array;
  /** What is sent and not handed on. */
  readonly sent: Float64Array;
  /** announced[by][to]: a part of a gather that has still to be sent, and goes to `by` first. */
  readonly announced: readonly Float64Array[];
}

type Pairs = (from: number, to: number) => boolean;

export class Horizons {
  readonly #graph: ClassGraph;
  /** ways[by][to]: the least time that a part takes from a carrier, and whether it may come from another host. */
  readonly #ways: readonly (readonly { readonly latency: number; readonly crosses: boolean }[])[];

  constructor(graph: ClassGraph) {
    this.#graph = graph;
    this.#ways = graph.names.map((_, from) => waysFrom(graph, from));
  }

  /** Nothing reaches any class. */
  get unreached(): Reach {
    const { names } = this.#graph;
    const never = (): Float64Array => new Float64Array(names.length).fill(NEVER);
    return { any: never(), sent: never(), announced: names.map(never) };
  }

  /** What may reach each class, where these are the bounds of all hosts. */
  everywhere(bounds: Bounds): Reach {
    return this.#settle(bounds, this.unreached, () => true);
  }

  /** Of that, what may come from another host than the one that it reaches. */
  fromOutside(bounds: Bounds): Reach {
    const outside = this.unreached;
    const { staysOnHost } = this.#graph;
    const reach = this.everywhere(bounds);
    this.#follow(bounds, reach, outside, (from, to) => staysOnHost?.(from, to) !== true);
    this.#announce(reach, outside, (from, to) => this.#ways[from]![to]!.crosses);
    return outside;
  }

  /** What may reach each class of one host, where these are its own bounds: from outside, or on pairs that stay on it. */
  within(bounds: Bounds, outside: Reach, stays: Pairs): Reach {
    return this.#settle(bounds, outside, stays);
  }

  #settle(bounds: Bounds, outside: Reach, pairs: Pairs): Reach {
    const reach: Reach = {
      any: outside.any.slice(),
      sent: outside.sent.slice(),
      announced: outside.announced.map((each) => each.slice()),
    };
    // Each pass settles at least one class, since every latency is positive.
    for (;;) {
      const isEarlier = this.#follow(bounds, reach, reach, pairs);
      if (!this.#announce(reach, reach, () => true) && !isEarlier) return reach;
    }
  }

  /** Follows every pair once, from where `reach` stands, into `into`; whether anything became earlier. */
  #follow(bounds: Bounds, reach: Reach, into: Reach, pairs: Pairs): boolean {
    const { names, latency, carriers } = this.#graph;
    let isEarlier = false;
    for (let from = 0; from < names.length; from++) {
      for (let to = 0; to < names.length; to++) {
        const least = latency[from]![to];
        if (least === undefined || !pairs(from, to)) continue;
        const arrival = bounds.earliestSend(from, to, reach) + least;
        isEarlier = lower(into.any, to, arrival) || isEarlier;
        if (carriers?.[from] === true) continue;
        isEarlier = lower(into.sent, to, arrival) || isEarlier;
        // It may be a part itself.
        isEarlier = lower(into.announced[from]!, to, arrival) || isEarlier;
      }
    }
    return isEarlier;
  }

  /** What is sent to carriers becomes parts of gathers. */
  #announce(reach: Reach, into: Reach, pairs: Pairs): boolean {
    const { names, carriers } = this.#graph;
    let isEarlier = false;
    for (let by = 0; by < names.length; by++) {
      if (carriers?.[by] !== true) continue;
      for (let to = 0; to < names.length; to++) {
        const arrival = reach.sent[by]! + this.#ways[by]![to]!.latency;
        if (pairs(by, to)) isEarlier = lower(into.announced[by]!, to, arrival) || isEarlier;
      }
    }
    return isEarlier;
  }
}

/** The shortest ways from a carrier, from hand to hand; and where one of them may lead to another host. */
function waysFrom(graph: ClassGraph, start: number): { latency: number; crosses: boolean }[] {
  const { names, latency, carriers, staysOnHost } = graph;
  const ways = names.map(() => ({ latency: NEVER as number, crosses: false }));
  const isReached = names.map((_, index) => index === start);
  for (let pass = 0; pass < names.length; pass++) {
    for (let from = 0; from < names.length; from++) {
      if (!isReached[from] || carriers?.[from] !== true) continue;
      for (let to = 0; to < names.length; to++) {
        const least = latency[from]![to];
        if (least === undefined) continue;
        isReached[to] = true;
        const before = from === start ? { latency: 0, crosses: ways[start]!.crosses } : ways[from]!;
        ways[to]!.latency = Math.min(ways[to]!.latency, before.latency + least);
        ways[to]!.crosses ||= before.crosses || staysOnHost?.(from, to) !== true;
      }
    }
  }
  return ways;
}

function lower(instants: Float64Array, index: number, instant: number): boolean {
  if (!(instant < instants[index]!)) return false;
  instants[index] = instant;
  return true;
}
