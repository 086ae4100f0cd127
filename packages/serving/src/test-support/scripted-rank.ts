// Two ranks that run a schedule over micro-batches whose operations and exchanges take times that a test writes down, on real
// streams and with real messages, and what their recording says was exposed. No model, no pattern, no network.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, type Duration, type Instant, microseconds, picoseconds } from "@windtunnel/base";
import {
  CostModel,
  type CostSequence,
  type Dependency,
  Gpu,
  HARDWARE_PROFILES,
  type OperationCost,
} from "@windtunnel/gpu";
import { FABRIC_EVENTS, ParcelTable, type Shipment } from "@windtunnel/network-plane";
import {
  type ExchangeOverlap,
  HostRecording,
  mergeRecordings,
  openRecording,
  type Phase,
  type RecordingHeader,
  rankStepOverlaps,
  type SpanName,
} from "@windtunnel/trace";
import { type ClassGraph, EventLoop, type LogicalProcess, type Program } from "@windtunnel/virtual-time";
import type { Schedule, ScheduledMicroBatch } from "../schedule.ts";
import type { TimedLayer } from "../timed-layers.ts";

/** Microseconds, for one micro-batch in every layer. */
export interface ScriptedTimes {
  /** ATTN-0 takes a third of it. */
  readonly attention: number;
  readonly shared: number;
  readonly mlp: number;
  /** From sending to arrival. */
  readonly dispatch: number;
  readonly combine: number;
}

const PROFILE = HARDWARE_PROFILES.get("h800")!;
const COMMUNICATION_SMS = 24;

/** Costs are times: `bytes` are picoseconds, whatever the number of SMs, and launches are free. */
class ScriptedCosts extends CostModel {
  override duration(costs: CostSequence): Duration {
    return picoseconds(costs.reduce((sum, { bytes }) => sum + bytes, 0));
  }
  override launchTime(): Duration {
    return 0 as Duration;
  }
}

function lasting(us: number): CostSequence {
  const cost: OperationCost = {
    shape: { kind: "copy" },
    precision: "bf16",
    flops: 0,
    bytes: microseconds(us),
    kernels: 1,
  };
  return [cost];
}

class ScriptedMicroBatch implements ScheduledMicroBatch {
  readonly least: ScheduledMicroBatch["least"] = {
    untilDispatch: () => [],
    untilCombine: () => [],
    expertsAndCombine: () => [],
    toSend: () => [],
  };
  readonly #gpu: Gpu;
  readonly #index: number;
  readonly #times: ScriptedTimes;
  #residual: Dependency[] = [];
  #gated: Dependency[] = [];
  #arrived: Dependency[] = [];
  #computed: Dependency[] = [];

  constructor(gpu: Gpu, index: number, times: ScriptedTimes) {
    this.#gpu = gpu;
    this.#index = index;
    this.#times = times;
  }

  attention0(layer: TimedLayer): void {
    this.#residual = [this.#compute("attention.project", layer, this.#times.attention / 3, this.#residual)];
  }
  attention1(layer: TimedLayer): void {
    const rest = this.#times.attention - this.#times.attention / 3;
    this.#residual = [this.#compute("attention.core", layer, rest, this.#residual)];
    this.#gated = [this.#compute("gate", layer, 0, this.#residual)];
  }
  shared(layer: TimedLayer): void {
    this.#residual.push(this.#compute("mlp.shared", layer, this.#times.shared, this.#gated));
  }
  mlp(layer: TimedLayer): void {
    this.#computed = [this.#compute("mlp.experts", layer, this.#times.mlp, this.#arrived)];
  }
  *sendDispatch(layer: TimedLayer): Program {
    this.#send("dispatch", layer, this.#gated);
  }
  *receiveDispatch(layer: TimedLayer): Program {
    this.#arrived = [yield* this.#receive("dispatch", layer)];
  }
  *sendCombine(layer: TimedLayer): Program {
    this.#send("combine", layer, this.#computed);
  }
  *receiveCombine(layer: TimedLayer): Program {
    this.#residual.push(yield* this.#receive("combine", layer));
  }

