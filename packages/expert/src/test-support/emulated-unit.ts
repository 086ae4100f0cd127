// A unit of emulated ranks with real arithmetic, for tests of dispatch patterns. In place of a network stands a process
// that delivers every parcel after a drawn delay, so that messages overtake each other. No schedule: a test drives the
// steps itself, or lets every rank do one exchange from end to end.

import { type Instant, microseconds, type Payload, RandomStream, RUN_START } from "@windtunnel/base";
import { CostModel, type Dependency, Gpu, HARDWARE_PROFILES } from "@windtunnel/gpu";
import { findPreset, type LayerContext, type MlpWeights, type WirePrecision } from "@windtunnel/model";
import { FABRIC_EVENTS, ParcelTable, type Shipment } from "@windtunnel/network-plane";
import { type ExpertPlacement, layoutDispatch, placeExperts } from "@windtunnel/router";
import { packedElementCount, packMatrix, plainKernels, type Tensor, TensorMemory } from "@windtunnel/tensor";
import { noRecorder, type Phase, type Recorder } from "@windtunnel/trace";
import {
  type ClassGraph,
  deadlockError,
  EventLoop,
  type LogicalProcess,
  type ProcessContext,
  type ProcessEvent,
  type Program,
} from "@windtunnel/virtual-time";
import {
  checkSteps,
  combine,
  combineTokens,
  type DispatchPattern,
  type ExchangeMath,
  type ExchangeSteps,
  packDispatch,
  packTokens,
  RankExchange,
  runExperts,
  runExpertsOnTokens,
  sumTokens,
  Unit,
} from "../index.ts";

/** Two scale tiles of FP8, the second one not full. */
export const HIDDEN = 136;
const INNER = 16;
/** Divides by every degree that is tested. */
export const EXPERT_COUNT = 48;
export const CHOICES = 4;

const memory = TensorMemory.create(64 * 1024 ** 2);

/** What the functions of a layer need, but for tables of positions. */
export const context = {
  config: { ...findPreset("v3-tiny").config, hiddenSize: HIDDEN },
  kernels: plainKernels,
  arena: memory.arena(48 * 1024 ** 2),
} as unknown as LayerContext;

const experts: readonly MlpWeights[] = Array.from({ length: EXPERT_COUNT }, (_, expert): MlpWeights => {
  const random = new RandomStream(1, `expert ${expert}`);
  const matrix = (outputSize: number, inputSize: number): MlpWeights["down"] => {
    const values = Float32Array.from(
      { length: outputSize * inputSize },
      () => random.normal() / Math.sqrt(inputSize),
    );
    return packMatrix(
      memory.tensor([packedElementCount(outputSize, inputSize)]),
      values,
      outputSize,
      inputSize,
    );
  };
  return { gate: matrix(INNER, HIDDEN), up: matrix(INNER, HIDDEN), down: matrix(HIDDEN, INNER) };
});

export function expertWeights(expert: number): MlpWeights {
  return experts[expert]!;
}

/** One token: its row, its experts in the order of its choices, and their weights. */
export interface TestToken {
  readonly x: Float32Array;
  readonly experts: Int32Array;
  readonly weights: Float32Array;
}

export interface UnitOptions {
  readonly pattern: DispatchPattern;
  /** Tokens of each rank of the unit. */
  readonly tokens: readonly (readonly TestToken[])[];
  readonly gpusPerNode: number;
  readonly wire: WirePrecision;
  /** For the delays of messages. */
  readonly seed: number;
  /** The unit's first rank in the run. */
  readonly firstRank?: number;
  /** What each rank does; one exchange from end to end unless given. */
  readonly program?: (rank: TestRank) => Program;
}

/** A message as its target got it; ranks of the run. */
export interface TestMessage {
  readonly phase: Phase;
  readonly source: number;
  readonly target: number;
  readonly bytes: number;
  readonly arrivedAt: Instant;
}

export interface UnitOutcome {
  /** [tokens, HIDDEN] of each rank of the unit. */
  readonly outputs: readonly Float32Array[];
  readonly messages: readonly TestMessage[];
}

/** What a rank's program works with. */
export interface TestRank {
  readonly rank: number;
  /** Opens an exchange of the rank's tokens; layers tell them apart. */
  open(layer: number): { readonly exchange: RankExchange; readonly steps: ExchangeSteps };
}

const LATENCY = microseconds(1);
const FABRIC = 4096;
const CLASSES: ClassGraph = {
  names: ["rank", "fabric"],
  latency: [
    [undefined, LATENCY],
    [LATENCY, undefined],
  ],
};

const BEGIN: Dependency = { at: RUN_START, cause: { kind: "plan" } };

/** Dispatch, experts and combine, one after the other. */
export function* exchangeOnce(rank: TestRank, layer: number = 0): Program {
  const { exchange, steps } = rank.open(layer);
  yield* exchange.run({ phase: "dispatch", followedBy: [] }, steps.sendDispatch(BEGIN));
  const arrived = yield* exchange.run({ phase: "dispatch", followedBy: [] }, steps.receiveDispatch());
  exchange.checkKept();
  exchange.runExperts();
  yield* exchange.run({ phase: "combine", followedBy: [] }, steps.sendCombine(arrived));
  yield* exchange.run({ phase: "combine", followedBy: [] }, steps.receiveCombine());
  exchange.combine();
}

