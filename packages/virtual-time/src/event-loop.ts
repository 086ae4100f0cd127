// The sequential loop over the processes of one host: takes the first event of all, hands it to its target,
// files what that sends. Events for processes on other hosts go to the outbox.
// Invariant: each process sees its events in the total order; nothing arrives below a bound already passed.

import { type Instant, invariant, NEVER, RUN_START } from "@windtunnel/base";
import { type ClassBound, type ClassGraph, emptyBounds } from "./class-graph.ts";
import { EventDigest } from "./digest.ts";
import { isKind, isProcessNumber, rankOfKey } from "./event-order.ts";
import { EventQueue } from "./event-queue.ts";
import type {
  LogicalProcess,
  OutgoingEvent,
  ProcessContext,
  ProcessEvent,
  WaitReport,
} from "./logical-process.ts";

/** An event on its way to another host: a plain copy. */
export interface RemoteEvent {
  readonly time: Instant;
  readonly kind: number;
  readonly source: number;
  readonly sequence: number;
  readonly target: number;
  readonly size: number;
  readonly body: unknown;
}

/** Sees every event before its target does; for logs of events. */
export type EventObserver = (event: Readonly<ProcessEvent>) => void;

export interface EventLoopOptions {
  /** The processes that live here, by number. */
  readonly processes: ReadonlyMap<number, LogicalProcess>;
  readonly classes: ClassGraph;
  /** Class of any process of the run, also of those that live elsewhere. */
  readonly classOf: (process: number) => number;
  /** Takes events for processes that do not live here. Absent: all live here. */
  readonly outbox?: (event: RemoteEvent) => void;
  readonly observer?: EventObserver;
}

/** A process that lives here; it is its own context, so that an event makes no object. */
class Resident implements ProcessContext {
  readonly number: number;
  readonly process: LogicalProcess;
  readonly classIndex: number;
  readonly digest: EventDigest = new EventDigest();
  readonly #queue: EventQueue;
  readonly #route: (sender: Resident, event: OutgoingEvent) => void;
  nextSequence = 0;
  now: Instant = RUN_START;

  constructor(
    number: number,
    process: LogicalProcess,
    classIndex: number,
    queue: EventQueue,
    route: (sender: Resident, event: OutgoingEvent) => void,
  ) {
    this.number = number;
    this.process = process;
    this.classIndex = classIndex;
    this.#queue = queue;
    this.#route = route;
  }

  send(event: OutgoingEvent): void {
    this.#route(this, event);
  }

  sendSelf(time: Instant, kind: number, argument: number): void {
    invariant(time >= this.now, `process ${this.number} sends itself an event into the past`);
    invariant(isKind(kind), `event kind ${kind}`);
    this.#queue.push(time, kind, this.number, this.nextSequence++, this.number, argument, 0, undefined);
  }
}

export class EventLoop {
  readonly #residents = new Map<number, Resident>();
  readonly #classes: ClassGraph;
  readonly #classOf: (process: number) => number;
  readonly #outbox: ((event: RemoteEvent) => void) | undefined;
  readonly #observer: EventObserver | undefined;
  /** One queue for each class: classes have horizons of their own. */
  readonly #queues: readonly EventQueue[];
  readonly #passed: number[];
  #justSent: number[];
  #eventCount = 0;
  #now: Instant = RUN_START;

  constructor(options: EventLoopOptions) {
    this.#classes = options.classes;
    this.#classOf = options.classOf;
    this.#outbox = options.outbox;
    this.#observer = options.observer;
    this.#queues = options.classes.names.map(() => new EventQueue());
    const route = (sender: Resident, event: OutgoingEvent): void => this.#send(sender, event);
    for (const [number, process] of options.processes) {
      invariant(isProcessNumber(number), `process number ${number}`);
      const classIndex = options.classOf(number);
      const queue = this.#queues[classIndex]!;
      this.#residents.set(number, new Resident(number, process, classIndex, queue, route));
    }
    this.#passed = options.classes.names.map(() => 0);
    this.#justSent = options.classes.names.map(() => NEVER);
  }

  get eventCount(): number {
    return this.#eventCount;
  }

  /** The latest time of an event handled: classes have horizons of their own, so the last one may be earlier. */
  get now(): Instant {
    return this.#now;
  }

  /** Starts every process, in the order in which they were given. */
  start(): void {
    for (const resident of this.#residents.values()) {
      resident.process.start?.(resident);
    }
  }

