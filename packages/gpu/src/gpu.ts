// An emulated GPU as a logical process. Its program issues operations ahead of virtual time, as a host does on CUDA
// streams, and blocks only where it needs what others send.
// Invariant: nothing is sent before the operation that made it is complete, nor before the program's promise.

import {
  after,
  defined,
  type Duration,
  type Instant,
  invariant,
  InvariantViolation,
  latest,
  NEVER,
  NO_TIME,
  RUN_START,
  toMicroseconds,
} from "@windtunnel/base";
import { type Bodies, FABRIC_EVENTS, type ParcelTable } from "@windtunnel/network-plane";
import {
  type Cause,
  type Phase,
  type Place,
  type Recorder,
  type SpanName,
  type StreamName,
} from "@windtunnel/trace";
import {
  Condition,
  type LogicalProcess,
  type Outlook,
  type ProcessContext,
  type ProcessEvent,
  type Program,
  ProgramSet,
  type Towards,
  until,
  type WaitOutlook,
  type WaitReport,
} from "@windtunnel/virtual-time";
import { type CostModel, type CostSequence } from "./cost-model.ts";
import { type ExchangeHeader, Mailbox } from "./mailbox.ts";
import { Shipper } from "./shipper.ts";
import { type Dependency, Streams } from "./streams.ts";

/** Event kinds between scheduler and GPUs; part of the event order. */
export const CONTROL_EVENTS = { plan: 20, report: 21 } as const;
/** All messages of an exchange that a GPU waits for are there; part of the event order. */
const GATHERED = 14;
/** A program begins beside the others; part of the event order. */
const BESIDE = 15;

/** Where a parcel for a rank goes first: a fabric process, its ports, and the least time to reach it. */
export interface Route {
  readonly process: number;
  readonly entryPort: number;
  readonly exitPort: number;
  readonly latency: Duration;
}

export interface GpuOptions {
  readonly rank: number;
  readonly name: string;
  readonly costModel: CostModel;
  readonly recorder: Recorder;
  readonly routeTo: (rank: number) => Route;
  /** The host's. */
  readonly parcels: ParcelTable;
  /** The process that sends plans and takes reports, and the time that either takes. */
  readonly scheduler: { readonly process: number; readonly latency: Duration };
}

export interface Operation {
  readonly name: SpanName;
  readonly place: Place;
  readonly cost: CostSequence;
  readonly stream?: StreamName;
  /** All of the GPU's, unless given. */
  readonly sms?: number;
  readonly dependsOn?: readonly Dependency[];
  /** Part of a kernel that runs already: the host launches nothing. */
  readonly resident?: true;
  /** It runs at least so long, whatever it costs: buffers hold it up. */
  readonly lasts?: Duration;
  /** What the cost model says of `cost` on its SMs, where whoever issues it has asked before. */
  readonly needed?: Duration;
  /** Rows that it works on, for whoever reads the trace. */
  readonly rows?: number;
}

/** A program sends before the instant that its wait promised: a schedule or a pattern promises too much. */
export class BrokenPromise extends InvariantViolation {}

/** Host time of one launch, whatever the graph holds. */
const GRAPH_LAUNCH: CostSequence = [
  { shape: { kind: "copy" }, precision: "bf16", flops: 0, bytes: 0, kernels: 1 },
];

/** An issued operation: when it will be complete, and its span. */
export interface Completion extends Dependency {
  readonly start: Instant;
  readonly span: number;
}

export interface Sending {
  readonly exchange: number;
  readonly phase: Phase;
  readonly place: Place;
  /** The operation that made the data. */
  readonly after: Completion;
  /** When the data is handed over, where that is not the operation's end: a kernel may send while it runs. */
  readonly at?: Instant;
  /** One entry for each message: the rank that it is for, its timed bytes, and what it carries. */
  readonly targets: Int32Array | readonly number[];
  readonly bytes: ArrayLike<number>;
  readonly bodies: Bodies;
}

/**
 * Whom a program sends to first after a wait: these ranks, and others later, or never where that is undefined; or nobody but
 * the scheduler, to which it reports.
 */
