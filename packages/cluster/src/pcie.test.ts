// PCIe inside nodes: the published latencies stay the sum, bytes still cross all links at once, and what else a GPU
// moves to host memory slows its RDMA messages.

import { tmpdir } from "node:os";
import { after, type Instant } from "@windtunnel/base";
import { HARDWARE_PROFILES } from "@windtunnel/gpu";
import { FABRIC_EVENTS, nodePorts, ParcelTable, shipmentOf } from "@windtunnel/network-plane";
import { noRecorder } from "@windtunnel/trace";
import { EventLoop, type GatheredParts, type LogicalProcess } from "@windtunnel/virtual-time";
import { describe, expect, test } from "vitest";
import { createFabric } from "./create-processes.ts";
import { type PreparedRun, prepareRun } from "./prepare-run.ts";
import { classIndices, classOf } from "./process-numbers.ts";
import { resolveScenario } from "./scenario/index.ts";
import { classGraph, routeFrom } from "./wiring.ts";

/** The kind of the event that a rank asks for. */
const ARRIVED = 1;
const GPUS = 4;
const NICS = 4;
/** Bytes per second, as the profile has them; less than PCIe's 55 GB/s on a NIC. */
const { nvlinkBytesPerSecond: NVLINK, nics } = HARDWARE_PROFILES.get("h800")!;
const NIC = nics!.bytesPerSecond;

function prepared(fabric: object, overrides: object = {}, nvlinkForDispatch = true): PreparedRun {
  const scenario = {
    model: { preset: "v3-small" },
    math: "skip",
    cluster: { nodes: 3, gpusPerNode: GPUS, fabric: { planes: NICS, nodesPerLeaf: 2, ...fabric } },
    parallelism: { expertParallel: 1 },
    run: { nvlinkForDispatch },
    overrides: { links: overrides },
  };
  return prepareRun(resolveScenario(scenario, { folder: tmpdir() }));
}

interface Sent {
  readonly from: number;
  /** A rank; missing: the host memory of the sender's node. */
  readonly to?: number;
  readonly bytes: number;
  readonly at?: number;
}

/** When each parcel is at its target, and the processes' traffic. */
function arrivals(
  run: PreparedRun,
  all: readonly Sent[],
): { at: number[]; nvlinkBytes: number; rdmaBytes: number } {
  const { numbers } = run;
  const at: number[] = [];
  const rank = (number: number): LogicalProcess => ({
    start: (context) => {
      // What goes to host memory is noticed by its sender.
      context.expect(0, all.filter(({ from, to = from }) => to === number).length, ARRIVED);
      for (const [body, { from, to, bytes, at: when = 0 }] of all.entries()) {
        if (from !== number) continue;
        const route = to === undefined ? hostRoute(run, from) : routeFrom(run, from)(to);
        const { process, entryPort, exitPort, latency } = route;
        const parcel = { target: to ?? from, entryPort, exitPort, bytes, body };
        const sentAt = when as Instant;
        const shipment = shipmentOf({ exchange: 0, source: from, sentAt, header: undefined }, [parcel]);
        const event = { kind: FABRIC_EVENTS.shipment, size: bytes, body: shipment };
        context.send({ target: process, sentAt, time: after(sentAt, latency), ...event });
      }
    },
    handle: (_, context) => {
      for (const slot of slotsOf(context.gathered(0)))
        at[parcels.bodyOf(slot) as number] = parcels.arrivedAt(slot);
    },
  });
  const processes = new Map<number, LogicalProcess>();
  const parcels = new ParcelTable();
  for (let number = 0; number < numbers.rankCount; number++) processes.set(number, rank(number));
  let [nvlinkBytes, rdmaBytes] = [0, 0];
  const fabrics = Array.from({ length: numbers.domainCount + numbers.planeCount }, (_, index) => {
    const process = numbers.rankCount + index;
    const fabric = createFabric(run, process, { recorder: noRecorder, parcels });
    processes.set(process, fabric);
    return { fabric, isNvlink: classOf(numbers, process) === "nvlink" };
  });
  const classes = classGraph(run);
  const loop = new EventLoop({
    processes,
    classes,
    classOf: classIndices(numbers),
  });
  loop.start();
  loop.run();
  for (const { fabric, isNvlink } of fabrics) {
    if (isNvlink) nvlinkBytes += fabric.traffic.bytes;
    else rdmaBytes += fabric.traffic.bytes;
  }
  return { at, nvlinkBytes, rdmaBytes };
}

