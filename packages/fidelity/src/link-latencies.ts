// 64 bytes from one end to the other of an empty network, through the emulated fabric itself: a sender, the process
// that plays the plane or the NVLink domain, and a receiver.

import { after, type Duration, NEVER, RUN_START, toMicroseconds } from "@windtunnel/base";
import { createNvlinkDomain, NVLINK_END_LATENCY } from "@windtunnel/gpu";
import {
  createFatTreePlane,
  FABRIC_EVENTS,
  FabricProcess,
  NETWORK_PROFILES,
  type NetworkProfile,
  ParcelTable,
  shipmentOf,
  type Topology,
} from "@windtunnel/network-plane";
import { noRecorder } from "@windtunnel/trace";
import { EventLoop, type LogicalProcess } from "@windtunnel/virtual-time";
import { currentConstants } from "./calibration/exchange-constants.ts";
import { comparedRow, type FidelityRow } from "./row.ts";

const BYTES = 64;
const [SENDER, RECEIVER, FABRIC] = [0, 1, 2];
const EXCHANGE = 0;
/** The kind of the event that the receiver asks for. */
const ARRIVED = 1;

/** Microseconds from handing over to notice, between ports 0 and 1. */
function latencyUs(topology: Topology, endLatency: Duration): number {
  const shipment = shipmentOf({ exchange: EXCHANGE, source: SENDER, sentAt: RUN_START, header: undefined }, [
    { target: RECEIVER, entryPort: 0, exitPort: 1, bytes: BYTES, body: undefined },
  ]);
  const sender: LogicalProcess = {
    start: (context) => {
      const time = after(RUN_START, endLatency);
      const common = { target: FABRIC, sentAt: RUN_START, time, size: BYTES };
      context.send({ ...common, kind: FABRIC_EVENTS.shipment, body: shipment });
    },
    handle: () => undefined,
  };
  let arrivedAt = NEVER;
  const receiver: LogicalProcess = {
    start: (context) => void context.expect(EXCHANGE, 1, ARRIVED),
    handle: (_, { now }) => void (arrivedAt = now),
  };
  const exitOf = (process: number): { process: number } => ({ process });
  const services = { recorder: noRecorder, parcels: new ParcelTable() };
  const fabric = new FabricProcess({ process: FABRIC, topology, endLatency, exitOf, ...services });
  const loop = new EventLoop({
    processes: new Map([sender, receiver, fabric].entries()),
    classes: {
      names: ["rank", "fabric"],
      latency: [
        [undefined, endLatency],
        [endLatency, undefined],
      ],
    },
    classOf: (process) => (process === FABRIC ? 1 : 0),
  });
  loop.start();
  loop.run();
  return toMicroseconds(arrivedAt);
}

function networkLatencyUs(network: NetworkProfile, nodesPerLeaf: number): number {
  const linkBytesPerSecond = currentConstants().nicBytesPerSecond;
  const topology = createFatTreePlane({
    plane: 0,
    nodes: 2,
    nodesPerLeaf,
    spines: 1,
    linkBytesPerSecond,
    network,
    routing: "static",
  });
  return latencyUs(topology, network.endLatency);
}

export function linkRows(nvlinkBytesPerSecond: number): FidelityRow[] {
  const { infiniband, roce } = NETWORK_PROFILES;
  const nvlink = latencyUs(createNvlinkDomain(0, 2, nvlinkBytesPerSecond), NVLINK_END_LATENCY);
  const figures: [string, number, number][] = [
    ["InfiniBand, same leaf", 2.8, networkLatencyUs(infiniband, 2)],
    ["InfiniBand, across leaves", 3.7, networkLatencyUs(infiniband, 1)],
    ["RoCE, same leaf", 3.6, networkLatencyUs(roce, 2)],
    ["RoCE, across leaves", 5.6, networkLatencyUs(roce, 1)],
    ["NVLink", 3.33, nvlink],
  ];
  return figures.map(([network, published, ours]) =>
    comparedRow("fitted", {
      quantity: `64 bytes end to end, ${network}`,
      published,
      ours,
      unit: "µs",
      decimals: 3,
      source: "ISCA'25 paper, table 5",
    }),
  );
}