  /**
   * Handles every event below its class's horizon, in order. `pause` is asked after each event that had a body and
   * may interrupt: then the result is false and the same call goes on later.
   */
  advance(horizonByClass: readonly number[], pause?: () => boolean): boolean {
    const event = blankEvent();
    for (;;) {
      let first: EventQueue | undefined;
      for (const [classIndex, queue] of this.#queues.entries()) {
        if (queue.count === 0 || queue.earliestTime >= horizonByClass[classIndex]!) continue;
        if (first === undefined || queue.headComesBefore(first)) first = queue;
      }
      if (first === undefined) break;
      first.popInto(event);
      this.#dispatch(event);
      if (event.body !== undefined && pause?.() === true) return false;
    }
    for (const [classIndex, horizon] of horizonByClass.entries()) {
      this.#passed[classIndex] = Math.max(this.#passed[classIndex]!, horizon);
    }
    return true;
  }

  /** Files an event from another host. */
  receive(event: RemoteEvent): void {
    const classIndex = this.#classOf(event.target);
    invariant(
      this.#residents.has(event.target),
      `an event for process ${event.target}, which does not live here`,
    );
    invariant(
      event.time >= this.#passed[classIndex]!,
      `event at ${event.time} ps for process ${event.target} arrived below the bound ${this.#passed[classIndex]} ps`,
    );
    this.#queues[classIndex]!.push(
      event.time,
      event.kind,
      event.source,
      event.sequence,
      event.target,
      0,
      event.size,
      event.body,
    );
  }

  /** What this host can promise now; what it sent since the last call counts once. */
  takeBounds(): ClassBound[] {
    const bounds = emptyBounds(this.#queues.length);
    for (const resident of this.#residents.values()) {
      const bound = bounds[resident.classIndex]!;
      bound.notBefore = Math.min(bound.notBefore, resident.process.outlook?.notBefore ?? 0);
      bound.quiet = Math.min(bound.quiet, resident.process.outlook?.quiet ?? 0);
    }
    for (const [classIndex, queue] of this.#queues.entries()) {
      const bound = bounds[classIndex]!;
      queue.forEach((time, target) => {
        const outlook = this.#residents.get(target)?.process.outlook;
        const send = outlook === undefined ? time : Math.max(outlook.notBefore, time + outlook.quiet);
        if (send < bound.pendingSend) bound.pendingSend = send;
      });
      bound.justSent = this.#justSent[classIndex]!;
    }
    this.#justSent = this.#justSent.map(() => NEVER);
    return bounds;
  }

  /** A digest for each process that lives here. */
  digests(): Map<number, string> {
    return new Map([...this.#residents].map(([number, resident]) => [number, resident.digest.toString()]));
  }

  waiting(): WaitReport[] {
    return [...this.#residents.values()].flatMap((resident) => resident.process.waiting?.() ?? []);
  }

  #dispatch(event: ProcessEvent): void {
    const resident = this.#residents.get(event.target)!;
    if (event.time > this.#now) this.#now = event.time;
    this.#eventCount++;
    resident.digest.add(event.time, rankOfKey(event.kind, event.source), event.sequence, event.size);
    this.#observer?.(event);
    resident.now = event.time;
    resident.process.handle(event, resident);
  }

  #send(sender: Resident, event: OutgoingEvent): void {
    const targetClass = this.#classOf(event.target);
    const latency = this.#classes.latency[sender.classIndex]![targetClass];
    const names = this.#classes.names;
    const edge = `${names[sender.classIndex]} to ${names[targetClass]}`;
    invariant(latency !== undefined, `nothing is sent from ${edge}`);
    invariant(
      event.sentAt >= sender.now,
      `process ${sender.number} sends into the past: ${event.sentAt} < ${sender.now} ps`,
    );
    invariant(event.time >= event.sentAt + latency, `from ${edge} takes at least ${latency} ps`);
    invariant(isKind(event.kind), `event kind ${event.kind}`);
    const sequence = sender.nextSequence++;
    if (this.#residents.has(event.target)) {
      this.#queues[targetClass]!.push(
        event.time,
        event.kind,
        sender.number,
        sequence,
        event.target,
        0,
        event.size,
        event.body,
      );
      return;
    }
    invariant(this.#outbox !== undefined, `process ${event.target} lives nowhere`);
    this.#justSent[targetClass] = Math.min(this.#justSent[targetClass]!, event.time);
    const { time, kind, target, size, body } = event;
    this.#outbox({ time, kind, source: sender.number, sequence, target, size, body });
  }
}

function blankEvent(): ProcessEvent {
  return {
    time: RUN_START,
    kind: 0,
    source: 0,
    sequence: 0,
    target: 0,
    argument: 0,
    size: 0,
    body: undefined,
  };
}