function hostRoute(run: PreparedRun, rank: number): ReturnType<ReturnType<typeof routeFrom>> {
  const { numbers } = run;
  const ports = nodePorts(GPUS, NICS);
  const { latency } = routeFrom(run, rank)(rank === 0 ? 1 : 0);
  const process = numbers.nvlinkDomain(numbers.nodeOfRank(rank));
  return { process, entryPort: ports.gpu(rank % GPUS), exitPort: ports.hostMemory, latency };
}

describe("with PCIe shown", () => {
  test.each(["multi-plane", "multi-rail", "single-plane"])(
    "%s: an empty network is as fast as without, whatever the bytes",
    (kind) => {
      for (const network of ["infiniband", "roce"]) {
        for (const nvlink of [true, false]) {
          // The same rail and leaf; the same rail across leaves; another index; inside the node. Apart in time.
          for (const bytes of [64, 1_000_000]) {
            const all = [4, 8, 5, 9, 1].map((to, index) => ({ from: 0, to, bytes, at: index * 1e9 }));
            const plain = arrivals(prepared({ kind, network }, {}, nvlink), all);
            const shown = arrivals(prepared({ kind, network, pcie: true }, {}, nvlink), all);
            // Where planes are disjoint, a relay begins when the head is there: sooner with PCIe than without.
            const isRelayed = (index: number): boolean =>
              kind === "multi-plane" && nvlink && index > 1 && index < 4;
            for (const [index, time] of plain.at.entries()) {
              const difference = time - shown.at[index]!;
              const wholeParcel = Math.ceil(bytes * (1e12 / NVLINK));
              expect(difference, `${network} ${nvlink} ${bytes} ${index}`).toBe(
                isRelayed(index) ? wholeParcel : 0,
              );
            }
            expect([shown.nvlinkBytes, shown.rdmaBytes]).toEqual([plain.nvlinkBytes, plain.rdmaBytes]);
          }
        }
      }
    },
  );

  test("64 bytes take the published 2.8 µs on one leaf and 3.7 µs across", () => {
    const { at } = arrivals(prepared({ pcie: true }), [
      { from: 0, to: 4, bytes: 64 },
      { from: 0, to: 8, bytes: 64, at: 1e9 },
    ]);
    const bytesOnce = Math.ceil(64 * (1e12 / NIC));
    expect(at).toEqual([2.8e6 + bytesOnce, 1e9 + 3.7e6 + bytesOnce]);
  });

  test("what a GPU moves to host memory slows its RDMA messages, and nobody else's", () => {
    const megabyte = 1_000_000;
    const rdma: Sent[] = [
      { from: 0, to: 4, bytes: megabyte },
      { from: 1, to: 5, bytes: megabyte },
    ];
    const run = prepared({ pcie: true });
    const alone = arrivals(run, rdma).at;
    const beside = arrivals(run, [...rdma, { from: 0, bytes: 11 * megabyte, at: 0 }]).at;
    const behind = arrivals(run, [{ from: 0, bytes: 11 * megabyte }, ...rdma]);
    // 11 MB take 200 µs of the GPU's link up, at 55 GB/s and rounded up; first in, first out.
    expect(beside.slice(0, 2)).toEqual(alone);
    expect(behind.at[1]! - alone[0]!).toBe(200e6 + 1);
    expect(behind.at[2]).toBe(alone[1]);
    expect([behind.nvlinkBytes, behind.rdmaBytes]).toEqual([0, 2 * megabyte]);
  });

  test("a slow NIC on PCIe slows what arrives by it", () => {
    const slow = { "node 1 pcie / nic 0": { bandwidth: 0.1 } };
    const sent = [{ from: 0, to: 4, bytes: 1_000_000 }];
    const [fast] = arrivals(prepared({ pcie: true }), sent).at;
    const [late] = arrivals(prepared({ pcie: true }, slow), sent).at;
    // 5.5 GB/s instead of the network's.
    expect(late! - fast!).toBe(Math.ceil(1e6 * (1e12 / 5.5e9)) - Math.ceil(1e6 * (1e12 / NIC)));
  });
});

function slotsOf(parts: GatheredParts): number[] {
  return Array.from({ length: parts.count }, (_, part) => parts.slotOf(part));
}