/** Runs a unit until nothing can happen any more; throws where a program still waits. */
export function runUnit(options: UnitOptions): UnitOutcome {
  const { tokens, firstRank = 0, program = exchangeOnce } = options;
  const placement = placeExperts({ expertCount: EXPERT_COUNT, degree: tokens.length });
  const messages: TestMessage[] = [];
  const outputs = tokens.map((own) => tensorOf(new Float32Array(own.length * HIDDEN)));
  const processes = new Map<number, LogicalProcess>();
  const parcels = new ParcelTable({ keepsHistory: true });
  for (const rank of tokens.keys()) {
    const target = firstRank + rank;
    const recorder: Recorder = {
      ...noRecorder,
      message: ({ phase, source, bytes, arrivedAt }) =>
        messages.push({ phase, source, target, bytes, arrivedAt }),
    };
    const gpu = createGpu(target, recorder, parcels);
    const memoryOfPatterns = new Map<string, unknown>();
    const open: TestRank["open"] = (layer) =>
      openExchange({
        ...options,
        gpu,
        rank,
        layer,
        placement,
        out: outputs[rank]!,
        memory: memoryOfPatterns,
      });
    gpu.load(() => program({ rank, open }));
    processes.set(target, gpu);
  }
  processes.set(FABRIC, new DelayingFabric(options.seed, parcels));
  const loop = new EventLoop({
    processes,
    classes: CLASSES,
    classOf: (process) => (process === FABRIC ? 1 : 0),
  });
  loop.start();
  loop.run();
  const waiting = loop.waiting();
  if (waiting.length > 0) throw deadlockError(waiting);
  return { outputs: outputs.map(({ data }) => data), messages };
}

function createGpu(rank: number, recorder: Recorder, parcels: ParcelTable): Gpu {
  return new Gpu({
    rank,
    name: `rank ${rank}`,
    costModel: new CostModel(HARDWARE_PROFILES.get("h800")!),
    recorder,
    parcels,
    routeTo: () => ({ process: FABRIC, entryPort: 0, exitPort: 0, latency: LATENCY }),
    scheduler: { process: FABRIC, latency: LATENCY },
  });
}

interface OpenOptions extends UnitOptions {
  readonly gpu: Gpu;
  readonly rank: number;
  readonly layer: number;
  readonly placement: ExpertPlacement;
  readonly out: Tensor;
  readonly memory: Map<string, unknown>;
}

function openExchange(options: OpenOptions): { exchange: RankExchange; steps: ExchangeSteps } {
  const { pattern, tokens, gpusPerNode, wire, firstRank = 0, gpu, rank, layer, placement } = options;
  const own = tokens[rank]!;
  const choices = Int32Array.from(own.flatMap((token) => [...token.experts]));
  const layout = layoutDispatch(choices, own.length, CHOICES, placement);
  const ranks = tokens.map((_, each) => firstRank + each);
  const shape = {
    hiddenSize: HIDDEN,
    wire,
    expertsPerRank: placement.expertsPerRank,
    choicesPerToken: CHOICES,
  };
  const exchange = new RankExchange({
    gpu,
    pattern: pattern.name,
    alongRails: pattern.alongRails === true,
    receivesOnly: pattern.receivesOnly === true,
    unit: new Unit({ rank, ranks, gpusPerNode }),
    shape,
    place: { step: 0, layer, microBatch: 0 },
    numbers: { dispatch: 2 * layer, combine: 2 * layer + 1 },
    stream: pattern.sms === null ? "compute" : "communication",
    sms: pattern.sms,
    computeSms: gpu.costModel.profile.sms,
    layout,
    placement,
    math: mathOf(options, layout),
    memory: options.memory,
    roundTrip: microseconds(7.4),
  });
  return { exchange, steps: checkSteps(pattern.open(exchange), pattern.name) };
}

function mathOf(
  { tokens, rank, wire, placement, out }: OpenOptions,
  layout: ReturnType<typeof layoutDispatch>,
): ExchangeMath {
  const own = tokens[rank]!;
  const x = tensorOf(new Float32Array(own.length * HIDDEN));
  for (const [index, token] of own.entries()) x.data.set(token.x, index * HIDDEN);
  const weights = Float32Array.from(own.flatMap((token) => [...token.weights]));
  const first = rank * placement.expertsPerRank;
  const held = experts.slice(first, first + placement.expertsPerRank);
  return {
    packRows: () => packDispatch(context, x, layout, placement, wire.dispatch),
    packTokens: () => ({ weights, rows: packTokens(context, x, wire.dispatch) }),
    runRows: (arrived): Payload[] => runExperts(context, held, arrived, wire),
    runTokens: (sets) => runExpertsOnTokens(context, held, first, sets, wire),
    sumTokens: (sets) => sumTokens(sets, wire.combine, HIDDEN),
    combineRows: (returned) => combine(context, out, weights, layout, returned, wire.combine),
    combineTokens: (sets) => combineTokens(out, sets, wire.combine),
  };
}

/** Rows of HIDDEN, outside of any tensor memory: plain kernels need no address. */
export function tensorOf(data: Float32Array): Tensor {
  return { shape: [data.length / HIDDEN, HIDDEN], address: 0, data };
}

class DelayingFabric implements LogicalProcess {
  readonly #random: RandomStream;
  readonly #parcels: ParcelTable;

  constructor(seed: number, parcels: ParcelTable) {
    this.#random = new RandomStream(seed, "delays");
    this.#parcels = parcels;
  }

  handle(event: ProcessEvent, context: ProcessContext): void {
    const shipment = event.body as Shipment;
    const slots = this.#parcels.put(shipment, context.now);
    for (const [index, target] of shipment.targets.entries()) {
      const time = (context.now + LATENCY + this.#random.below(40 * LATENCY)) as Instant;
      const slot = slots[index]!;
      this.#parcels.arrive(slot, time);
      const size = shipment.bytes[index]!;
      const handed = { target, kind: FABRIC_EVENTS.delivery, sentAt: context.now, time, size, slot };
      context.handPart({ ...handed, sequence: slot, lane: 0 }, shipment.exchange, shipment.source);
    }
  }
}
