// The counts that `normal` needs before its dispatch: layout and notify (mechanics §2.2).

import { type CostSequence, type Dependency, exchangeKernel } from "@windtunnel/gpu";
import type { Program } from "@windtunnel/virtual-time";
import type { RankExchange } from "../rank-exchange.ts";

const NOTIFY = 0;
const NOTIFY_NODE = 1;
/** Parts of the phase that counts take. */
export const COUNT_PARTS = 2;

export interface Notice {
  readonly exchange: RankExchange;
  readonly gate: Dependency;
  /** Half of the pattern's: the forwarding half may still be busy for another micro-batch. */
  readonly sms: number;
  /** Where this rank's counts go, whose come here, and who shares the node. */
  readonly peers: readonly number[];
  readonly senders: readonly number[];
  readonly neighbours: readonly number[];
  /** Tokens of each slice that go to a peer: relays promise by them; DeepEP's channels tell them as they begin. */
  readonly slicesTo: (peer: number) => readonly number[];
  /** What is sent next over the network, at least so long after the counts are there. */
  readonly followedBy: CostSequence;
}

export interface Counts {
  /** Of each rank of the unit. */
  readonly tokensOf: readonly number[];
  /** Of each slice, that come here from all senders together. */
  readonly arriving: readonly number[];
}

/**
 * Every rank learns how many tokens every other one has, first over the network and then inside nodes. The host waits for
 * it, since it must allocate.
 */
export function* exchangeCounts(notice: Notice): Program<Counts> {
  const { exchange, gate, sms, peers, senders, neighbours, slicesTo, followedBy } = notice;
  const { rank, unit, shape, tokens } = exchange;
  const layout = exchange.kernel({
    name: "dispatch.layout",
    cost: [exchangeKernel("layout", tokens)],
    after: [gate],
    sms,
  });
  const notify = exchange.kernel({
    name: "dispatch.notify",
    cost: [exchangeKernel("copy", 0)],
    after: [layout],
    sms,
  });
  const counts = 4 * (1 + shape.expertsPerRank);
  exchange.send<Int32Array>({
    after: notify,
    part: NOTIFY,
    messages: peers.map((to) => {
      const content = Int32Array.of(rank, tokens, ...slicesTo(to));
      return { to, bytes: counts * unit.nodes[unit.nodeOf(to)]!.length, content };
    }),
  });
  // Counts go on to neighbours at once, and so may tokens of other ranks that a relay of this one forwards.
  const promised = { to: neighbours, leastBeyond: followedBy, sms };
  const fromPeers = yield* exchange.receive<Int32Array>({
    from: senders,
    part: NOTIFY,
    ...promised,
  });
  const known = [
    Int32Array.of(rank, tokens),
    ...fromPeers.messages.map(({ content }) => content.subarray(0, 2)),
  ];
  const arriving: number[] = [];
  for (const { content } of fromPeers.messages)
    for (const [slice, count] of content.subarray(2).entries())
      arriving[slice] = (arriving[slice] ?? 0) + count;
  const gathered = exchange.kernel({
    name: "dispatch.notify",
    cost: [exchangeKernel("copy", 0, 0)],
    after: [notify, fromPeers],
    sms,
    resident: true,
  });
  exchange.send<Int32Array>({
    after: gathered,
    part: NOTIFY_NODE,
    messages: neighbours.map((to) => {
      const content = Int32Array.from(known.flatMap((pair) => [...pair]));
      return { to, bytes: counts * unit.nodes.length, content };
    }),
  });
  const fromNode = yield* exchange.receive<Int32Array>({
    from: neighbours,
    part: NOTIFY_NODE,
    ...promised,
  });
  const tokensOf = unit.ranks.map(() => 0);
  for (const pairs of [...known, ...fromNode.messages.map(({ content }) => content)]) {
    for (let i = 0; i < pairs.length; i += 2) tokensOf[pairs[i]!] = pairs[i + 1]!;
  }
  exchange.hostWaited(fromNode.messages.length === 0 ? gathered : fromNode);
  return { tokensOf, arriving };
}
