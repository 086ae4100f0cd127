// The contention model `trains`: a flow leaves in trains, which move event by event, hop by hop. A train enters a link
// when its head is there and the link is free, first in, first out; its head goes on at once, its tail when it may
// (cut-through, as in `FabricProcess`). A source sends the trains of its flows in turn, and a flow its next train when
// the one before is at its target: that is all the congestion control there is, and it shares links nearly fairly.
// Latency passes before a flow's first train starts, that of its whole path, as in `fluid`. Paid hop by hop it would
// cost a sender, who is busy with one train at a time, the difference between near and far targets once more.
// Invariant: every link carries the bytes of its flows; a flow ends when the tail of its last train is there.

import {
  after,
  checkedInstant,
  type Instant,
  nanoseconds,
  PICOSECONDS_PER_NANOSECOND,
  RUN_START,
} from "@windtunnel/base";
import {
  EventLoop,
  type LogicalProcess,
  type ProcessContext,
  type ProcessEvent,
} from "@windtunnel/virtual-time";
import { sendingOrder, trainBytes, trainCounts } from "./flow-cutting.ts";
import { FlowTurns } from "./flow-turns.ts";
import { LinkTable } from "./links.ts";
import type { PlaneFlow, PlaneFlows, PlaneOutcome } from "./plane-flows.ts";
import type { Topology } from "./topology.ts";

const PLANE = 0;

/** Event kinds, which order the events of an instant: a source chooses when all that happens then is known. */
const EVENTS = {
  /** The head of a flow's train is at its next link. */
  hop: 1,
  /** Flows have waited for the latency of their paths. */
  begin: 2,
  /** A flow's train is at its target. */
  through: 3,
  /** A source's link may take its next train. */
  free: 4,
} as const;

/** The flows of one plane, through one logical process. Throws "time-exhausted" beyond 2^53 ps. */
export function runTrains({ topology, nodes, flows }: PlaneFlows): PlaneOutcome {
  const order = sendingOrder(flows, nodes);
  const plane = new FlowTrains(
    topology,
    order.map((index) => flows[index]!),
  );
  const loop = new EventLoop({
    processes: new Map([[PLANE, plane]]),
    classes: { names: ["plane"], latency: [[undefined]] },
    classOf: () => PLANE,
  });
  loop.start();
  loop.run();
  const finishNs = new Float64Array(flows.length);
  for (const [place, index] of order.entries()) finishNs[index] = plane.finishNs[place]!;
  return { finishNs, linkBytes: plane.links.bytes };
}

class FlowTrains implements LogicalProcess {
  readonly links: LinkTable;
  readonly finishNs: Float64Array;
  readonly #reroute: Topology["reroute"];
  /** In the order in which a source sends them. */
  readonly #flows: readonly PlaneFlow[];
  readonly #trainCounts: Int32Array;
  readonly #sentCounts: Int32Array;
  readonly #turns: FlowTurns;
  /** The flows that begin at an instant. */
  readonly #beginning = new Map<Instant, number[]>();
  /** Whether a link that flows enter first is in use. */
  readonly #isSending: Uint8Array;
  /** Each flow has one train on its way at most: its path, hop, bytes, and when its tail left the hop before. */
  readonly #path: (readonly number[])[] = [];
  readonly #hop: Uint8Array;
  readonly #bytes: Float64Array;
  readonly #tailAt: Float64Array;

  constructor({ links, reroute }: Topology, flows: readonly PlaneFlow[]) {
    this.links = new LinkTable(links);
    this.finishNs = new Float64Array(flows.length).fill(Number.NaN);
    this.#reroute = reroute;
    this.#flows = flows;
    this.#trainCounts = trainCounts(flows, links);
    this.#sentCounts = new Int32Array(flows.length);
    this.#isSending = new Uint8Array(links.length);
    this.#hop = new Uint8Array(flows.length);
    this.#bytes = new Float64Array(flows.length);
    this.#tailAt = new Float64Array(flows.length);
    const firstLinks = new Int32Array(flows.length);
    for (let flow = 0; flow < flows.length; flow++) {
      const { path, startNs } = flows[flow]!;
      firstLinks[flow] = path[0]!;
      this.#path.push(path);
      let at = after(RUN_START, nanoseconds(startNs));
      for (const link of path) at = after(at, links[link]!.latency);
      const together = this.#beginning.get(at);
      if (together === undefined) this.#beginning.set(at, [flow]);
      else together.push(flow);
    }
    this.#turns = new FlowTurns(firstLinks);
  }

  start(context: ProcessContext): void {
    for (const at of this.#beginning.keys()) context.sendSelf(at, EVENTS.begin, 0);
  }

  handle({ kind, argument }: ProcessEvent, context: ProcessContext): void {
    if (kind === EVENTS.hop) this.#enterLink(argument, context);
    else if (kind === EVENTS.through) this.#join(argument, context);
    else if (kind === EVENTS.free) this.#sendFrom(argument, context);
    else for (const flow of this.#beginning.get(context.now)!) this.#join(flow, context);
  }

  /** A flow has a train to send; an idle link is told. */
  #join(flow: number, context: ProcessContext): void {
    this.#turns.add(flow);
    const link = this.#flows[flow]!.path[0]!;
    if (this.#isSending[link] === 1) return;
    this.#isSending[link] = 1;
    context.sendSelf(context.now, EVENTS.free, link);
  }

  #sendFrom(link: number, context: ProcessContext): void {
    const flow = this.#turns.take(link);
    if (flow === undefined) {
      this.#isSending[link] = 0;
      return;
    }
    const { bytes, path } = this.#flows[flow]!;
    const train = this.#sentCounts[flow]!;
    this.#sentCounts[flow] = train + 1;
    this.#bytes[flow] = trainBytes(bytes, this.#trainCounts[flow]!, train);
    this.#path[flow] = path;
    this.#hop[flow] = 0;
    this.#tailAt[flow] = context.now;
    this.#enterLink(flow, context);
    context.sendSelf(checkedInstant(this.links.freeAt[link]!), EVENTS.free, link);
  }

  /** The head of a flow's train is at the next link of its path. */
  #enterLink(flow: number, context: ProcessContext): void {
    const hop = this.#hop[flow]!;
    if (hop === 1 && this.#reroute !== undefined) {
      this.#path[flow] = this.#reroute(this.#path[flow]!, this.links);
    }
    const path = this.#path[flow]!;
    const link = path[hop]!;
    const start = this.links.occupy(link, this.#bytes[flow]!, context.now, this.#tailAt[flow]!);
    const end = checkedInstant(this.links.freeAt[link]!);
    this.#hop[flow] = hop + 1;
    this.#tailAt[flow] = end;
    if (hop + 1 < path.length) context.sendSelf(start as Instant, EVENTS.hop, flow);
    else if (this.#sentCounts[flow]! < this.#trainCounts[flow]!) context.sendSelf(end, EVENTS.through, flow);
    else this.finishNs[flow] = end / PICOSECONDS_PER_NANOSECOND;
  }
}
