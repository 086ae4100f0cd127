import { microseconds, type Instant } from "@windtunnel/base";
import { FABRIC_EVENTS, ParcelTable, type Shipment, shipmentOf } from "@windtunnel/network-plane";
import { noRecorder, type Recorder, type SpanRecord } from "@windtunnel/trace";
import { type ClassGraph, EventLoop, type LogicalProcess } from "@windtunnel/virtual-time";
import { describe, expect, test } from "vitest";
import {
  type CostSequence,
  CostModel,
  Gpu,
  HARDWARE_PROFILES,
  HOPPER_EXCHANGE,
  HOPPER_KERNELS,
  type HardwareProfile,
  memoryKernel,
  parseHardwareProfile,
  Streams,
} from "./index.ts";

// Round numbers: 100 SMs, and 1 TB/s that elementwise kernels reach in full.
const profile: HardwareProfile = {
  name: "round",
  sms: 100,
  memoryBytes: 1e9,
  memoryBytesPerSecond: 1e12,
  flops: { bf16: 1e14, fp8: 2e14 },
  nvlinkBytesPerSecond: 1e11,
  nics: { count: 1, bytesPerSecond: 1e10 },
  kernels: { ...HOPPER_KERNELS, overheadUs: 1, streaming: 1 },
  launchUs: 2,
  gapUs: 0,
  exchange: HOPPER_EXCHANGE,
};
const place = { step: 0, layer: 0, microBatch: 0 };
/** Reads a megabyte: 1 µs on the whole GPU, plus 1 µs for its kernel. */
const megabyte: CostSequence = [memoryKernel(1e6)];

describe("hardware profiles", () => {
  test("of six GPUs are there, and a user's own is checked field by field", () => {
    expect([...HARDWARE_PROFILES.keys()]).toEqual(["h800", "h100", "h200", "h20", "b200", "gb200"]);
    // GB200 sits in an NVLink domain of a rack and has no NIC; 0.8 of 900 GB/s one way.
    expect(HARDWARE_PROFILES.get("gb200")).toMatchObject({ nics: null, nvlinkBytesPerSecond: 0.8 * 900e9 });
    for (const [name, known] of HARDWARE_PROFILES) expect(parseHardwareProfile(known, name)).toEqual(known);
    const wrong = { ...profile, sms: "many", nvlink: 3 };
    expect(() => parseHardwareProfile(wrong, "mine.json")).toThrow(/mine\.json[\s\S]*sms[\s\S]*nvlink/);
  });
});

describe("streams", () => {
  test("start an operation at the last of its preconditions and say which that was", () => {
    const streams = new Streams(100);
    const at = (instant: number): Instant => instant as Instant;
    const first = streams.issue("compute", microseconds(5), 100, at(1e6), []);
    expect(first).toEqual({ start: 1e6, end: 6e6, cause: { kind: "launch" } });
    expect(streams.issue("compute", microseconds(1), 100, at(2e6), []).cause).toEqual({ kind: "stream" });
    const dependency = { at: at(9e6), cause: { kind: "message", rank: 4 } } as const;
    expect(streams.issue("compute", microseconds(1), 100, at(2e6), [dependency])).toEqual({
      start: 9e6,
      end: 10e6,
      cause: { kind: "message", rank: 4 },
    });
  });

  test("refuse to hold more SMs at once than there are", () => {
    const streams = new Streams(100);
    streams.issue("communication", microseconds(10), 20, 0 as Instant, []);
    streams.issue("compute", microseconds(5), 80, 0 as Instant, []);
    expect(() => streams.issue("forward", microseconds(1), 1, 0 as Instant, [])).toThrow(/101 SMs/);
    streams.issue("compute", microseconds(1), 100, 10e6 as Instant, []);
  });

  test("remember a long operation beside many short ones", () => {
    const streams = new Streams(100);
    streams.issue("compute", microseconds(1000), 90, 0 as Instant, []);
    for (let short = 0; short < 40; short++) streams.issue("forward", microseconds(1), 10, 0 as Instant, []);
    expect(() => streams.issue("forward", microseconds(1), 20, 0 as Instant, [])).toThrow(/110 SMs/);
  });
});

describe("a GPU", () => {
  test("runs ahead of virtual time, sends when its operation is complete, and waits only for data", () => {
    const spans: SpanRecord[] = [];
    const recorder: Recorder = { ...noRecorder, span: (span) => spans.push(span) - 1 };
    const parcels = new ParcelTable();
    const route = { process: 1, entryPort: 0, exitPort: 0, latency: microseconds(1) };
    const gpu = new Gpu({
      rank: 0,
      name: "rank 0",
      costModel: new CostModel(profile),
      recorder,
      parcels,
      routeTo: () => route,
      scheduler: { process: 1, latency: microseconds(1) },
    });
    let receivedAt = 0;
    gpu.load(function* () {
      const first = gpu.compute({ name: "gate", place, cost: megabyte }); // launched at 2, complete at 4
      gpu.send({
        exchange: 3,
        phase: "dispatch",
        place,
        after: first,
        targets: [5],
        bytes: [10],
        bodies: ["x"],
      });
      gpu.compute({ name: "mlp.shared", place, cost: megabyte }); // launched at 4, complete at 6
      const received = yield* gpu.receive({
        exchange: 3,
        sources: [5],
        what: "an answer",
        quiet: microseconds(2),
      });
      receivedAt = received.at;
      gpu.compute({ name: "mlp.experts", place, cost: megabyte, dependsOn: [received] });
    });
    const shipments: { at: number; shipment: Shipment }[] = [];
    const fabric: LogicalProcess = {
      handle: (event, context) => {
        const shipment = event.body as Shipment;
        shipments.push({ at: context.now, shipment });
        expect(gpu.outlook).toEqual({ notBefore: 6e6, quiet: 2e6 });
        const { header, sentAt } = shipment;
        const common = { exchange: 3, source: 5, sentAt, header };
        const answer = { target: 0, entryPort: 0, exitPort: 0, bytes: 10, body: "y" };
        const slot = parcels.put(shipmentOf(common, [answer]), context.now)[0]!;
        const time = (context.now + 9e6) as Instant;
        parcels.arrive(slot, time);
        const handed = { target: 0, kind: FABRIC_EVENTS.delivery, sentAt: context.now, time, size: 10, slot };
        context.handPart({ ...handed, sequence: slot, lane: 0 }, 3, 5);
      },
    };
    const latency = microseconds(1);
    const classes: ClassGraph = {
      names: ["gpu", "fabric"],
      latency: [
        [undefined, latency],
        [latency, undefined],
      ],
    };
    const processes = new Map<number, LogicalProcess>([
      [0, gpu],
      [1, fabric],
    ]);
    const loop = new EventLoop({ processes, classes, classOf: (number) => number });
    loop.start();
    loop.run();
    expect(shipments.map(({ at }) => at)).toEqual([5e6]);
    const { targets, bytes, bodies } = shipments[0]!.shipment;
    expect([[...targets], Array.from(bytes), bodies]).toEqual([[5], [10], ["x"]]);
    expect(parcels.count).toBe(0);
    expect(receivedAt).toBe(14e6);
    expect(spans.map(({ start, end }) => [start, end])).toEqual([
      [2e6, 4e6],
      [4e6, 6e6],
      [14e6, 16e6],
    ]);
    expect(spans[2]!.cause).toEqual({ kind: "message", rank: 5 });
    expect(gpu.waiting()).toEqual([]);
  });
});
