// The logical processes that one host carries, wired to all the others by their numbers.

import { packContents, Unit, unpackContents } from "@windtunnel/expert";
import { CostModel, encodeExchangeHead, Gpu, NVLINK_END_LATENCY } from "@windtunnel/gpu";
import { FabricProcess, ParcelTable } from "@windtunnel/network-plane";
import {
  DrawnWork,
  type ExecutedModel,
  ExecutedWork,
  rankProgram,
  type RankWork,
  RoutingPool,
  Scheduler,
} from "@windtunnel/serving";
import type { Recorder } from "@windtunnel/trace";
import type { LogicalProcess } from "@windtunnel/virtual-time";
import { nvlinkTopology, planeTopology } from "./fabric.ts";
import type { PreparedRun } from "./prepare-run.ts";
import { classOf } from "./process-numbers.ts";
import { exitOfNode, exitOfPlane, roundTripOf, routeFrom } from "./wiring.ts";

export interface HostProcesses {
  readonly processes: ReadonlyMap<number, LogicalProcess>;
  readonly fabrics: ReadonlyMap<number, FabricProcess>;
  readonly scheduler: Scheduler | undefined;
  /** What is on its way on this host. */
  readonly parcels: ParcelTable;
  /** Dispatches of the host's first rank so far. */
  readonly exchanges: () => number;
}

export interface HostParts {
  readonly host: number;
  /** Only asked for when the host carries ranks and a model is executed. */
  readonly executed: () => ExecutedModel;
  /** Whether `recorderFor` gives recorders that write. */
  readonly record: boolean;
  readonly recorderFor: (process: number) => Recorder;
  readonly onStep: (stepsDone: number) => void;
}

export function createProcesses(run: PreparedRun, parts: HostParts): HostProcesses {
  const { numbers, hosts } = run;
  const processes = new Map<number, LogicalProcess>();
  const fabrics = new Map<number, FabricProcess>();
  const parcels = createParcelTable(parts.record);
  let scheduler: Scheduler | undefined;
  let workOf: ((rank: number) => RankWork) | undefined;
  let exchanges = 0;
  for (let process = 0; process < numbers.processCount; process++) {
    if (hosts.hostOf(process) !== parts.host) continue;
    const recorder = parts.recorderFor(process);
    switch (classOf(numbers, process)) {
      case "rank":
        workOf ??= workMaker(run, parts);
        processes.set(
          process,
          createRank(run, process, workOf(process), {
            recorder,
            parcels,
            // The first rank of a host counts for all.
            ...(processes.size > 0 ? {} : { onExchange: () => void exchanges++ }),
          }),
        );
        break;
      case "scheduler":
        scheduler = createScheduler(run, recorder, parts.onStep);
        processes.set(process, scheduler);
        break;
      default: {
        const fabric = createFabric(run, process, { recorder, parcels });
        fabrics.set(process, fabric);
        processes.set(process, fabric);
      }
    }
  }
  return { processes, fabrics, scheduler, parcels, exchanges: () => exchanges };
}

/** What a process of a host shares with others there. */
export interface HostServices {
  readonly recorder: Recorder;
  readonly parcels: ParcelTable;
  /** Told of every dispatch of a rank. */
  readonly onExchange?: () => void;
}

/** `record`: what happens to messages is written down. */
export function createParcelTable(record: boolean): ParcelTable {
  return new ParcelTable({
    codec: { pack: packContents, unpack: unpackContents },
    keepsHistory: record,
    ...(record ? { encodeHead: encodeExchangeHead } : {}),
  });
}

/** Executed models and pools of draws are shared by the ranks of a host. */
function workMaker(run: PreparedRun, parts: HostParts): (rank: number) => RankWork {
  const { placement, wire, maxRows, routing } = run;
  const unitRankOf = (rank: number): number => rank % placement.degree;
  if (routing === undefined) {
    const executed = parts.executed();
    return (rank) => new ExecutedWork({ executed, placement, unitRank: unitRankOf(rank), wire, maxRows });
  }
  const pool = new RoutingPool(routing, placement);
  return (rank) => new DrawnWork(rank, unitRankOf(rank), pool);
}

export function createGpu(run: PreparedRun, rank: number, { recorder, parcels }: HostServices): Gpu {
  return new Gpu({
    rank,
    name: `rank ${rank}`,
    costModel: new CostModel(run.profile, run.scenario.overrides.gpus[rank]?.speed ?? 1),
    recorder,
    parcels,
    routeTo: routeFrom(run, rank),
    scheduler: { process: run.numbers.scheduler, latency: run.controlLatency },
  });
}

function createRank(run: PreparedRun, rank: number, work: RankWork, services: HostServices): Gpu {
  const { scenario, placement } = run;
  const gpu = createGpu(run, rank, services);
  const firstOfUnit = rank - (rank % placement.degree);
  const setup = {
    gpu,
    rank,
    unit: new Unit({
      rank: rank - firstOfUnit,
      ranks: Array.from({ length: placement.degree }, (_, index) => firstOfUnit + index),
      gpusPerNode: ranksInReach(run),
    }),
    patternMemory: new Map<string, unknown>(),
    roundTrip: roundTripOf(run),
    placement,
    timed: {
      config: run.timed,
      layers: run.layers,
      weightPrecision: run.weightPrecision,
      fusedActivation: scenario.timing.fusedActivation,
      cachedPositions: scenario.timing.kvLength,
    },
    work,
    wire: run.wire,
    styles: run.styles,
    maxRows: run.maxRows,
    ...(services.onExchange === undefined ? {} : { onExchange: services.onExchange }),
  };
  gpu.load(() => rankProgram(setup));
  return gpu;
}

/** Ranks that reach each other over NVLink. */
export function ranksInReach({ fabric, numbers }: PreparedRun): number {
  return fabric.kind === "nvlink-domain" ? numbers.rankCount : numbers.gpusPerNode;
}

function createScheduler(
  run: PreparedRun,
  recorder: Recorder,
  onStep: (stepsDone: number) => void,
): Scheduler {
  return new Scheduler({
    requests: run.requests,
    rankProcesses: Array.from({ length: run.numbers.rankCount }, (_, rank) => rank),
    prefillTokensPerRank: run.prefillTokensPerRank,
    prefillOnly: run.scenario.run.phase === "prefill",
    latency: run.controlLatency,
    recorder,
    onStep,
  });
}

export function createFabric(run: PreparedRun, process: number, services: HostServices): FabricProcess {
  const { numbers, scenario, network } = run;
  const overrides = scenario.overrides.links;
  const domain = process - numbers.rankCount;
  if (domain < numbers.domainCount) {
    const topology = nvlinkTopology(run, domain);
    const exitOf = exitOfNode(run, domain);
    return new FabricProcess({
      process,
      topology,
      overrides,
      endLatency: NVLINK_END_LATENCY,
      exitOf,
      ...services,
    });
  }
  const plane = domain - numbers.domainCount;
  const topology = planeTopology(run, plane);
  const exitOf = exitOfPlane(run, plane);
  return new FabricProcess({
    process,
    topology,
    overrides,
    endLatency: network.endLatency,
    exitOf,
    ...services,
  });
}
