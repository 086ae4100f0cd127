// A process that lives on this host: its pending events, its gathers, its digest. It is its own context, so that an event
// makes no object. It asserts at each send what the class graph states, and at each arrival that nothing comes too late.

import { type Instant, invariant, InvariantViolation, NEVER, RUN_START } from "@windtunnel/base";
import { Answers } from "./answers.ts";
import { type Bounds, promiseLength } from "./bounds.ts";
import type { ClassGraph } from "./class-graph.ts";
import { EventDigest } from "./digest.ts";
import type { EventBatch } from "./event-batch.ts";
import { isKind, isProcessNumber, kindOfKey, rankOfKey, sourceOfKey } from "./event-order.ts";
import { EventQueue } from "./event-queue.ts";
import { Gather } from "./gather.ts";
import type { Reach } from "./horizons.ts";
import type {
  GatheredParts,
  HandedSlot,
  LogicalProcess,
  OutgoingEvent,
  OwnEvents,
  ProcessContext,
  ProcessEvent,
} from "./logical-process.ts";
import { RunAhead } from "./run-ahead.ts";
import { StandingPromise } from "./standing-promise.ts";

/** What the residents of a host share. */
export interface Neighbourhood {
  readonly classes: ClassGraph;
  readonly classOf: (process: number) => number;
  /** What each class has been advanced to. */
  readonly passed: Float64Array;
  readonly observer: ((event: Readonly<ProcessEvent>) => void) | undefined;
  readonly residentOf: (process: number) => Resident | undefined;
  /** [residents · promiseLength(classes)] */
  readonly promises: Float64Array;
  /** Whether parts are announced: it only pays where others wait for what this host promises. */
  readonly announces: boolean;
  /** The batch for a process on another host. */
  readonly batchFor: (process: number) => EventBatch;
  /** Of what is sent to other hosts until the next round. */
  readonly bounds: () => Bounds;
}

/** A slot that comes to a process, as whoever files it has it. */
type TimedSlot = Readonly<{ time: number; sequence: number; size: number; slot: number }>;

export class Resident implements ProcessContext {
  readonly number: number;
  readonly process: LogicalProcess;
  readonly classIndex: number;
  readonly digest: EventDigest = new EventDigest();
  readonly #shared: Neighbourhood;
  /** latency[class]: the least time from here to a process of that class; NaN where nothing is sent. */
  readonly #latency: Float64Array;
  readonly #queue = new EventQueue();
  readonly #gathers = new Map<number, Gather>();
  /** The one that was asked for last; parts of a gather often come one after the other. */
  #lastNumber = -1;
  #last: Gather | undefined;
  /** Gathers that are over, for the next ones. */
  readonly #spare: Gather[] = [];
  readonly #event: ProcessEvent;
  #nextSequence = 0;
  #partCount = 0;
  readonly #ahead: RunAhead;
  readonly #promise: StandingPromise;
  readonly #answers: Answers | undefined;
  now: Instant = RUN_START;

