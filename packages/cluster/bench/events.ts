// Events in a second: the loop alone (timers without a body), and an all-to-all through a plane, where each parcel
// is an event for every link of its path, and each shipment and delivery is one too. The loop's digest and the bytes on
// the links are checked after every repetition.

import { type Duration, type Instant, invariant, RandomStream, RUN_START } from "@windtunnel/base";
import {
  createFatTreePlane,
  FABRIC_EVENTS,
  FabricProcess,
  NETWORK_PROFILES,
  type ParcelDraft,
  ParcelTable,
  shipmentOf,
  type Topology,
} from "@windtunnel/network-plane";
import { noRecorder } from "@windtunnel/trace";
import {
  type ClassGraph,
  EventLoop,
  type LogicalProcess,
  type ProcessContext,
} from "@windtunnel/virtual-time";
import { type BenchRow, median, secondsOf } from "./bench-row.ts";

export interface EventBenchOptions {
  readonly rankCount: number;
  /** All-to-alls, one after another. */
  readonly exchanges: number;
  readonly timerEvents: number;
  readonly repetitions: number;
}

const DEFAULTS: EventBenchOptions = { rankCount: 64, exchanges: 100, timerEvents: 500_000, repetitions: 5 };
const SEED = 3;
const NODES_PER_LEAF = 16;
const SPINES = 16;
const LINK_BYTES_PER_SECOND = 50e9;
const LARGEST_PARCEL_BYTES = 60_000;
/** Far enough apart that the heap holds one exchange at a time, as between the phases of a step. */
const EXCHANGE_PICOSECONDS = 1e9;
const TIMER_KIND = 1;
const ARRIVED = 2;
const LONGEST_TIMER_PICOSECONDS = 1e6;

export function benchEvents(options: EventBenchOptions = DEFAULTS): BenchRow[] {
  return [benchTimers(options), benchAllToAll(options)];
}

interface Repetition {
  readonly events: number;
  readonly seconds: number;
  readonly digests: string;
}

/** Repeats from the start, the first time to warm up; every repetition must handle the same events. */
function repeat(repetitions: number, run: () => { loop: EventLoop; check: () => void }): Repetition {
  const seconds: number[] = [];
  let first: { events: number; digests: string } | undefined;
  for (let repetition = -1; repetition < repetitions; repetition++) {
    const { loop, check } = run();
    const took = secondsOf(() => {
      loop.start();
      loop.run();
    });
    check();
    const digests = [...loop.digests().values()].join();
    first ??= { events: loop.eventCount, digests };
    invariant(digests === first.digests, "a repetition handles other events than the first");
    if (repetition >= 0) seconds.push(took);
  }
  return { ...first!, seconds: median(seconds) };
}

/** Every rank has a timer; each event draws the next one. */
function benchTimers({ rankCount, timerEvents, repetitions }: EventBenchOptions): BenchRow {
  const perRank = Math.floor(timerEvents / rankCount);
  const { events, seconds } = repeat(repetitions, () => {
    const processes = new Map<number, LogicalProcess>();
    for (let rank = 0; rank < rankCount; rank++) processes.set(rank, timers(rank, perRank));
    const classes: ClassGraph = {
      names: ["rank", "other"],
      latency: [
        [undefined, undefined],
        [undefined, undefined],
      ],
    };
    return { loop: new EventLoop({ processes, classes, classOf: () => 0 }), check: () => undefined };
  });
  invariant(events === perRank * rankCount, `${events} timer events instead of ${perRank * rankCount}`);
  return {
    name: "Event loop alone",
    work: { processes: rankCount, events },
    seconds,
    rates: { "events/s": events / seconds },
    notes: ["timers without a body; the order of all is drawn"],
  };
}

function timers(rank: number, count: number): LogicalProcess {
  const random = new RandomStream(SEED, `event bench, rank ${rank}`);
  const next = (context: ProcessContext, left: number): void => {
    const at = context.now + 1 + random.below(LONGEST_TIMER_PICOSECONDS);
    context.sendSelf(at as Instant, TIMER_KIND, left);
  };
  return {
    start: (context) => next(context, count - 1),
    handle: (event, context) => {
      if (event.argument > 0) next(context, event.argument - 1);
    },
  };
}

