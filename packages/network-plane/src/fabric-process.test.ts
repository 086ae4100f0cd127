import { type Instant, microseconds, NEVER, RandomStream, RUN_START } from "@windtunnel/base";
import { noRecorder } from "@windtunnel/trace";
import {
  type ClassGraph,
  EventDigest,
  EventLoop,
  type GatheredParts,
  kindOfKey,
  type LogicalProcess,
  type ProcessContext,
  type ProcessEvent,
  sourceOfKey,
} from "@windtunnel/virtual-time";
import { describe, expect, test } from "vitest";
import {
  createFatTreePlane,
  type Exit,
  type ArrivedParcel,
  FABRIC_EVENTS,
  FabricProcess,
  LinkTable,
  NETWORK_PROFILES,
  ParcelTable,
  shipmentOf,
  type Routing,
} from "./index.ts";

import { EXIT_PORT, NEXT_LINK, WORDS } from "./parcel-table.ts";
import { plainArrivals } from "./test-support/plain-fabric.ts";

const network = NETWORK_PROFILES.infiniband;
/** The kind of the event that a port asks for. */
const ARRIVED = 1;
const BYTES_PER_SECOND = 50e9; // 20 ps a byte

interface Flow {
  readonly from: number;
  readonly to: number;
  readonly bytes: number;
  readonly at: number;
}

/** Runs flows over one plane of `nodes` ports; gives each flow's delivery and instant. */
function runFlows(
  flows: readonly Flow[],
  nodes: number,
  nodesPerLeaf: number,
  overrides: Record<string, { bandwidth: number }> = {},
  routing: Routing = "static",
  spines: number = 2,
): { arrivals: { at: Instant; delivery: ArrivedParcel }[]; plane: FabricProcess } {
  const topology = createFatTreePlane({
    plane: 0,
    nodes,
    nodesPerLeaf,
    spines,
    linkBytesPerSecond: BYTES_PER_SECOND,
    network,
    routing,
  });
  const parcels = new ParcelTable({ keepsHistory: true });
  const plane = new FabricProcess({
    process: nodes,
    topology,
    overrides,
    endLatency: network.endLatency,
    exitOf: (target) => ({ process: target }),
    recorder: noRecorder,
    parcels,
  });
  const arrivals: { at: Instant; delivery: ArrivedParcel }[] = [];
  const port = (number: number): LogicalProcess => ({
    start: (context) => {
      context.expect(0, flows.filter(({ to }) => to === number).length, ARRIVED);
      for (const [index, flow] of flows.entries()) {
        if (flow.from !== number) continue;
        const parcel = {
          target: flow.to,
          entryPort: flow.from,
          exitPort: flow.to,
          bytes: flow.bytes,
          body: index,
        };
        const sentAt = flow.at as Instant;
        context.send({
          target: nodes,
          kind: FABRIC_EVENTS.shipment,
          sentAt,
          time: (flow.at + network.endLatency) as Instant,
          size: flow.bytes,
          body: shipmentOf({ exchange: 0, source: number, sentAt, header: undefined }, [parcel]),
        });
      }
    },
    handle: (_, context) => {
      for (const slot of slotsOf(context.gathered(0))) {
        const delivery = {} as ArrivedParcel;
        parcels.read(slot, delivery);
        arrivals[parcels.bodyOf(slot) as number] = { at: delivery.arrivedAt, delivery };
      }
    },
  });
  const processes = new Map<number, LogicalProcess>([[nodes, plane]]);
  for (let number = 0; number < nodes; number++) processes.set(number, port(number));
  const classes: ClassGraph = {
    names: ["rank", "plane"],
    latency: [
      [undefined, network.endLatency],
      [network.endLatency, undefined],
    ],
  };
  const loop = new EventLoop({ processes, classes, classOf: (number) => (number === nodes ? 1 : 0) });
  loop.start();
  loop.run();
  return { arrivals, plane };
}