export type FirstTargets =
  | { readonly ranks: readonly number[]; readonly quietBeyond: Duration | undefined }
  | "scheduler";

export interface Receiving {
  readonly exchange: number;
  /** Ranks that send something. */
  readonly sources: readonly number[];
  /** For the report when nothing more can happen. */
  readonly what: string;
  /** The stream that is busy until the program can send again. */
  readonly stream?: StreamName;
  /** The least time from the last arrival to the program's next send. */
  readonly quiet: Duration;
  /** It holds towards these only. */
  readonly towards?: FirstTargets;
  /** As of a `WaitOutlook`. */
  readonly end?: { readonly of: object; readonly quiet: Duration };
}

export interface Received extends Dependency {
  /** Ranks that sent, ascending, and what each of them sent. */
  readonly sources: readonly number[];
  readonly bodies: readonly unknown[];
  /** Set in place of `bodies` where each source sent the same to all its targets: what it sent, by source. */
  readonly sharedBodies: readonly unknown[] | undefined;
}

export class Gpu implements LogicalProcess {
  readonly rank: number;
  readonly costModel: CostModel;
  readonly recorder: Recorder;
  readonly #options: GpuOptions;
  readonly #streams: Streams;
  readonly #programs: ProgramSet;
  readonly #mailbox: Mailbox;
  readonly #shipper: Shipper;
  /** Exchanges whose messages are waited for. */
  readonly #awaited = new Map<number, Condition>();
  /** Programs that are to run beside the others and have not begun. */
  readonly #prepared: (() => void)[] = [];
  readonly #plans: { body: unknown; at: Instant }[] = [];
  #planCondition = new Condition();
  #program: (() => Program) | undefined;
  #context: ProcessContext | undefined;
  /** By the list of ranks: some come again and again. */
  readonly #classesOfRanks = new WeakMap<readonly number[], readonly number[]>();
  #launchedAt: Instant = RUN_START;
  /** While a graph is replayed: all its kernels are launched at once. */
  #isReplaying = false;

  constructor(options: GpuOptions) {
    this.rank = options.rank;
    this.costModel = options.costModel;
    this.recorder = options.recorder;
    this.#options = options;
    this.#streams = new Streams(options.costModel.profile.sms);
    this.#programs = new ProgramSet(options.name);
    this.#mailbox = new Mailbox(options.rank, options.parcels, options.recorder);
    this.#shipper = new Shipper(options.rank, options.routeTo);
  }

  /** Gives the GPU its program; it starts with the run. */
  load(program: () => Program): void {
    this.#program = program;
  }

