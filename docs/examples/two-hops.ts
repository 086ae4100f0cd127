// A dispatch pattern with relays, for skewed gates: one popular expert makes one GPU the target of most tokens, and that
// GPU's NIC the bottleneck of both phases. Here a token crosses the network once for each remote node that needs it, to
// the GPU of the source's own index there, which relays it over NVLink: whatever the gate does, all NICs of a node carry
// alike. On the way back the relay adds up what its node made of a token, and sends one row.
//
// Steps: dispatch and combine in two hops each. Messages of a rank: one to its relay on each remote node, one to each
// neighbour, in either phase. Bytes of one, for t tokens with c choices: dispatch t · (16 + row(H)) + 8 c, combine
// t · row(H), and 4 for their number.
//
// The tree of a sum is that of `normal`: on a rank, experts in ascending order; on a node, ranks in ascending order; at
// the source, nodes in ascending order; the first two rounded as the wire rounds them.

import type { Beside, DispatchPattern, TokenSet } from "@windtunnel/expert";

type Sets = readonly TokenSet[];

/** Half of the SMs send and receive, half relay. */
const SMS = 32;
const HEADER_BYTES = 16;
const CHOICE_BYTES = 8;
const COUNT_BYTES = 4;

/** Parts: what crosses the network, and what crosses NVLink. */
const ACROSS = 0;
const INSIDE = 1;

const pattern: DispatchPattern = {
  name: "two-hops",
  sms: SMS,
  alongRails: true,
  receivesOnly: true,
  open(exchange) {
    const { rank, unit } = exchange;
    const home = unit.nodeOf(rank);
    const here = unit.nodes[home]!;
    const neighbours = unit.others.filter((each) => unit.nodeOf(each) === home);
    /** Where this rank's tokens go on other nodes, and whose tokens of other nodes come here. */
    const peers = [...unit.nodes.keys()]
      .filter((node) => node !== home)
      .map((node) => unit.relayOf(rank, node));
    const clients = [...unit.ranks.keys()].filter(
      (each) => unit.nodeOf(each) !== home && unit.relayOf(each, home) === rank,
    );
    const byNode = exchange.groups("nodes", (each) => unit.nodeOf(each));
    const byNeighbour = exchange.groups("ranks of this node", (each) => here.indexOf(each));
    const total = (sets: Sets, of: (set: TokenSet) => number): number =>
      sets.reduce((sum, set) => sum + of(set), 0);
    const tokenCount = (sets: Sets): number => total(sets, ({ tokens }) => tokens.length);
    const outBytes = (sets: Sets): number =>
      COUNT_BYTES +
      tokenCount(sets) * (HEADER_BYTES + exchange.rowBytes("dispatch")) +
      CHOICE_BYTES * total(sets, ({ experts }) => experts.length);
    const backBytes = (sets: Sets): number => COUNT_BYTES + tokenCount(sets) * exchange.rowBytes("combine");
    const kernel = { sms: SMS / 2 };
    const relaying = { sms: SMS / 2, stream: "forward" } as const;

    const kept: TokenSet[] = [];
    const keep = (sets: Sets): void => {
      kept.push(...sets);
      exchange.keepTokens(sets);
    };
    let relay: Beside | undefined;
    /** The relay's kernel, which the last step of a phase comes after. */
    let relayed: ReturnType<typeof exchange.kernel> | undefined;
    /** What came of this rank's tokens, by node; nothing from nodes that none of them went to. */
    const sumsByNode: Sets[] = unit.nodes.map(() => []);

    return {
      *sendDispatch(gate) {
        const sets = exchange.split(exchange.own, byNode);
        const copied = exchange.kernel({
          name: "dispatch.send",
          cost: exchange.copyCost(outBytes(sets)),
          after: [gate],
          ...kernel,
        });
        exchange.send<Sets>({
          after: copied,
          part: ACROSS,
          messages: peers.map((to) => {
            const content = [sets[unit.nodeOf(to)]!];
            return { to, bytes: outBytes(content), content };
          }),
        });
        relay = exchange.beside("relay of dispatch", "forward", function* (waiting) {
          const arrived = yield* waiting.receive<Sets>({ from: clients, part: ACROSS, to: neighbours });
          const through = [sets[home]!, ...arrived.messages.flatMap(({ content }) => content)];
          const split = through.map((set) => exchange.split(set, byNeighbour));
          const partsOf = (to: number): Sets => split.map((parts) => parts[here.indexOf(to)]!);
          relayed = exchange.kernel({
            name: "dispatch.forward",
            cost: exchange.copyCost(outBytes(split.flat())),
            after: [arrived, copied],
            ...relaying,
          });
          exchange.send<Sets>({
            after: relayed,
            part: INSIDE,
            messages: neighbours.map((to) => ({ to, bytes: outBytes(partsOf(to)), content: partsOf(to) })),
          });
          keep(partsOf(rank));
        });
      },

      *receiveDispatch() {
        yield* relay!.join();
        const arrived = yield* exchange.receive<Sets>({ from: neighbours, part: INSIDE });
        for (const { content } of arrived.messages) keep(content);
        const cost = exchange.copyCost(outBytes(kept));
        return exchange.kernel({ name: "dispatch.receive", cost, after: [arrived, relayed!], ...kernel });
      },

      *sendCombine(experts) {
        /** A source's sums go to its relay on this node, which is the source itself where it lives here. */
        const sumsThrough = (to: number): Sets =>
          exchange.partials.filter(({ source }) => unit.relayOf(source, home) === to);
        const copied = exchange.kernel({
          name: "combine.send",
          cost: exchange.copyCost(backBytes(exchange.partials)),
          after: [experts],
          ...kernel,
        });
        exchange.send<Sets>({
          after: copied,
          part: INSIDE,
          messages: neighbours.map((to) => ({
            to,
            bytes: backBytes(sumsThrough(to)),
            content: sumsThrough(to),
          })),
        });
        relay = exchange.beside("relay of combine", "forward", function* (waiting) {
          const arrived = yield* waiting.receive<Sets>({ from: neighbours, part: INSIDE, to: clients });
          const byRank = [...arrived.messages, { from: rank, content: sumsThrough(rank) }];
          const sets = byRank.sort((a, b) => a.from - b.from).flatMap(({ content }) => content);
          const sumFor = (source: number): Sets => {
            const parts = sets.filter((set) => set.source === source);
            return parts.length === 0 ? [] : [exchange.sum(parts)];
          };
          relayed = exchange.kernel({
            name: "combine.forward",
            cost: exchange.copyCost(backBytes(sets)),
            after: [arrived, copied],
            ...relaying,
          });
          exchange.send<Sets>({
            after: relayed,
            part: ACROSS,
            messages: clients.map((to) => {
              const content = sumFor(to);
              return { to, bytes: backBytes(content), content };
            }),
          });
          sumsByNode[home] = sumFor(rank);
        });
      },

      *receiveCombine() {
        yield* relay!.join();
        const arrived = yield* exchange.receive<Sets>({ from: peers, part: ACROSS });
        for (const { from, content } of arrived.messages) sumsByNode[unit.nodeOf(from)] = content;
        exchange.acceptTokens(sumsByNode.flat());
        const cost = exchange.copyCost(backBytes(sumsByNode.flat()));
        return exchange.kernel({ name: "combine.receive", cost, after: [arrived, relayed!], ...kernel });
      },
    };
  },
};

export default pattern;
