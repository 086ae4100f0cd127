// The loop over the processes of one host. A round has passes, since what stays on the host needs no other. In a pass each
// process, one after the other, handles its pending events below its horizon, in the total order; what it sends is filed with its
// target. Events for processes on other hosts go to the outbox.
// Invariant: nothing reaches a process below a horizon of its class; so each sees its events in the total order, whatever
// the order of processes.

import { type Instant, invariant, RUN_START } from "@windtunnel/base";
import { type Cargo, plainCargo } from "./cargo.ts";
import { Bounds, promiseLength } from "./bounds.ts";
import type { ClassGraph } from "./class-graph.ts";
import { type BatchedEvent, EventBatch } from "./event-batch.ts";
import { kindOfKey, sourceOfKey } from "./event-order.ts";
import { Horizons, type Reach } from "./horizons.ts";
import type { LogicalProcess, ProcessEvent, WaitReport } from "./logical-process.ts";
import { Resident } from "./resident.ts";

/** Sees every event before its target does, and every part of a gather when it is filed; for logs of events. */
export type EventObserver = (event: Readonly<ProcessEvent>) => void;

export interface EventLoopOptions {
  /** The processes that live here, by number. */
  readonly processes: ReadonlyMap<number, LogicalProcess>;
  readonly classes: ClassGraph;
  /** Class of any process of the run, also of those that live elsewhere. */
  readonly classOf: (process: number) => number;
  /** What slots and bodies of events hold; plain bodies unless given. */
  readonly cargo?: Cargo;
  /** The batch for the host of a process that does not live here. Absent: all live here. */
  readonly outboxFor?: (process: number) => EventBatch;
  readonly observer?: EventObserver;
}

/** Events of processes without programs between two looks at whether to pause. */
const PAUSE_INTERVAL = 1024;

export class EventLoop {
  readonly #residents: readonly Resident[];
  readonly #options: EventLoopOptions;
  /** Residents by number; undefined for those that live elsewhere. */
  readonly #residentOf: (Resident | undefined)[] = [];
  /** What each class has been advanced to. */
  readonly #passed: Float64Array;
  readonly #horizons: Horizons;
  /** What was sent to other hosts since the last round. */
  #bounds: Bounds;
  /** What the last call of `takeBounds` gave, and what a pass needs: used again and again. */
  #takenBounds: Bounds;
  readonly #passBounds: Bounds;
  #eventCount = 0;
  /** Programs that went on without an event. */
  #resumed = 0;
  #untilPause = PAUSE_INTERVAL;
  #now: Instant = RUN_START;

  constructor(options: EventLoopOptions) {
    this.#options = options;
    const { processes, classes, classOf, observer } = options;
    this.#passed = new Float64Array(classes.names.length);
    const classCount = classes.names.length;
    this.#bounds = new Bounds(classCount);
    this.#takenBounds = new Bounds(classCount);
    this.#passBounds = new Bounds(classCount);
    this.#horizons = new Horizons(classes);
    const shared = {
      classes,
      classOf,
      passed: this.#passed,
      observer,
      residentOf: (process: number): Resident | undefined => this.#residentOf[process],
      promises: new Float64Array(processes.size * promiseLength(classes.names.length)),
      announces: options.outboxFor !== undefined,
      batchFor: (process: number): EventBatch => this.#batchFor(process),
      bounds: (): Bounds => this.#bounds,
    };
    this.#residents = Array.from(
      processes,
      ([number, process], index) => new Resident(number, process, shared, index),
    );
    for (const resident of this.#residents) this.#residentOf[resident.number] = resident;
  }

  /** Events that were handled, and parts that were filed. */
  get eventCount(): number {
    return this.#eventCount + this.#residents.reduce((sum, { partCount }) => sum + partCount, 0);
  }

  /** The latest time of an event handled: classes have horizons of their own, so the last one may be earlier. */
  get now(): Instant {
    return this.#now;
  }

