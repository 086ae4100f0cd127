// DeepEP's normal mode (mechanics §2.2). A token crosses the network once for each remote node that needs it, to the GPU
// of the source's own index, which forwards it over NVLink to the GPUs of its node; on the way back each GPU sums its own
// experts' outputs, the relay sums its node's, and the source sums nodes in ascending order.
//
// Steps of a dispatch: layout; notify, in which every rank learns how many tokens the others have, with a wait of the
// host; then one resident kernel. Half of its SMs send, the other half forward (on a stream of their own). Of a combine:
// the same kernel, the other way. Tokens travel in slices of consecutive tokens, which is what all channels together have
// under way at once, so that the two hops overlap as they do through ring buffers.
//
// With T tokens of a rank, of which a part n(A) needs remote node A and g(A, i) its GPU i, slices S = ceil(T / 256),
// at most 16, N nodes of G ranks, e experts on a rank:
//
//   messages  notify N - 1 + (G - 1); dispatch S (N - 1) over the network, S' (G - 1) over NVLink, where S' is the most
//             slices of the sources with the rank's index; combine the same numbers
//   bytes     notify 4 G (1 + e) to each node, 4 N (1 + e) to each neighbour; over the network message(T) · Σ n(A),
//             over NVLink message(T) · Σ g(A, i) of what a relay does not keep, both ways
//   message   dispatch align16(row(H) + 8 + 8 k), combine align16(row(H) + 8 + 4 k): at H = 7168, k = 8: 7,472 bytes
//             in FP8, 14,384 back in BF16
//
// The tree of a sum: on a rank, experts in ascending order; on a node, ranks in ascending order; at the source, nodes in
// ascending order. The first two are rounded as the wire rounds them.

import { after, type Duration, type Instant, NO_TIME } from "@windtunnel/base";
import { type Completion, type CostSequence, type Dependency, exchangeKernel } from "@windtunnel/gpu";
import type { Program } from "@windtunnel/virtual-time";
import type { DispatchPattern, ExchangeSteps } from "../pattern.ts";
import type { Arrived, Beside, Message, Relay } from "../exchange-terms.ts";
import type { RankExchange } from "../rank-exchange.ts";
import { sliceTokens, splitByGroup, type TokenSet } from "../token-set.ts";
import { COUNT_PARTS, exchangeCounts } from "./normal-counts.ts";
import {
  entries,
  MOST_SLICES,
  normalCombineBytes,
  normalDispatchBytes,
  sliceCount,
  sliceSize,
} from "./normal-slices.ts";

/** SMs of the kernel: 20 in DeepEP's measurements, 24 in DeepSeek's deployment. */
export interface NormalOptions {
  readonly sms: number;
}

/** Ring buffers: tokens that a sender may have in flight to each of its peers, over all channels. */
const IN_FLIGHT_TOKENS = 10 * 128;

const FIRST_OUT = COUNT_PARTS;
const FIRST_FORWARD = FIRST_OUT + MOST_SLICES;

export function createNormal({ sms }: NormalOptions): DispatchPattern {
  return {
    name: "normal",
    sms,
    alongRails: true,
    receivesOnly: true,
    hostWaits: true,
    least,
    open: (exchange) => new NormalExchange(exchange, sms / 2),
  };
}

/** Of a first slice nobody knows how much it copies before rows are there; the last copy may have nothing to do. */
const least: NonNullable<DispatchPattern["least"]> = {
  send: (phase, _, { tokens }) =>
    phase === "dispatch"
      ? [exchangeKernel("layout", tokens), exchangeKernel("copy", 0)]
      : [exchangeKernel("copy", 0)],
  receive: () => [],
};

/** What a kernel hands over in slices: when each one is ready. */
interface Paced {
  readonly kernel: Completion;
  readonly readyAt: readonly Instant[];
}