describe("a plane", () => {
  test("takes the published 2.8 µs inside a leaf and 3.7 µs across, plus the bytes once (cut-through)", () => {
    const { arrivals } = runFlows(
      [
        { from: 0, to: 1, bytes: 64, at: 0 },
        { from: 2, to: 1, bytes: 64, at: 5e6 },
        { from: 0, to: 3, bytes: 1_000_000, at: 10e6 },
      ],
      4,
      2,
    );
    // 64 bytes at 20 ps are 1,280 ps.
    expect(arrivals[0]!.at).toBe(2.8e6 + 1280);
    expect(arrivals[1]!.at).toBe(5e6 + 3.7e6 + 1280);
    // A megabyte takes 20 µs once, not once a link.
    expect(arrivals[2]!.at).toBe(10e6 + 3.7e6 + 20e6);
    expect(arrivals[2]!.delivery).toMatchObject({ queued: 0, transfer: 20e6, source: 0 });
  });

  test("serves parcels for one port in order, and says where they queued", () => {
    const { arrivals, plane } = runFlows(
      [
        { from: 0, to: 2, bytes: 1000, at: 0 },
        { from: 1, to: 2, bytes: 1000, at: 1 },
      ],
      3,
      4,
    );
    expect(arrivals[0]!.at).toBe(2.8e6 + 20_000);
    expect(arrivals[1]!.at).toBe(2.8e6 + 40_000);
    const { delivery } = arrivals[1]!;
    expect(delivery.queued).toBe(19_999);
    expect(plane.links.names[delivery.limitingLink]).toBe("plane 0 / leaf 0 > node 2");
  });

  test("a cable at half its bandwidth limits what crosses it, in either position of the path", () => {
    const slow = { "plane 0 / leaf 0 - spine 1": { bandwidth: 0.5 } };
    const { arrivals, plane } = runFlows([{ from: 0, to: 3, bytes: 100_000, at: 0 }], 4, 2, slow);
    // Four links: the second takes 4 µs for its bytes and holds back the last two.
    expect(arrivals[0]!.at).toBe(3.7e6 + 4e6);
    expect(plane.links.names[arrivals[0]!.delivery.limitingLink]).toBe("plane 0 / leaf 0 > spine 1");
  });

  test("carries every byte over every link of its path, once, and never faster than a link allows", () => {
    const random = new RandomStream(5, "flows");
    const flows = Array.from({ length: 400 }, (): Flow => {
      const from = random.below(8);
      return {
        from,
        to: (from + 1 + random.below(7)) % 8,
        bytes: 1 + random.below(90_000),
        at: random.below(3e7),
      };
    });
    const { arrivals, plane } = runFlows(flows, 8, 2);
    expect(plane.traffic).toEqual({
      bytes: flows.reduce((sum, { bytes }) => sum + bytes, 0),
      messages: 400,
      linkEvents: expect.any(Number),
    });
    for (let node = 0; node < 8; node++) {
      const into = flows.filter(({ to }) => to === node);
      const link = plane.links.names.findIndex((name) => name.endsWith(`> node ${node}`));
      expect(plane.links.bytes[link]).toBe(into.reduce((sum, { bytes }) => sum + bytes, 0));
    }
    for (const [index, { bytes, at, from, to }] of flows.entries()) {
      const least = (from >> 1 === to >> 1 ? 2.8e6 : 3.7e6) + bytes * 20;
      const { at: arrived, delivery } = arrivals[index]!;
      expect(arrived - at).toBeGreaterThanOrEqual(least);
      // Waiting accounts for the rest, up to the tails that a busy link holds back.
      expect(arrived - at - least).toBeLessThanOrEqual(delivery.queued);
    }
  });

  test("refuses links without bandwidth and leaves without a spine", () => {
    const link = { name: "a > b", cable: "a - b", bytesPerSecond: 0, latency: microseconds(1) };
    expect(() => new LinkTable([link])).toThrow(/above zero/);
    const options = { plane: 2, nodes: 4, nodesPerLeaf: 2, spines: 0, linkBytesPerSecond: 1e9, network };
    expect(() => createFatTreePlane(options)).toThrow(/plane 2 has 2 leaves and no spine/);
    expect(RUN_START).toBe(0);
  });
});