function benchAllToAll(options: EventBenchOptions): BenchRow {
  const { rankCount, exchanges, repetitions } = options;
  const network = NETWORK_PROFILES.infiniband;
  const topology = createFatTreePlane({
    plane: 0,
    nodes: rankCount,
    nodesPerLeaf: NODES_PER_LEAF,
    spines: SPINES,
    linkBytesPerSecond: LINK_BYTES_PER_SECOND,
    network,
  });
  const parcels = Array.from({ length: rankCount }, (_, source) => drawParcels(source, rankCount));
  const expected = bytesByLink(topology, parcels, exchanges);
  const { events, seconds } = repeat(repetitions, () => {
    const { loop, plane, arrived } = allToAll(topology, parcels, exchanges);
    return {
      loop,
      check: () => {
        const total = exchanges * rankCount * (rankCount - 1);
        invariant(arrived() === total, `${arrived()} parcels of ${total} arrived`);
        for (const [link, bytes] of plane.links.bytes.entries()) {
          invariant(
            bytes === expected[link],
            `${bytes} bytes on ${plane.links.names[link]} of ${expected[link]}`,
          );
        }
      },
    };
  });
  const messages = exchanges * rankCount * (rankCount - 1);
  const linkEvents = parcels.flat().reduce((sum, parcel) => sum + hops(topology, parcel), 0) * exchanges;
  return {
    name: `All-to-all of ${rankCount} ranks through one fat-tree plane`,
    work: {
      exchanges,
      messages,
      "hops over links": linkEvents,
      events,
      "bytes over links": expected.reduce((sum, bytes) => sum + bytes, 0),
    },
    seconds,
    rates: { "events/s": events / seconds, "messages/s": messages / seconds, "hops/s": linkEvents / seconds },
    notes: [
      "the first hop of a message happens in its shipment's event",
      "the bytes on every link are as drawn",
    ],
  };
}

function hops(topology: Topology, { entryPort, exitPort }: ParcelDraft): number {
  return topology.pathOf(entryPort, exitPort).length;
}

/** From one rank to each other one, of drawn sizes. */
function drawParcels(source: number, rankCount: number): ParcelDraft[] {
  const random = new RandomStream(SEED, `event bench, parcels of ${source}`);
  const targets = Array.from({ length: rankCount }, (_, rank) => rank).filter((rank) => rank !== source);
  return targets.map((target) => ({
    target,
    entryPort: source,
    exitPort: target,
    bytes: 1 + random.below(LARGEST_PARCEL_BYTES),
    body: undefined,
  }));
}

/** What every link must have carried: each parcel once over each link of its path. */
function bytesByLink(
  topology: Topology,
  parcels: readonly (readonly ParcelDraft[])[],
  exchanges: number,
): Float64Array {
  const bytes = new Float64Array(topology.links.length);
  for (const parcel of parcels.flat()) {
    for (const link of topology.pathOf(parcel.entryPort, parcel.exitPort))
      bytes[link]! += parcel.bytes * exchanges;
  }
  return bytes;
}

function allToAll(
  topology: Topology,
  parcels: readonly (readonly ParcelDraft[])[],
  exchanges: number,
): { loop: EventLoop; plane: FabricProcess; arrived: () => number } {
  const network = NETWORK_PROFILES.infiniband;
  const rankCount = parcels.length;
  const table = new ParcelTable();
  const plane = new FabricProcess({
    process: rankCount,
    topology,
    endLatency: network.endLatency,
    exitOf: (target) => ({ process: target }),
    recorder: noRecorder,
    parcels: table,
  });
  const shipments = parcels.map((each, source) => {
    return shipmentOf({ exchange: 0, source, sentAt: RUN_START, header: undefined }, each);
  });
  let arrived = 0;
  const processes = new Map<number, LogicalProcess>([[rankCount, plane]]);
  for (let rank = 0; rank < rankCount; rank++) {
    processes.set(rank, {
      start: (context) => context.sendSelf(context.now, TIMER_KIND, 0),
      handle: (event, context) => {
        const exchange = event.argument;
        if (event.kind === ARRIVED) {
          const parts = context.gathered(exchange);
          arrived += parts.count;
          for (let part = 0; part < parts.count; part++) table.free(parts.slotOf(part));
          context.forget(exchange);
          return;
        }
        context.expect(exchange, rankCount - 1, ARRIVED);
        const sentAt = context.now;
        const shipment = { ...shipments[rank]!, exchange, sentAt };
        const time = (sentAt + network.endLatency) as Instant;
        context.send({
          target: rankCount,
          kind: FABRIC_EVENTS.shipment,
          sentAt,
          time,
          size: 0,
          body: shipment,
        });
        const next = (sentAt + EXCHANGE_PICOSECONDS) as Instant;
        if (exchange + 1 < exchanges) context.sendSelf(next, TIMER_KIND, exchange + 1);
      },
    });
  }
  const fromPlane = (network.endLatency + network.linkLatency) as Duration;
  const classes: ClassGraph = {
    names: ["rank", "plane"],
    latency: [
      [undefined, network.endLatency],
      [fromPlane, undefined],
    ],
  };
  const loop = new EventLoop({ processes, classes, classOf: (process) => (process === rankCount ? 1 : 0) });
  return { loop, plane, arrived: () => arrived };
}