class NormalExchange implements ExchangeSteps {
  readonly #exchange: RankExchange;
  /** SMs of either half of the kernel: one SM of each pair sends, the other forwards. */
  readonly #half: number;
  readonly #home: readonly number[];
  readonly #neighbours: readonly number[];
  /** Where this rank's tokens go on other nodes, beginning with the next node. */
  readonly #peers: readonly number[];
  /** Ranks of other nodes whose tokens come here first. */
  readonly #senders: readonly number[];
  /** Slices of each rank of the unit, as they told. */
  #slicesOf: readonly number[] = [];
  #relay: Beside | undefined;
  #forwarded: Dependency | undefined;
  /** Copies of tokens that this rank forwarded in each slice of the dispatch: as many come back. */
  readonly #forwardedTokens: number[] = [];
  /** By relay of this node and slice: places of the sets among those that were kept. */
  readonly #kept = new Map<number, number[][]>();
  #keptCount = 0;
  /** Sums for this rank's own tokens, by node. */
  readonly #sums = new Map<number, TokenSet[]>();

  constructor(exchange: RankExchange, half: number) {
    const { unit, rank } = exchange;
    const node = unit.nodeOf(rank);
    this.#exchange = exchange;
    this.#half = half;
    this.#home = unit.nodes[node]!;
    this.#neighbours = this.#home.filter((each) => each !== rank);
    this.#peers = unit.nodes
      .map((_, distance) => (node + distance) % unit.nodes.length)
      .slice(1)
      .map((other) => unit.relayOf(rank, other));
    this.#senders = [...unit.ranks.keys()].filter(
      (each) => unit.nodeOf(each) !== node && unit.relayOf(each, node) === rank,
    );
  }

  *sendDispatch(gate: Dependency): Program {
    const exchange = this.#exchange;
    const { shape, unit, rank } = exchange;
    const bytes = normalDispatchBytes(shape);
    const slices = sliceTokens(exchange.own, sliceSize(exchange.tokens));
    const byNode = exchange.groups("nodes", (each) => unit.nodeOf(each));
    const parts = slices.map((slice) => splitByGroup(slice, byNode));
    const { tokensOf, arriving } = yield* exchangeCounts({
      exchange,
      gate,
      sms: this.#half,
      peers: this.#peers,
      senders: this.#senders,
      neighbours: this.#neighbours,
      slicesTo: (peer) => parts.map((sets) => sets[unit.nodeOf(peer)]!.tokens.length),
      followedBy: [exchangeKernel("copy", bytes * entries(parts[0] ?? []))],
    });
    this.#slicesOf = tokensOf.map(sliceCount);
    const home = unit.nodeOf(rank);
    const remote = (sets: readonly TokenSet[]): number => entries(sets.filter((_, node) => node !== home));
    const sent = this.#pacedKernel("dispatch.send", [], {
      copied: parts.map((sets) => bytes * entries(sets)),
      sent: parts.map((sets) => bytes * remote(sets)),
    });
    for (const [slice, sets] of parts.entries()) {
      exchange.send<readonly TokenSet[]>({
        after: sent.kernel,
        at: sent.readyAt[slice]!,
        part: FIRST_OUT + slice,
        messages: this.#peers.map((to): Message<readonly TokenSet[]> => {
          const set = sets[unit.nodeOf(to)]!;
          return { to, bytes: bytes * set.tokens.length, content: [set] };
        }),
      });
    }
    const own = parts.map((sets, slice) => ({ sets: [sets[home]!], ready: readyAfter(sent, slice) }));
    this.#relay = exchange.beside("relay of dispatch", "forward", (relay) =>
      this.#forwardDispatch(relay, own, arriving),
    );
  }

  /** The forwarding half: each slice of all sources with this rank's index, to the GPUs of the node. */
  *#forwardDispatch(relay: Relay, own: readonly Slice[], arriving: readonly number[]): Program {
    const exchange = this.#exchange;
    const { shape, rank } = exchange;
    const bytes = normalDispatchBytes(shape);
    const byRank = exchange.groups("ranks of the node", (each) => this.#home.indexOf(each));
    const sliceTotal = this.#slicesThrough(rank);
    // Some GPU of the node needs each token.
    const copies = Array.from({ length: sliceTotal }, (_, slice) =>
      exchangeKernel("copy", bytes * ((arriving[slice] ?? 0) + entries(own[slice]?.sets ?? [])), 0),
    );
    for (let slice = 0; slice < sliceTotal; slice++) {
      const mine = own[slice];
      const from = this.#senders.filter((each) => this.#slicesOf[each]! > slice);
      const arrived = yield* relay.receive<readonly TokenSet[]>({
        from,
        part: FIRST_OUT + slice,
        least: copies.slice(slice, slice + 1),
        leastToEnd: copies.slice(slice),
        sms: this.#half,
        to: this.#neighbours,
      });
      const sets = [...arrived.messages.flatMap(({ content }) => content), ...(mine?.sets ?? [])];
      const split = sets.map((set) => splitByGroup(set, byRank));
      const forTarget = this.#home.map((_, target) =>
        split.map((parts) => parts[target]!).filter(({ tokens }) => tokens.length > 0),
      );
      const forwarded = exchange.kernel({
        name: "dispatch.forward",
        cost: [exchangeKernel("copy", bytes * entries(forTarget.flat()), 0)],
        after: mine === undefined ? [arrived] : [arrived, mine.ready],
        stream: "forward",
        sms: this.#half,
        resident: true,
      });
      exchange.send<readonly TokenSet[]>({
        after: forwarded,
        part: FIRST_FORWARD + slice,
        messages: this.#neighboursInTurn().map((to) => {
          const content = forTarget[this.#home.indexOf(to)]!;
          return { to, bytes: bytes * entries(content), content };
        }),
      });
      this.#keep(rank, forTarget[this.#home.indexOf(rank)]!);
      this.#forwardedTokens.push(entries(forTarget.flat()));
      this.#forwarded = forwarded;
    }
  }

  *receiveDispatch(): Program<Dependency> {
    const exchange = this.#exchange;
    yield* this.#joinRelay();
    const slices = Math.max(0, ...this.#neighbours.map((each) => this.#slicesThrough(each)));
    const arrivals = yield* this.#receiveSlices(slices, (slice) =>
      this.#neighbours.filter((each) => this.#slicesThrough(each) > slice),
    );
    for (const { messages } of arrivals) for (const { from, content } of messages) this.#keep(from, content);
    return this.#lastCopy("dispatch.receive", normalDispatchBytes(exchange.shape), arrivals);
  }

  /**
   * What came in each slice from `fromOf` it. Nothing is sent before all are there: so the last one is waited for first, which
   * promises the most.
   */
  *#receiveSlices(
    slices: number,
    fromOf: (slice: number) => readonly number[],
  ): Program<readonly Arrived<readonly TokenSet[]>[]> {
    const arrivals: Arrived<readonly TokenSet[]>[] = [];
    for (let slice = slices - 1; slice >= 0; slice--) {
      const receiving = { from: fromOf(slice), part: FIRST_FORWARD + slice };
      arrivals.unshift(yield* this.#exchange.receive<readonly TokenSet[]>(receiving));
    }
    return arrivals;
  }

  leastOfCombine(): CostSequence {
    return [exchangeKernel("copy", this.#bytesBack(0))];
  }

  /** What goes back through a relay in a slice. */
  #back(relay: number, slice: number): TokenSet[] {
    const { partials } = this.#exchange;
    return (this.#kept.get(relay)?.[slice] ?? []).map((place) => partials[place]!);
  }

  #bytesBack(slice: number): number {
    const bytes = normalCombineBytes(this.#exchange.shape);
    return this.#home.reduce((sum, relay) => sum + bytes * entries(this.#back(relay, slice)), 0);
  }

  *sendCombine(experts: Dependency): Program {
    const exchange = this.#exchange;
    const { rank } = exchange;
    const bytes = normalCombineBytes(exchange.shape);
    const slices = Math.max(0, ...this.#home.map((each) => this.#slicesThrough(each)));
    const copied = Array.from({ length: slices }, (_, slice) => this.#bytesBack(slice));
    const sent = this.#pacedKernel("combine.send", [experts], { copied, sent: [] });
    for (let slice = 0; slice < slices; slice++) {
      exchange.send<readonly TokenSet[]>({
        after: sent.kernel,
        at: sent.readyAt[slice]!,
        part: FIRST_OUT + slice,
        messages: this.#neighboursInTurn()
          .filter((to) => this.#slicesThrough(to) > slice)
          .map((to) => {
            const content = this.#back(to, slice);
            return { to, bytes: bytes * entries(content), content };
          }),
      });
    }
    const own = Array.from({ length: this.#slicesThrough(rank) }, (_, slice): Slice => {
      return { sets: this.#back(rank, slice), ready: readyAfter(sent, slice) };
    });
    this.#relay = exchange.beside("relay of combine", "forward", (relay) => this.#forwardCombine(relay, own));
  }

  /** The forwarding half: sums its node's rows for each source with this rank's index and sends one back. */
  *#forwardCombine(relay: Relay, own: readonly Slice[]): Program {
    const exchange = this.#exchange;
    const { rank, unit } = exchange;
    const bytes = normalCombineBytes(exchange.shape);
    // Of each slice as many rows come back as went.
    const copies = this.#forwardedTokens.map((tokens) => exchangeKernel("copy", bytes * tokens, 0));
    const sent: number[] = [];
    let first: Completion | undefined;
    for (const [slice, mine] of own.entries()) {
      const arrived = yield* relay.receive<readonly TokenSet[]>({
        from: this.#neighbours,
        part: FIRST_OUT + slice,
        least: copies.slice(slice, slice + 1),
        leastToEnd: copies.slice(slice),
        sms: this.#half,
        to: this.#senders,
      });
      const byRank = [...arrived.messages, { from: rank, content: mine.sets }].sort(
        (a, b) => a.from - b.from,
      );
      const sets = byRank.flatMap(({ content }) => content);
      const sumFor = (source: number): TokenSet[] => {
        const parts = sets.filter((set) => set.source === source);
        return parts.length === 0 ? [] : [exchange.sum(parts)];
      };
      const back = this.#senders
        .filter((source) => this.#slicesOf[source]! > slice)
        .map((to) => {
          const content = sumFor(to);
          return { to, bytes: bytes * entries(content), content };
        });
      // Sources have slices of their own sizes; the largest ones leave the fewest buffers.
      const largest = sliceSize(Math.max(0, ...back.map(({ content }) => entries(content))));
      const wait = this.#leastForCredit(sent, slice, largest);
      const credit: Dependency[] =
        first === undefined || wait === 0
          ? []
          : [{ at: after(first.at, wait as Duration), cause: { kind: "buffer", span: first.span } }];
      const forwarded = exchange.kernel({
        name: "combine.forward",
        cost: [exchangeKernel("copy", bytes * entries(sets), 0)],
        after: [arrived, mine.ready, ...credit],
        stream: "forward",
        sms: this.#half,
        resident: true,
      });
      first ??= forwarded;
      sent.push(back.reduce((sum, message) => sum + message.bytes, 0));
      exchange.send<readonly TokenSet[]>({ after: forwarded, part: FIRST_FORWARD + slice, messages: back });
      this.#sumsOfNode(unit.nodeOf(rank)).push(...sumFor(rank));
      this.#forwarded = forwarded;
    }
  }

  *receiveCombine(): Program<Dependency> {
    const exchange = this.#exchange;
    const { unit, rank } = exchange;
    yield* this.#joinRelay();
    const slices = this.#peers.length === 0 ? 0 : this.#slicesOf[rank]!;
    const arrivals = yield* this.#receiveSlices(slices, () => this.#peers);
    for (const { messages } of arrivals)
      for (const { from, content } of messages) this.#sumsOfNode(unit.nodeOf(from)).push(...content);
    for (const node of unit.nodes.keys()) exchange.acceptTokens(this.#sumsOfNode(node));
    return this.#lastCopy("combine.receive", normalCombineBytes(exchange.shape), arrivals);
  }

  /** Slices that a relay of this node forwards: the most of those whose tokens come through it. */
  #slicesThrough(relay: number): number {
    const { unit } = this.#exchange;
    const node = unit.nodeOf(relay);
    let most = 0;
    for (const [source, slices] of this.#slicesOf.entries()) {
      if (slices > most && unit.relayOf(source, node) === relay) most = slices;
    }
    return most;
  }

  /**
   * A kernel of the sending half that hands over slice by slice, as it has copied them, and as far as credits let it.
   */
  #pacedKernel(
    name: "dispatch.send" | "combine.send",
    dependsOn: readonly Dependency[],
    bytes: { readonly copied: readonly number[]; readonly sent: readonly number[] },
  ): Paced {
    const exchange = this.#exchange;
    const cost = (total: number): CostSequence => [exchangeKernel("copy", total)];
    const offsets: Duration[] = [];
    let copied = 0;
    for (const [slice, more] of bytes.copied.entries()) {
      copied += more;
      const cap = this.#leastForCredit(bytes.sent, slice, sliceSize(exchange.tokens));
      offsets.push(Math.max(exchange.durationOf(cost(copied), this.#half), cap) as Duration);
    }
    const kernel = exchange.kernel({
      name,
      cost: cost(copied),
      after: dependsOn,
      sms: this.#half,
      lasts: offsets.at(-1) ?? NO_TIME,
    });
    return { kernel, readyAt: offsets.map((offset) => after(kernel.start, offset)) };
  }

  /**
   * Credits in closed form, from the first slice on: one leaves no sooner than the one whose buffer it takes can have left
   * the NIC with all before it, and its credit come back. `sent`: bytes of the slices so far that cross the network.
   */
  #leastForCredit(sent: readonly number[], slice: number, tokensPerSlice: number): number {
    const buffered = Math.max(1, Math.floor(IN_FLIGHT_TOKENS / tokensPerSlice));
    const drained = sent.slice(0, Math.max(0, slice - buffered + 1)).reduce((sum, bytes) => sum + bytes, 0);
    return drained === 0 ? 0 : this.#exchange.leastUntilFreed(drained);
  }

  #keep(relay: number, sets: readonly TokenSet[]): void {
    this.#exchange.keepTokens(sets);
    let slices = this.#kept.get(relay);
    if (slices === undefined) this.#kept.set(relay, (slices = []));
    slices.push(sets.map(() => this.#keptCount++));
  }

  #sumsOfNode(node: number): TokenSet[] {
    let sums = this.#sums.get(node);
    if (sums === undefined) this.#sums.set(node, (sums = []));
    return sums;
  }

  /** Beginning with the next one, so that a node's ranks do not all aim at the first. */
  #neighboursInTurn(): readonly number[] {
    const { rank } = this.#exchange;
    return [
      ...this.#neighbours.filter((each) => each > rank),
      ...this.#neighbours.filter((each) => each < rank),
    ];
  }

  *#joinRelay(): Program {
    yield* this.#relay!.join();
  }

  /** The receiving SMs copy the last slice out of the buffers; earlier ones they have copied meanwhile. */
  #lastCopy(
    name: "dispatch.receive" | "combine.receive",
    bytes: number,
    arrivals: readonly Arrived<readonly TokenSet[]>[],
  ): Dependency {
    // A later slice may overtake an earlier one.
    const last = arrivals.reduce<Arrived<readonly TokenSet[]> | undefined>(
      (latest, arrived) => (latest !== undefined && latest.at > arrived.at ? latest : arrived),
      undefined,
    );
    const dependsOn = [last, this.#forwarded].filter((each) => each !== undefined);
    return this.#exchange.kernel({
      name,
      cost: [exchangeKernel("copy", bytes * tokensIn(last), 0)],
      after: dependsOn,
      sms: this.#half,
      resident: true,
    });
  }
}

function tokensIn(arrived: Arrived<readonly TokenSet[]> | undefined): number {
  return entries(arrived?.messages.flatMap(({ content }) => content) ?? []);
}

/** A slice of this rank's own, which its forwarding half takes from its sending half without a wire. */
interface Slice {
  readonly sets: readonly TokenSet[];
  readonly ready: Dependency;
}

function readyAfter({ kernel, readyAt }: Paced, slice: number): Dependency {
  return { at: readyAt[slice] ?? kernel.at, cause: kernel.cause };
}
