// Conservative windows: hosts advance together, each round to the horizons that the bounds of all allow.
// Peers are symmetric; bounds and events share one message for each pair and round.
// A host that is alone needs none, and counts none.
// The run is over when nothing is pending anywhere; a program that still waits then waits for ever.

import { type Instant, invariant, WorldError } from "@windtunnel/base";
import type { Cargo } from "./cargo.ts";
import type { ClassGraph } from "./class-graph.ts";
import { EventBatch, type PackedEvents, unpackEvents } from "./event-batch.ts";
import { EventLoop, type EventObserver } from "./event-loop.ts";
import { Horizons } from "./horizons.ts";
import type { LogicalProcess, WaitReport } from "./logical-process.ts";

/** What one host tells another in a round. */
export interface WindowMessage {
  readonly round: number;
  /** The sender's `Bounds`, packed. */
  readonly bounds: Float64Array;
  readonly events: PackedEvents | undefined;
  /** [1]: processor time, in microseconds, that the sender worked since the last round. */
  readonly work: Float64Array;
}

/** Carries the messages of a round between hosts; made by the transport. */
export interface WindowExchange {
  readonly self: number;
  readonly hostCount: number;
  /** Processor time, in microseconds, that it has spent waiting so far; absent: none. */
  readonly spunTime?: number;
  /** Sends `outgoing[h]` to each other host h and gives what each of them sent, own entry undefined. */
  swap(
    outgoing: readonly WindowMessage[],
  ): readonly (WindowMessage | undefined)[] | Promise<readonly (WindowMessage | undefined)[]>;
}

export interface WindowOptions {
  readonly processes: ReadonlyMap<number, LogicalProcess>;
  readonly classes: ClassGraph;
  readonly classOf: (process: number) => number;
  readonly hostOf: (process: number) => number;
  readonly exchange: WindowExchange;
  readonly cargo?: Cargo;
  readonly observer?: EventObserver;
  /** Asked between events: whether the adapter wants the thread for a moment (signals, progress). */
  readonly pause?: () => boolean;
  readonly breathe?: (state: HostState) => Promise<void>;
  /** Processor time of this thread so far, in microseconds; absent: work is not measured. */
  readonly processorTime?: () => number;
}

export interface HostState {
  readonly now: Instant;
  readonly events: number;
  readonly rounds: number;
}

export interface HostOutcome extends HostState {
  readonly digests: ReadonlyMap<number, string>;
  /** Programs that wait for ever; empty when all came to their end. */
  readonly waiting: readonly WaitReport[];
  /** Processor time of all hosts over all rounds, and that of the slowest host of each round, in microseconds. */
  readonly work: { readonly all: number; readonly slowest: number };
}

/** What is announced in a round sharpens the bounds of the next one: one round may pass that changes nothing else. */
const MOST_STALLED = 1;

/** Runs the processes of one host to the end of the run. */
export async function runHost(options: WindowOptions): Promise<HostOutcome> {
  const { exchange, classes } = options;
  const isAlone = exchange.hostCount === 1;
  const outboxes = Array.from({ length: exchange.hostCount }, () => new EventBatch());
  const loop = new EventLoop({
    processes: options.processes,
    classes,
    classOf: options.classOf,
    ...(isAlone ? {} : { outboxFor: (process) => outboxes[options.hostOf(process)]! }),
    ...(options.cargo === undefined ? {} : { cargo: options.cargo }),
    ...(options.observer === undefined ? {} : { observer: options.observer }),
  });
  const { cargo } = loop;
  const horizons = new Horizons(classes);
  let rounds = 0;
  const hostState = (): HostState => ({ now: loop.now, events: loop.eventCount, rounds });
  let lastProgress = "";
  let stalled = 0;
  const processorTime = options.processorTime ?? (() => 0);
  const work = { all: 0, slowest: 0 };
  const workTime = (): number => processorTime() - (exchange.spunTime ?? 0);
  let workedBefore = workTime();

  loop.start();
  for (;;) {
    const bounds = loop.takeBounds();
    if (!isAlone) {
      const packed = outboxes.map((outbox) => outbox.pack(cargo));
      // Asking takes tens of microseconds: once a round.
      const workedNow = workTime();
      const own = workedNow - workedBefore;
      workedBefore = workedNow;
      const state = { round: rounds, bounds: bounds.pack(), work: Float64Array.of(own) };
      const messages = packed.map((events): WindowMessage => ({ ...state, events }));
      const received = await exchange.swap(messages);
      work.all += own;
      let slowest = own;
      for (const message of received) {
        if (message === undefined) continue;
        const [worked = 0] = message.work;
        work.all += worked;
        slowest = Math.max(slowest, worked);
        invariant(message.round === rounds, `a message of round ${message.round} in round ${rounds}`);
        if (message.events !== undefined) takeEvents(loop, message.events);
        bounds.lowerTo(message.bounds);
      }
      work.slowest += slowest;
      rounds++;
    }
    if (bounds.isIdle) break;
    const outside = isAlone ? horizons.unreached : horizons.fromOutside(bounds);
    const progress = `${outside.any.join()}/${loop.eventCount}`;
    stalled = progress === lastProgress ? stalled + 1 : 0;
    invariant(
      stalled <= MOST_STALLED,
      `${stalled} rounds up to ${rounds} handle no event and raise no bound`,
    );
    lastProgress = progress;
    while (!loop.advance(outside, options.pause)) await options.breathe?.(hostState());
    if (options.pause?.() === true) await options.breathe?.(hostState());
  }
  return { ...hostState(), digests: loop.digests(), waiting: loop.waiting(), work };
}

function takeEvents(loop: EventLoop, events: PackedEvents): void {
  const { announcements } = events;
  for (let at = 0; at < announcements.length; at += 4) {
    const [target, gather, count, notBefore] = announcements.subarray(at, at + 4);
    loop.receiveAnnouncement(target!, gather!, count!, notBefore!);
  }
  unpackEvents(events, loop.cargo, (event) => loop.receive(event));
}

/** The error of a run in which nothing can happen any more and programs still wait; who has waited longest stands first. */
export function deadlockError(waiting: readonly WaitReport[]): WorldError {
  const shown = 12;
  const longestFirst = waiting.toSorted((a, b) => a.since - b.since);
  const lines = longestFirst.slice(0, shown).map(({ who, what, since, missing }) => {
    const lacks =
      missing.length === 0
        ? ""
        : `; missing: ${missing.slice(0, 8).join(", ")}${missing.length > 8 ? ", …" : ""}`;
    return `  ${who} waits for ${what} since ${(since / 1e6).toFixed(3)} µs${lacks}`;
  });
  if (waiting.length > shown) lines.push(`  … and ${waiting.length - shown} more`);
  return new WorldError(
    "deadlock",
    `nothing can happen any more, and ${waiting.length} programs wait:\n${lines.join("\n")}`,
  );
}