  #compute(name: SpanName, layer: TimedLayer, us: number, dependsOn: readonly Dependency[]): Dependency {
    const sms = PROFILE.sms - COMMUNICATION_SMS;
    return this.#gpu.compute({ name, place: this.#place(layer), cost: lasting(us), sms, dependsOn });
  }

  #send(phase: Phase, layer: TimedLayer, dependsOn: readonly Dependency[]): void {
    const place = this.#place(layer);
    const sent = this.#communicate(`${phase}.send`, layer, dependsOn);
    const body = microseconds(this.#times[phase]);
    const message = { targets: [1 - this.#gpu.rank], bytes: [1], bodies: [body] };
    this.#gpu.send({ exchange: this.#number(phase, layer), phase, place, after: sent, ...message });
  }

  *#receive(phase: Phase, layer: TimedLayer): Program<Dependency> {
    const received = yield* this.#gpu.receive({
      exchange: this.#number(phase, layer),
      sources: [1 - this.#gpu.rank],
      what: `${phase} of layer ${layer.layer}`,
      stream: "communication",
      quiet: 0 as Duration,
    });
    return this.#communicate(`${phase}.receive`, layer, [received]);
  }

  #communicate(name: SpanName, layer: TimedLayer, dependsOn: readonly Dependency[]) {
    const options = { stream: "communication", sms: COMMUNICATION_SMS, dependsOn } as const;
    return this.#gpu.compute({ name, place: this.#place(layer), cost: lasting(0), ...options });
  }

  #number(phase: Phase, layer: TimedLayer): number {
    return (layer.layer * 2 + this.#index) * 2 + (phase === "dispatch" ? 0 : 1);
  }

  #place({ layer }: TimedLayer): { step: number; layer: number; microBatch: number } {
    return { step: 0, layer, microBatch: this.#index };
  }
}

const NETWORK = 2;
const LATENCY = 1 as Duration;
const CLASSES: ClassGraph = {
  names: ["rank", "network"],
  latency: [
    [undefined, LATENCY],
    [LATENCY, undefined],
  ],
};

/** Delivers each parcel when its time, which is its body, is over. */
function createNetwork(parcels: ParcelTable): LogicalProcess {
  return {
    handle({ body }, context) {
      const shipment = body as Shipment;
      const slots = parcels.put(shipment, context.now);
      for (const [index, target] of shipment.targets.entries()) {
        const time = after(shipment.sentAt, (shipment.bodies as readonly Duration[])[index]!);
        const slot = slots[index]!;
        parcels.arrive(slot, time);
        const size = shipment.bytes[index]!;
        const handed = { target, kind: FABRIC_EVENTS.delivery, sentAt: context.now, time, size, slot };
        context.handPart({ ...handed, sequence: slot, lane: 0 }, shipment.exchange, shipment.source);
      }
    },
  };
}

/** Runs `layerCount` layers; gives the exchanges of rank 0 in the layers between, with what was exposed of each. */
export function exposedInSteadyState(
  schedule: Schedule,
  times: readonly [ScriptedTimes, ScriptedTimes],
  layerCount: number = 6,
): ExchangeOverlap[] {
  const folder = mkdtempSync(path.join(tmpdir(), "windtunnel-schedule-"));
  try {
    const host = new HostRecording(path.join(folder, "host"));
    const parcels = new ParcelTable({ keepsHistory: true });
    const processes = new Map<number, LogicalProcess>([[NETWORK, createNetwork(parcels)]]);
    const layers = Array.from({ length: layerCount }, (_, layer): TimedLayer => {
      return { layer, kind: "moe", executed: undefined, routedBy: layer };
    });
    for (const rank of [0, 1]) {
      const gpu = new Gpu({
        rank,
        name: `rank ${rank}`,
        costModel: new ScriptedCosts(PROFILE),
        recorder: host.recorderFor(rank),
        parcels,
        routeTo: () => ({ process: NETWORK, entryPort: 0, exitPort: 0, latency: LATENCY }),
        scheduler: { process: NETWORK, latency: LATENCY },
      });
      gpu.load(function* () {
        const microBatches = times.map((each, index) => new ScriptedMicroBatch(gpu, index, each));
        yield* schedule.moeLayers({ layers, microBatches, kind: "prefill" });
        const end = gpu.freeAt("compute");
        gpu.recorder.rankStep({ step: 0, kind: "prefill", start: 0 as Instant, end, requests: 1, tokens: 1 });
      });
      processes.set(rank, gpu);
    }
    const classOf = (process: number): number => (process === NETWORK ? 1 : 0);
    const loop = new EventLoop({ processes, classes: CLASSES, classOf });
    loop.start();
    loop.run();
    host.close();
    mergeRecordings(HEADER, [path.join(folder, "host")], path.join(folder, "recording"));
    const recording = openRecording(path.join(folder, "recording"));
    try {
      const [step] = [...rankStepOverlaps(recording)];
      return step!.exchanges.filter(({ layer }) => layer >= 2 && layer < layerCount - 2);
    } finally {
      recording.close();
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const HEADER: RecordingHeader = {
  schema: "windtunnel/recording@2",
  name: "scripted",
  seed: 1,
  timedModel: "none",
  gpu: "h800",
  sms: PROFILE.sms,
  processes: [0, 1].map((rank) => ({ id: rank, kind: "gpu", name: `rank ${rank}`, rank, node: rank })),
};