  /** Starts every process, in the order in which they were given. */
  start(): void {
    for (const resident of this.#residents) resident.start();
  }

  /** Where all processes live here: until nothing is pending. */
  run(): void {
    this.advance(this.#horizons.unreached);
  }

  /**
   * Handles every event that nothing from other hosts can reach any more, in passes: what stays on this host makes rounds of its
   * own. `pause` is asked now and then and may interrupt: then the result is false and the same call goes on later.
   */
  advance(outside: Reach, pause?: () => boolean): boolean {
    const { classes } = this.#options;
    const isAlone = this.#options.outboxFor === undefined;
    const stays = (from: number, to: number): boolean => isAlone || classes.staysOnHost?.(from, to) === true;
    for (;;) {
      this.#passBounds.clear();
      const bounds = this.#pendingBounds(this.#passBounds);
      const reach = this.#horizons.within(bounds, outside, stays);
      const before = this.#eventCount + this.#resumed;
      if (!this.#pass(reach, pause)) return false;
      if (this.#eventCount + this.#resumed === before) return true;
    }
  }

  /** Handles every event below its horizon, process by process; false when it was interrupted. */
  #pass(reach: Reach, pause: (() => boolean) | undefined): boolean {
    for (const [classIndex, horizon] of reach.any.entries()) {
      if (horizon > this.#passed[classIndex]!) this.#passed[classIndex] = horizon;
    }
    for (const resident of this.#residents) {
      if (resident.begin(reach)) this.#resumed++;
      for (;;) {
        const horizon = resident.horizonIn(reach);
        if (!(resident.earliestTime < horizon)) break;
        const handled = resident.handleBelow(horizon, resident.isProgram ? 1 : this.#untilPause);
        if (resident.now > this.#now) this.#now = resident.now;
        this.#eventCount += handled;
        this.#untilPause -= handled;
        if (this.#untilPause > 0 && !resident.isProgram) continue;
        this.#untilPause = PAUSE_INTERVAL;
        if (pause?.() === true) return false;
      }
    }
    return true;
  }

  /** Files what came from another host. */
  receive(event: Readonly<BatchedEvent>): void {
    const { time, rank, sequence, target, size, gather, label, slot, body } = event;
    const resident = this.#residentOf[target];
    invariant(resident !== undefined, `an event for process ${target}, which does not live here`);
    if (gather === undefined && slot >= 0) resident.takeHanded(event, label, sourceOfKey(rank), sequence);
    else if (gather === undefined)
      resident.file(time, kindOfKey(rank), sourceOfKey(rank), sequence, size, body);
    else resident.filePart(event, rank, gather, label);
  }

  /** Parts that set out on another host. */
  receiveAnnouncement(target: number, gather: number, count: number, notBefore: number): void {
    this.#residentOf[target]!.takeAnnouncement(gather, count, notBefore);
  }

  /** What this host can promise now, until the next call; what it sent since the last call counts once. */
  takeBounds(): Bounds {
    const bounds = this.#bounds;
    this.#bounds = this.#takenBounds;
    this.#takenBounds = bounds;
    this.#bounds.clear();
    return this.#pendingBounds(bounds);
  }

  #pendingBounds(bounds: Bounds): Bounds {
    for (const resident of this.#residents) resident.lowerTo(bounds);
    return bounds;
  }

  /** A digest for each process that lives here. */
  digests(): Map<number, string> {
    return new Map(this.#residents.map((resident) => [resident.number, resident.digest.toString()]));
  }

  waiting(): WaitReport[] {
    return this.#residents.flatMap((resident) => resident.process.waiting?.() ?? []);
  }

  get cargo(): Cargo {
    return this.#options.cargo ?? plainCargo;
  }

  #batchFor(process: number): EventBatch {
    const outbox = this.#options.outboxFor?.(process);
    invariant(outbox !== undefined, `process ${process} lives nowhere`);
    return outbox;
  }
}