describe("routing", () => {
  // Every node of one leaf sends a megabyte to its counterpart under the other: four flows, four spines.
  const flows = [0, 1, 2, 3].map((from): Flow => ({ from, to: 4 + from, bytes: 1_000_000, at: 0 }));
  const makespan = (routing: Routing): number =>
    Math.max(...runFlows(flows, 8, 4, {}, routing, 4).arrivals.map(({ at }) => at));

  test("static and adaptive give each of four flows a spine of its own; a hash lets some collide", () => {
    const alone = 3.7e6 + 20e6;
    expect(makespan("static")).toBe(alone);
    expect(makespan("adaptive")).toBe(alone);
    expect(makespan("ecmp")).toBeGreaterThanOrEqual(alone + 20e6);
  });

  test("adaptive goes around a port that is busy, static queues behind it", () => {
    // Both flows to node 4 and to node 8 would take spine 0.
    const pair: Flow[] = [
      { from: 0, to: 4, bytes: 1_000_000, at: 0 },
      { from: 1, to: 8, bytes: 1_000_000, at: 1000 },
    ];
    const [, fixed] = runFlows(pair, 12, 4, {}, "static", 4).arrivals;
    const [, adapted] = runFlows(pair, 12, 4, {}, "adaptive", 4).arrivals;
    expect(fixed!.delivery.queued).toBe(20e6 - 1000);
    expect(adapted!.delivery.queued).toBe(0);
  });

  test("carries every byte to its port whatever the routing", () => {
    const random = new RandomStream(12, "routing");
    const drawn = Array.from({ length: 300 }, (): Flow => {
      const from = random.below(16);
      return {
        from,
        to: (from + 1 + random.below(15)) % 16,
        bytes: 1 + random.below(50_000),
        at: random.below(1e7),
      };
    });
    for (const routing of ["static", "ecmp", "adaptive"] as const) {
      const { arrivals, plane } = runFlows(drawn, 16, 4, {}, routing, 3);
      expect(arrivals.filter((arrival) => arrival !== undefined)).toHaveLength(300);
      const into = plane.links.names.flatMap((name, link) =>
        /leaf \d+ > node/.test(name) ? [plane.links.bytes[link]!] : [],
      );
      expect(into.reduce((sum, bytes) => sum + bytes, 0)).toBe(
        drawn.reduce((sum, { bytes }) => sum + bytes, 0),
      );
    }
  });
});

test("handles what other fabrics hand over in the total order, in whatever order and lane it comes", () => {
  const random = new RandomStream(8, "handovers");
  const topology = createFatTreePlane({
    plane: 0,
    nodes: 4,
    nodesPerLeaf: 4,
    spines: 1,
    linkBytesPerSecond: BYTES_PER_SECOND,
    network,
  });
  const parcels = new ParcelTable();
  const plane = new FabricProcess({
    process: 9,
    topology,
    endLatency: network.endLatency,
    exitOf: (target) => ({ process: target }),
    recorder: noRecorder,
    parcels,
  });
  const parcel = { target: 1, entryPort: 0, exitPort: 1, bytes: 1, body: undefined };
  const common = { exchange: 0, source: 0, sentAt: RUN_START, header: undefined };
  const handedOver = Array.from({ length: 3000 }, (_, sequence) => {
    const slot = parcels.put(shipmentOf(common, [parcel]), RUN_START)[0]!;
    const [time, source, lane] = [random.below(500), random.below(4), random.below(3)];
    parcels.arrive(slot, time as Instant);
    parcels.memory.words[slot * WORDS + NEXT_LINK] = parcel.entryPort;
    parcels.memory.words[slot * WORDS + EXIT_PORT] = parcel.exitPort;
    plane.take(slot, lane, source, sequence);
    return { time, source, sequence };
  });
  const handovers: { time: number; source: number; sequence: number }[] = [];
  const times: number[] = [];
  const delivered = new Set<number>();
  const context = {
    now: RUN_START,
    latencyTo: () => network.endLatency,
    isHere: () => true,
    handPart: ({ slot }: { slot: number }) => delivered.add(slot),
  };
  plane.runBefore(
    NEVER,
    Number.MAX_SAFE_INTEGER,
    context as unknown as ProcessContext,
    new EventDigest(),
    (time, rank, sequence) => {
      times.push(time);
      if (kindOfKey(rank) === FABRIC_EVENTS.handover)
        handovers.push({ time, source: sourceOfKey(rank), sequence });
    },
  );
  const inOrder = handedOver.toSorted(
    (a, b) => a.time - b.time || a.source - b.source || a.sequence - b.sequence,
  );
  expect(handovers).toEqual(inOrder);
  expect(times).toEqual(times.toSorted((a, b) => a - b));
  expect(times).toHaveLength(6000);
  expect(delivered.size).toBe(3000);
});