  start(context: ProcessContext): void {
    this.#context = context;
    if (this.#program !== undefined) this.#programs.start("program", this.#program());
  }

  handle(event: ProcessEvent, context: ProcessContext): void {
    this.#context = context;
    this.#programs.advanceTo(context.now);
    if (event.kind === GATHERED) {
      const condition = defined(this.#awaited.get(event.argument), "an exchange that is waited for");
      this.#awaited.delete(event.argument);
      // Earlier than now where the GPU was ahead of it.
      condition.fulfil(context.gathered(event.argument).latest);
    } else if (event.kind === BESIDE) this.#prepared.shift()!();
    else {
      invariant(event.kind === CONTROL_EVENTS.plan, `a GPU does not know event kind ${event.kind}`);
      this.#plans.push({ body: event.body, at: context.now });
      const condition = this.#planCondition;
      this.#planCondition = new Condition();
      condition.fulfil(context.now);
    }
  }

  get outlook(): Outlook {
    return this.#programs.outlook;
  }

  get waits(): readonly WaitOutlook[] {
    const { waits } = this.#programs;
    return this.#prepared.length === 0 ? waits : [...waits, { notBefore: this.now, quiet: NO_TIME }];
  }

  waiting(): readonly WaitReport[] {
    return this.#programs.waiting();
  }

  /** The instant of the event that is handled. */
  get now(): Instant {
    return this.#context?.now ?? RUN_START;
  }

  /** When all that was issued on a stream is complete. */
  freeAt(stream: StreamName): Instant {
    return this.#streams.freeAt(stream);
  }

  /** Issues an operation and returns at once, as a kernel launch does. */
  compute(operation: Operation): Completion {
    const {
      name,
      place,
      cost,
      stream = "compute",
      sms = this.costModel.profile.sms,
      dependsOn = [],
    } = operation;
    const { resident = false, lasts = 0, rows = 0 } = operation;
    if (!resident && !this.#isReplaying) {
      this.#launchedAt = after(this.#launchedAt, this.costModel.launchTime(cost));
    }
    const launchedAt = resident ? RUN_START : this.#launchedAt;
    const needed = operation.needed ?? this.costModel.duration(cost, sms);
    const duration = Math.max(needed, lasts) as Duration;
    const { start, end, cause } = this.#streams.issue(stream, duration, sms, launchedAt, dependsOn);
    const { step, layer, microBatch } = place;
    const held = duration - needed;
    const times = { start, end, held };
    const span = this.recorder.span({ name, stream, ...times, step, layer, microBatch, sms, rows, cause });
    return { at: end, start, span, cause: { kind: "event", span } };
  }

  /** Launches a captured graph: the host time of one kernel launch, for all operations until `endReplay`. */
  beginReplay(): void {
    invariant(!this.#isReplaying, `rank ${this.rank} replays a graph within a graph`);
    this.#launchedAt = after(this.#launchedAt, this.costModel.launchTime(GRAPH_LAUNCH));
    this.#isReplaying = true;
  }

  /** Whether operations that are issued now are part of a graph. */
  get isReplaying(): boolean {
    return this.#isReplaying;
  }

  endReplay(): void {
    invariant(this.#isReplaying, `rank ${this.rank} replays no graph`);
    this.#isReplaying = false;
  }

  /** The time that an operation would take, without issuing it; for promises. */
  durationOf(cost: CostSequence, sms: number = this.costModel.profile.sms): Duration {
    return this.costModel.duration(cost, sms);
  }

  /** Hands one parcel for each target to the network, when `after` is complete. */
  send(sending: Sending): void {
    const context = this.#context;
    invariant(context !== undefined, "a GPU sends only while one of its events is handled");
    const { exchange, phase, place, after: made } = sending;
    const sentAt = latest(sending.at ?? made.at, context.now);
    const { step, layer, microBatch } = place;
    const header: ExchangeHeader = {
      step,
      layer,
      microBatch,
      phase,
      sendSpan: made.span,
      sendStart: made.start,
    };
    for (const { shipment, route, bytes } of this.#shipper.group({ exchange, sentAt, header }, sending)) {
      this.#checkPromise(sentAt, route.process, phase);
      const { process } = route;
      const time = after(sentAt, route.latency);
      context.send({
        target: process,
        kind: FABRIC_EVENTS.shipment,
        sentAt,
        time,
        size: bytes,
        body: shipment,
      });
      if (!context.announces) continue;
      const { targets } = shipment;
      for (let index = 0; index < targets.length; index++)
        context.announce(targets[index]!, exchange, process, time);
    }
  }

  /** Waits until every source's parcel of an exchange is there. */
  *receive(receiving: Receiving): Program<Received> {
    const { exchange, sources, what, stream = "compute", quiet } = receiving;
    const context = this.#context;
    invariant(context !== undefined, "a GPU receives only while one of its events is handled");
    const announcedBy = this.#classesOf(sources, context);
    if (!context.expect(exchange, sources.length, GATHERED, announcedBy)) {
      const condition = new Condition();
      this.#awaited.set(exchange, condition);
      const missing = (): string[] => {
        const here = this.#mailbox.sourcesOf(context.gathered(exchange));
        return sources.filter((source) => !here.has(source)).map((source) => `rank ${source}`);
      };
      const notBefore = this.#streams.freeAt(stream);
      const { towards, end } = receiving;
      yield* until({
        condition,
        what,
        missing,
        notBefore,
        quiet,
        gather: exchange,
        announcedBy,
        ...(end === undefined ? {} : { end }),
        ...(towards === undefined ? {} : { towards: this.classesTowards(towards) }),
      });
    }
    const received = this.#mailbox.open(exchange, sources, context.gathered(exchange));
    context.forget(exchange);
    return received;
  }

  /** Whom a program sends to first after a wait, by the classes of the processes that messages go to. */
  classesTowards(first: FirstTargets): Towards {
    const context = this.#context;
    invariant(context !== undefined, "a GPU waits only while one of its events is handled");
    if (first === "scheduler")
      return { classes: [context.classOf(this.#options.scheduler.process)], quietBeyond: "told" };
    return { classes: this.#classesOf(first.ranks, context), quietBeyond: first.quietBeyond };
  }

  /** Runs another program of this GPU beside the one that calls, as soon as that one waits. */
  beside(name: string, program: Program): void {
    const context = this.#context;
    invariant(context !== undefined, "a GPU runs programs only while one of its events is handled");
    this.#prepared.push(this.#programs.prepare(name, program));
    context.sendSelf(context.now, BESIDE, 0);
  }

  /** The host stands still until something holds, and launches nothing before. */
  hostWaited(until: Dependency, place: Place): void {
    invariant(!this.#isReplaying, `the host of rank ${this.rank} can't wait within a graph`);
    const start = this.#launchedAt;
    if (until.at <= start) return;
    const { step, layer, microBatch } = place;
    const { at: end, cause } = until;
    const span = { name: "host.wait", stream: "host", sms: 0, rows: 0, held: 0 } as const;
    this.recorder.span({ ...span, start, end, step, layer, microBatch, cause });
    this.#launchedAt = end;
  }

  /** Waits for the scheduler's next plan; the host learns it and launches nothing before. */
  *plan(): Program<{ readonly plan: unknown; readonly dependency: Dependency }> {
    if (this.#plans.length === 0) {
      yield* until({
        condition: this.#planCondition,
        what: "the scheduler's plan",
        missing: () => ["scheduler"],
        notBefore: this.#streams.freeAt("compute"),
        quiet: NO_TIME,
        isTold: true,
      });
    }
    const { body, at } = this.#plans.shift()!;
    this.#launchedAt = latest(this.#launchedAt, at);
    const cause: Cause = { kind: "plan" };
    return { plan: body, dependency: { at, cause } };
  }

  /** Tells the scheduler what a step gave, when `at` has come. */
  report(body: unknown, at: Instant): void {
    const context = this.#context;
    invariant(context !== undefined, "a GPU reports only while one of its events is handled");
    const { process, latency } = this.#options.scheduler;
    const sentAt = latest(at, context.now);
    this.#checkPromise(sentAt, process, "its report");
    context.send({
      target: process,
      kind: CONTROL_EVENTS.report,
      sentAt,
      time: after(sentAt, latency),
      size: 0,
      body,
    });
  }

  /** Classes of the processes that messages to ranks go to first, and those from them just so. */
  #classesOf(ranks: readonly number[], context: ProcessContext): readonly number[] {
    let classes = this.#classesOfRanks.get(ranks);
    if (classes === undefined) {
      const all = new Set(ranks.map((rank) => context.classOf(this.#shipper.routeOf(rank).process)));
      this.#classesOfRanks.set(ranks, (classes = [...all]));
    }
    return classes;
  }

  #checkPromise(sentAt: Instant, process: number, what: string): void {
    const promised = this.#programs.promisedTo(this.#context!.classOf(process));
    if (sentAt >= promised) return;
    if (promised === NEVER) {
      throw new BrokenPromise(
        `rank ${this.rank} sends ${what} where it promised to send nothing: its last wait named other ranks (\`to\`), ` +
          'or only a report was to follow (the schedule\'s "report", with `receivesOnly` of the pattern)',
      );
    }
    throw new BrokenPromise(
      `rank ${this.rank} sends ${what} at ${toMicroseconds(sentAt)} µs and promised nothing before ` +
        `${toMicroseconds(promised)} µs: what its last wait promised to run at least (\`least\`) is too much`,
    );
  }
}