  /** `index`: among the residents of its host. */
  constructor(number: number, process: LogicalProcess, shared: Neighbourhood, index: number) {
    invariant(isProcessNumber(number), `process number ${number}`);
    this.number = number;
    this.process = process;
    this.#shared = shared;
    this.classIndex = shared.classOf(number);
    this.#ahead = new RunAhead(this.classIndex, (gather) => this.#gathers.get(gather));
    this.#promise = new StandingPromise(
      process,
      { own: this.classIndex, count: shared.classes.names.length },
      { of: (gather) => this.#gathers.get(gather), announces: shared.announces },
      shared.promises,
      index * promiseLength(shared.classes.names.length),
    );
    this.#answers = Answers.of(shared.classes, this.classIndex, shared.classOf);
    this.#latency = Float64Array.from(
      shared.classes.latency[this.classIndex]!,
      (latency) => latency ?? Number.NaN,
    );
    this.#event = {
      time: RUN_START,
      kind: 0,
      source: 0,
      sequence: 0,
      target: number,
      argument: 0,
      size: 0,
      body: undefined,
    };
  }

  get earliestTime(): number {
    const queued = this.#queue.earliestTime;
    const { own } = this.process;
    return own !== undefined && own.earliestTime < queued ? own.earliestTime : queued;
  }

  get partCount(): number {
    return this.#partCount;
  }

  /** Whether it runs programs: one event of such a process may stand for much work. */
  get isProgram(): boolean {
    return this.process.outlook !== undefined;
  }

  start(): void {
    this.process.start?.(this);
  }

  /** Below which it may handle its events: the horizon of its class, or beyond. */
  horizonIn(reach: Reach): number {
    const horizon = reach.any[this.classIndex]!;
    const { earliestTime } = this;
    if (!this.#shared.announces || earliestTime < horizon || earliestTime === NEVER) return horizon;
    const { waits } = this.process;
    return waits === undefined ? horizon : this.#ahead.horizonOf(waits);
  }

  /** A pass begins: goes on where it stopped beyond the horizon of its class. Whether it did. */
  begin(reach: Reach): boolean {
    this.#ahead.begin(reach);
    const asked = this.#ahead.decided(this.now);
    if (asked === undefined) return false;
    const { number, kind } = asked;
    const gather = this.#gatherOf(number);
    if (gather.latest > this.now) {
      this.#wake(number, gather);
      return false;
    }
    const event = this.#event;
    event.time = this.now;
    event.kind = kind;
    event.source = this.number;
    event.sequence = number;
    event.argument = number;
    event.size = 0;
    event.body = undefined;
    this.#promise.isStale = true;
    this.process.handle(event, this);
    return true;
  }

  /** Handles events below the horizon, at most so many; returns how many. */
  handleBelow(horizon: number, limit: number): number {
    const event = this.#event;
    const queue = this.#queue;
    const { observer } = this.#shared;
    let handled = 0;
    this.#promise.isStale = true;
    const { own } = this.process;
    while (handled < limit) {
      const queued = queue.earliestTime;
      if (own !== undefined && own.earliestTime < horizon && own.earliestTime <= queued) {
        const before = own.count;
        // Those at the same instant as a queued event come before it.
        const end = queued < horizon ? queued + 1 : horizon;
        own.runBefore(end, limit - handled, this, this.digest, this.#observeOwn);
        handled += own.count - before;
        continue;
      }
      if (queued >= horizon) break;
      queue.popInto(event);
      handled++;
      this.digest.add(event.time, rankOfKey(event.kind, event.source), event.sequence, event.size);
      observer?.(event);
      this.now = event.time;
      this.#answers?.receivedFrom(event.source);
      this.process.handle(event, this);
    }
    return handled;
  }

  /** Tells the observer of an event that the process keeps itself. */
  get #observeOwn(): Parameters<OwnEvents["runBefore"]>[4] {
    const { observer } = this.#shared;
    if (observer === undefined) return undefined;
    return (time, rank, sequence, size) => {
      const key = { time, kind: kindOfKey(rank), source: sourceOfKey(rank), sequence };
      observer({ ...key, target: this.number, argument: 0, size, body: undefined });
    };
  }

  /** Takes what this process can promise into its host's bounds. */
  lowerTo(bounds: Bounds): void {
    const { earliestTime } = this;
    bounds.pending(this.classIndex, earliestTime);
    this.#promise.lower(bounds, earliestTime);
    this.#answers?.lower(bounds, this.#promise, this.#queue);
  }

  /** An event for this process. */
  file(time: number, kind: number, source: number, sequence: number, size: number, body: unknown): void {
    if (time < this.#shared.passed[this.classIndex]! || time < this.now) this.#cameTooLate(time);
    this.#queue.push(time, kind, source, sequence, 0, size, body);
  }

  /** A part of one of this process's gathers. */
  filePart(part: TimedSlot, rank: number, number: number, label: number): void {
    const { time } = part;
    if (time < this.#shared.passed[this.classIndex]!) this.#cameTooLate(time);
    this.digest.addPart(part, rank);
    this.#partCount++;
    const { observer } = this.#shared;
    if (observer !== undefined) {
      const [kind, source] = [kindOfKey(rank), sourceOfKey(rank)];
      const at = { time: time as Instant, kind, source, sequence: part.sequence, target: this.number };
      observer({ ...at, argument: number, size: part.size, body: undefined });
    }
    const gather = this.#gatherOf(number);
    const isLast = gather.add(part, label);
    if (this.#shared.announces) {
      if (gather.count > gather.announced) this.#cameUnannounced(number);
      // The last one comes no sooner than this one.
      if (gather.completeAfter !== undefined) this.#promise.isStale = true;
    }
    if (!isLast) return;
    this.#promise.isStale = true;
    if (!this.#ahead.stopsFor(number)) this.#wake(number, gather);
  }

  /** Parts of one of this process's gathers are on their way. */
  takeAnnouncement(number: number, count: number, notBefore: number): void {
    this.#promise.isStale = true;
    this.#gatherOf(number).announce(count, notBefore);
  }

  send(event: OutgoingEvent): void {
    this.#refuseWhileStopped();
    this.#check(event);
    const { target, kind, time, size, body } = event;
    this.#answers?.sentTo(target);
    const sequence = this.#nextSequence++;
    const resident = this.#shared.residentOf(target);
    if (resident !== undefined) resident.file(time, kind, this.number, sequence, size, body);
    else {
      const rank = rankOfKey(kind, this.number);
      this.#outboxFor(target, time).addEvent(time, rank, sequence, target, size, body);
    }
  }

  sendSelf(time: Instant, kind: number, argument: number): void {
    this.#refuseWhileStopped();
    if (time < this.now || !isKind(kind)) this.#sendsWrong(this.number, kind, time, time);
    this.#queue.push(time, kind, this.number, this.#nextSequence++, argument, 0, undefined);
  }

  hand(handed: HandedSlot): void {
    this.#check(handed);
    const { target, kind, sequence } = handed;
    const resident = this.#shared.residentOf(target);
    if (resident !== undefined) resident.takeHanded(handed, handed.lane, this.number, sequence);
    else {
      const { time, size, slot, lane } = handed;
      const rank = rankOfKey(kind, this.number);
      this.#outboxFor(target, time).addHanded(time, rank, sequence, target, size, slot, lane);
    }
  }

  /** A slot that is handed to this process. */
  takeHanded(handed: TimedSlot, lane: number, source: number, sequence: number): void {
    const { time, slot } = handed;
    if (time < this.#shared.passed[this.classIndex]!) this.#cameTooLate(time);
    const { own } = this.process;
    if (own === undefined) invariant(false, `process ${this.number} is handed a slot and keeps none`);
    else own.take(slot, lane, source, sequence);
  }

  classOf(process: number): number {
    return this.#shared.classOf(process);
  }

  latencyTo(process: number): number {
    return this.#latency[this.#shared.classOf(process)]!;
  }

  isHere(process: number): boolean {
    return this.#shared.residentOf(process) !== undefined;
  }

  get announces(): boolean {
    return this.#shared.announces;
  }

  announce(target: number, gather: number, first: number, notBefore: number): void {
    const { announces, bounds, classOf } = this.#shared;
    if (!announces) return;
    if (!this.isHere(target)) bounds().announced(classOf(target), classOf(first), notBefore);
    this.#announce(target, gather, 1, notBefore);
  }

  sharpen(target: number, gather: number, notBefore: number): void {
    if (this.#shared.announces) this.#announce(target, gather, 0, notBefore);
  }

  #announce(target: number, gather: number, count: number, notBefore: number): void {
    const resident = this.#shared.residentOf(target);
    if (resident !== undefined) resident.takeAnnouncement(gather, count, notBefore);
    else this.#shared.batchFor(target).announce(target, gather, count, notBefore);
  }

  #outboxFor(target: number, time: number): EventBatch {
    const { bounds, classes, classOf, batchFor } = this.#shared;
    const classIndex = classOf(target);
    bounds().sent(classIndex, time, classes.carriers?.[this.classIndex] === true);
    if (classes.staysOnHost?.(this.classIndex, classIndex) === true) this.#leavesHost(target);
    return batchFor(target);
  }

  handPart(handed: HandedSlot, gather: number, label: number): void {
    this.#check(handed);
    const { target, kind } = handed;
    const rank = rankOfKey(kind, this.number);
    const resident = this.#shared.residentOf(target);
    if (resident !== undefined) resident.filePart(handed, rank, gather, label);
    else {
      const { time, sequence, size, slot } = handed;
      const outbox = this.#outboxFor(target, time);
      outbox.addPart(time, rank, sequence, target, size, gather, slot, label);
    }
  }

  expect(number: number, count: number, kind: number, announcedBy?: readonly number[]): boolean {
    const gather = this.#gatherOf(number);
    gather.expect(count, kind);
    if (gather.isComplete && gather.latest <= this.now) return true;
    if (gather.isComplete) this.#wake(number, gather);
    else if (this.#shared.announces) this.#ahead.ask({ number, kind, announcedBy }, this.now);
    return false;
  }

  gathered(number: number): GatheredParts {
    return this.#gatherOf(number);
  }

  forget(number: number): void {
    const gather = this.#gathers.get(number);
    if (gather === undefined) return;
    this.#gathers.delete(number);
    this.#lastNumber = -1;
    gather.clear();
    this.#spare.push(gather);
  }

  /** The event of a complete gather, numbered by it: the order in which parts are filed is a matter of placement. */
  #wake(number: number, { latest, kind }: Gather): void {
    if (latest < this.now) this.#completedTooLate(number, latest);
    this.#queue.push(latest, kind, this.number, number, number, 0, undefined);
  }

  #gatherOf(number: number): Gather {
    if (number === this.#lastNumber) return this.#last!;
    let gather = this.#gathers.get(number);
    if (gather === undefined) this.#gathers.set(number, (gather = this.#spare.pop() ?? new Gather()));
    this.#lastNumber = number;
    this.#last = gather;
    return gather;
  }

  /** Where it stopped it may not know yet what it would have sent before. */
  #refuseWhileStopped(): void {
    if (!this.#ahead.isStopped) return;
    invariant(false, `process ${this.number} goes on where it asked for a gather that is not decided`);
  }

  #check({ target, kind, sentAt, time }: Pick<OutgoingEvent, "target" | "kind" | "sentAt" | "time">): void {
    const latency = this.latencyTo(target);
    if (!(time >= sentAt + latency) || sentAt < this.now || !isKind(kind))
      this.#sendsWrong(target, kind, sentAt, time);
  }

  #sendsWrong(target: number, kind: number, sentAt: number, time: number): never {
    const edge = this.#edgeTo(target);
    const latency = this.latencyTo(target);
    const what = `process ${this.number} sends an event of kind ${kind} to process ${target}`;
    invariant(isKind(kind), `${what}: that is no kind`);
    invariant(sentAt >= this.now, `${what} into the past: ${sentAt} < ${this.now} ps`);
    invariant(!Number.isNaN(latency), `${what}: nothing is sent from ${edge}`);
    throw new InvariantViolation(`${what} in ${time - sentAt} ps: from ${edge} takes at least ${latency} ps`);
  }

  #leavesHost(target: number): never {
    const edge = this.#edgeTo(target);
    invariant(
      false,
      `process ${this.number} sends to process ${target} on another host: ${edge} stays on its own`,
    );
  }

  #edgeTo(target: number): string {
    const { classes, classOf } = this.#shared;
    return `${classes.names[this.classIndex]} to ${classes.names[classOf(target)]}`;
  }

  #completedTooLate(gather: number, latest: number): never {
    const what = `gather ${gather} of process ${this.number} is complete at ${latest} ps`;
    invariant(false, `${what}, and the process has gone on to ${this.now} ps`);
  }

  #cameUnannounced(gather: number): never {
    invariant(false, `a part of gather ${gather} of process ${this.number} comes that was never announced`);
  }

  #cameTooLate(time: number): never {
    const passed = this.#shared.passed[this.classIndex]!;
    throw new InvariantViolation(
      `event at ${time} ps for process ${this.number} arrived below the bound ${passed} ps`,
    );
  }
}