test("refuses what another fabric of its host hands over too late", () => {
  const parcels = new ParcelTable();
  const fabric = (process: number, exit: Exit): FabricProcess => {
    const shape = { plane: 0, nodes: 4, nodesPerLeaf: 4, spines: 1 };
    const topology = createFatTreePlane({ ...shape, linkBytesPerSecond: BYTES_PER_SECOND, network });
    const common = { overrides: {}, endLatency: network.endLatency, recorder: noRecorder, parcels };
    return new FabricProcess({ process, topology, exitOf: () => exit, ...common });
  };
  const second = fabric(9, { process: 1 });
  const first = fabric(8, { process: 9, onward: { entryPort: 1, exitPort: 2 } });
  const least = (): number => network.linkLatency;
  const stub = { now: RUN_START, latencyTo: least, isHere: () => true, handPart: () => undefined };
  const context = stub as unknown as ProcessContext;
  const body = shipmentOf({ exchange: 0, source: 0, sentAt: RUN_START, header: undefined }, [
    { target: 2, entryPort: 0, exitPort: 1, bytes: 1000, body: undefined },
  ]);
  const event = { kind: FABRIC_EVENTS.shipment, body } as ProcessEvent;
  const run = (each: FabricProcess, end: number): void =>
    each.runBefore(end, 1000, context, new EventDigest(), undefined);
  run(second, 1000);
  first.handle(event, context);
  run(first, NEVER);
  expect(second.earliestTime).toBeGreaterThan(1000);
  run(second, second.earliestTime);
  first.handle(event, context);
  run(second, second.earliestTime * 2);
  expect(() => run(first, NEVER)).toThrow(/for process 9 arrived below the bound/);
});

test.each([1e12, Number.NaN])("refuses a handover sooner than the class graph states: %d ps", (least) => {
  const parcels = new ParcelTable();
  const shape = { plane: 0, nodes: 4, nodesPerLeaf: 4, spines: 1 };
  const topology = createFatTreePlane({ ...shape, linkBytesPerSecond: BYTES_PER_SECOND, network });
  const common = { topology, endLatency: network.endLatency, recorder: noRecorder, parcels };
  const exits: readonly Exit[] = [{ process: 9, onward: { entryPort: 1, exitPort: 2 } }, { process: 1 }];
  const [first] = exits.map((exit, index) => {
    return new FabricProcess({ process: 8 + index, exitOf: () => exit, ...common });
  });
  const body = shipmentOf({ exchange: 0, source: 0, sentAt: RUN_START, header: undefined }, [
    { target: 2, entryPort: 0, exitPort: 1, bytes: 1000, body: undefined },
  ]);
  const context = { now: RUN_START, latencyTo: () => least } as unknown as ProcessContext;
  first!.handle({ kind: FABRIC_EVENTS.shipment, body } as ProcessEvent, context);
  expect(() => first!.runBefore(NEVER, 1000, context, new EventDigest(), undefined)).toThrow(
    /hands a parcel to process 9 in \d+ ps: that takes at least/,
  );
});

describe("the plain twin", () => {
  const fresh = Number(process.env["WINDTUNNEL_TEST_SEED"] ?? process.pid);
  test.each(
    [21, fresh].flatMap((seed) =>
      (["static", "ecmp", "adaptive"] as const).map((routing) => [seed, routing] as const),
    ),
  )("says the same of every parcel and every link (WINDTUNNEL_TEST_SEED=%i, %s)", (seed, routing) => {
    const random = new RandomStream(seed, "twin");
    const [nodes, nodesPerLeaf, spines] = [12, 4, 3];
    // Bursts at few instants, so that links are busy and ties are frequent.
    const flows = Array.from({ length: 600 }, (): Flow => {
      const from = random.below(nodes);
      const to = (from + 1 + random.below(nodes - 1)) % nodes;
      return { from, to, bytes: 1000 * (1 + random.below(40)), at: 2e5 * random.below(12) };
    }).toSorted((a, b) => a.from - b.from);
    const { arrivals, plane } = runFlows(flows, nodes, nodesPerLeaf, {}, routing, spines);
    const topology = createFatTreePlane({
      plane: 0,
      nodes,
      nodesPerLeaf,
      spines,
      linkBytesPerSecond: BYTES_PER_SECOND,
      network,
      routing,
    });
    const parcels = flows.map(({ from, to, bytes, at }) => ({
      source: from,
      target: to,
      entryPort: from,
      exitPort: to,
      bytes,
      entersAt: at + network.endLatency,
    }));
    const plain = plainArrivals(topology, parcels, network.endLatency);
    expect(
      arrivals.map(({ at, delivery }) => {
        const { queued, portQueued, transfer, slowestLink, limitingLink } = delivery;
        return { arrivedAt: at, queued, portQueued, transfer, slowestLink, limitingLink };
      }),
    ).toEqual(plain.arrivals);
    expect(plane.links.bytes).toEqual(plain.linkBytes);
  });
});

function slotsOf(parts: GatheredParts): number[] {
  return Array.from({ length: parts.count }, (_, part) => parts.slotOf(part));
}
