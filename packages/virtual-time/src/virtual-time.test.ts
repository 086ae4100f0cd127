import {
  after,
  type Duration,
  type Instant,
  microseconds,
  NEVER,
  NO_TIME,
  picoseconds,
  RandomStream,
  RUN_START,
} from "@windtunnel/base";
import { describe, expect, test } from "vitest";
import {
  Bounds,
  type ClassGraph,
  comesBefore,
  Condition,
  deadlockError,
  EventQueue,
  Horizons,
  type LogicalProcess,
  type Outlook,
  type ProcessContext,
  type ProcessEvent,
  type Program,
  PROMISE,
  promiseLength,
  ProgramSet,
  runHost,
  until,
} from "./index.ts";
import { classOf, PLANES, RANKS, RANKS_AND_PLANES } from "./test-support/ranks-and-planes.ts";
import { createRoundTable } from "./test-support/round-table.ts";

const blank = (): ProcessEvent => ({
  time: RUN_START,
  kind: 0,
  source: 0,
  sequence: 0,
  target: 0,
  argument: 0,
  size: 0,
  body: undefined,
});

describe("event queue", () => {
  test("gives events back in the total order, whatever the order they came in", () => {
    const random = new RandomStream(11, "queue");
    const queue = new EventQueue();
    const keys = Array.from({ length: 5000 }, (_, sequence) => ({
      time: random.below(40),
      kind: random.below(3),
      source: random.below(5),
      sequence,
    }));
    for (const { time, kind, source, sequence } of keys)
      queue.push(time, kind, source, sequence, 0, 0, undefined);
    const event = blank();
    let last = { time: -1, kind: 0, source: 0, sequence: 0 };
    for (let i = 0; i < keys.length; i++) {
      queue.popInto(event);
      const { time, kind, source, sequence } = event;
      expect(
        comesBefore(
          last.time,
          last.kind * 100 + last.source,
          last.sequence,
          time,
          kind * 100 + source,
          sequence,
        ),
      ).toBe(true);
      last = { time, kind, source, sequence };
    }
    expect(queue.count).toBe(0);
  });
});

describe("horizons", () => {
  const RANK = 0;
  const PLANE = 1;
  const graph: ClassGraph = {
    names: ["rank", "plane"],
    latency: [
      [undefined, microseconds(1)],
      [microseconds(2), undefined],
    ],
    carriers: [false, true],
  };

  /** Bounds of one rank, as its waits promise, and of a plane with an event at `planeAt`. */
  function boundsOf(
    promise: Partial<Record<keyof typeof PROMISE, readonly number[]>>,
    planeAt: number,
  ): Bounds {
    const bounds = new Bounds(2);
    bounds.promised(RANK, undefined, numbersOf(promise), 0, NEVER);
    bounds.promised(PLANE, undefined, numbersOf({ open: [0, 0] }), 0, planeAt);
    bounds.pending(PLANE, planeAt);
    return bounds;
  }

  function numbersOf(promise: Partial<Record<keyof typeof PROMISE, readonly number[]>>): Float64Array {
    const numbers = new Float64Array(promiseLength(2)).fill(NEVER);
    for (const [kind, values] of Object.entries(promise))
      numbers.set(values, PROMISE[kind as keyof typeof PROMISE]);
    return numbers;
  }

  const horizons = (bounds: Bounds): number[] => [...new Horizons(graph).everywhere(bounds).any];

  test("follow from the earliest send, the latencies and the promises", () => {
    const [rank, plane] = horizons(boundsOf({ known: [50e6], open: [0, 10e6] }, 20e6));
    // The plane's event at 20 reaches a rank at 22; that rank is quiet for 10, so it reaches a plane at 33 < 51.
    expect(rank).toBe(22e6);
    expect(plane).toBe(33e6);
  });

  test("jump to where gathers may be complete, once their parts are all on their way", () => {
    const on = (notBefore: number, quiet: number): number[] =>
      horizons(boundsOf({ gathered: [notBefore, quiet] }, 20e6));
    expect(on(90e6, 10e6)).toEqual([22e6, 91e6]);
    // A part that is late holds its gather up: what is announced is the least that can be.
    expect(on(5e6, 10e6)).toEqual([22e6, 33e6]);
  });

  test("jump over what is on its way to gathers of which a part has still to be sent", () => {
    const unsentOverPlane = [NEVER, NEVER, 0, 10e6];
    // Who will send the part sends at 50: it arrives at 53, and this rank is quiet for 10 more.
    const straggler = boundsOf({ known: [50e6], unsent: unsentOverPlane }, 20e6);
    expect(horizons(straggler)).toEqual([22e6, 51e6]);
    // A part that another host has sent meanwhile.
    const announced = boundsOf({ known: [50e6], unsent: unsentOverPlane }, 20e6);
    announced.announced(RANK, PLANE, 24e6);
    expect(horizons(announced)).toEqual([22e6, 35e6]);
    // Nobody sends: it waits for ever, and the plane's event changes nothing.
    expect(horizons(boundsOf({ unsent: unsentOverPlane }, 20e6))).toEqual([22e6, NEVER]);
  });

  test("take what is promised towards one class for that class alone", () => {
    const three: ClassGraph = {
      names: ["rank", "plane", "nvlink"],
      latency: [
        [undefined, microseconds(1), microseconds(1)],
        [microseconds(2), undefined, undefined],
        [microseconds(2), undefined, undefined],
      ],
      staysOnHost: (from, to) => from !== PLANE && to !== PLANE,
    };
    const bounds = new Bounds(3);
    const numbers = new Float64Array(promiseLength(3)).fill(NEVER);
    numbers[PROMISE.known] = 40e6;
    bounds.promised(RANK, 2, numbers, 0, NEVER);
    const all = new Horizons(three);
    expect([...all.everywhere(bounds).any]).toEqual([NEVER, NEVER, 41e6]);
    // What stays on a host is not for others to wait for.
    expect([...all.fromOutside(bounds).any]).toEqual([NEVER, NEVER, NEVER]);
  });

  test("follow from the least bounds of all hosts", () => {
    const ours = boundsOf({ known: [50e6], open: [70e6, 10e6] }, NEVER);
    ours.lowerTo(boundsOf({ known: [60e6], open: [30e6, 20e6] }, 20e6).pack());
    expect(horizons(ours)).toEqual([22e6, 33e6]);
    expect(ours.pack()).toEqual(boundsOf({ known: [50e6], open: [30e6, 10e6] }, 20e6).pack());
  });

  test("are infinite when nothing is pending anywhere", () => {
    const idle = boundsOf({ open: [0, 0] }, NEVER);
    expect(horizons(idle)).toEqual([NEVER, NEVER]);
    expect(idle.isIdle).toBe(true);
    expect(boundsOf({ open: [0, 0] }, 20e6).isIdle).toBe(false);
    // What is still to be handled counts, also where nothing is sent for it.
    idle.pending(RANK, 30e6);
    expect(idle.isIdle).toBe(false);
  });
});

// A random workload: ranks send to planes at random times, planes answer random ranks.
class RandomRank implements LogicalProcess {
  readonly #random: RandomStream;
  readonly #number: number;
  readonly log: string[];
  readonly outlook: Outlook;
  #left = 60;

  constructor(seed: number, number: number, log: string[]) {
    this.#random = new RandomStream(seed, `rank ${number}`);
    this.#number = number;
    this.log = log;
    this.outlook = { notBefore: RUN_START, quiet: picoseconds(this.#random.below(900)) };
  }

  start(context: ProcessContext): void {
    for (let i = 0; i < 3; i++) this.#send(context);
  }

  handle(event: ProcessEvent, context: ProcessContext): void {
    this.log.push(`${this.#number}@${event.time}:${event.source}.${event.sequence}`);
    if (this.#left-- > 0) this.#send(context);
  }

  #send(context: ProcessContext): void {
    const sentAt = after(context.now, picoseconds(this.outlook.quiet + this.#random.below(3000)));
    const time = after(sentAt, picoseconds(700 + this.#random.below(50)));
    const target = RANKS + this.#random.below(PLANES);
    context.send({ target, kind: 1, sentAt, time, size: 8, body: new Uint8Array([this.#number]) });
  }
}

class RandomPlane implements LogicalProcess {
  readonly #random: RandomStream;

  constructor(seed: number, number: number) {
    this.#random = new RandomStream(seed, `plane ${number}`);
  }

  handle(event: ProcessEvent, context: ProcessContext): void {
    if (event.kind === 1) {
      context.sendSelf(after(context.now, picoseconds(this.#random.below(400))), 2, 7);
      return;
    }
    const time = after(context.now, picoseconds(500 + this.#random.below(2) * 100));
    context.send({
      target: this.#random.below(RANKS),
      kind: 3,
      sentAt: context.now,
      time,
      size: 4,
      body: { answer: 1 },
    });
  }
}

async function runOn(hostCount: number, seed: number): Promise<{ digests: string; log: string }> {
  const hostOf = (process: number): number => process % hostCount;
  const logs = Array.from({ length: RANKS }, (): string[] => []);
  const outcomes = await Promise.all(
    createRoundTable(hostCount).map((exchange) => {
      const processes = new Map<number, LogicalProcess>();
      for (let number = 0; number < RANKS + PLANES; number++) {
        if (hostOf(number) !== exchange.self) continue;
        processes.set(
          number,
          number < RANKS ? new RandomRank(seed, number, logs[number]!) : new RandomPlane(seed, number),
        );
      }
      return runHost({ processes, classes: RANKS_AND_PLANES, classOf, hostOf, exchange });
    }),
  );
  const digests = new Map(outcomes.flatMap(({ digests }) => [...digests]));
  return { digests: JSON.stringify([...digests].toSorted(([a], [b]) => a - b)), log: logs.flat().join(" ") };
}

describe("windows between hosts", () => {
  const fresh = Number(process.env["WINDTUNNEL_TEST_SEED"] ?? process.pid);
  test.each([1, fresh])(
    "give every process the history that it has alone (WINDTUNNEL_TEST_SEED=%i)",
    async (seed) => {
      const alone = await runOn(1, seed);
      expect(alone.log.length).toBeGreaterThan(1000);
      for (const hostCount of [2, 3, 5, 9]) expect(await runOn(hostCount, seed)).toEqual(alone);
      expect((await runOn(1, seed + 1)).digests).not.toBe(alone.digests);
    },
  );
});

describe("gathers", () => {
  const classes: ClassGraph = {
    names: ["gatherer", "sender"],
    latency: [
      [undefined, picoseconds(10)],
      [picoseconds(10), undefined],
    ],
  };
  const GATHERED = 4;

  /** Parts of gather 7 from two senders, at 20 and 50 and 50; the gatherer asks for them at `asksAt`. */
  async function gather(asksAt: number, hostCount: number): Promise<{ seen: unknown[]; digests: string }> {
    const seen: unknown[] = [];
    const gatherer: LogicalProcess = {
      start: (context) => context.sendSelf(asksAt as Instant, 9, 0),
      handle: ({ kind, argument }, context) => {
        const isThere = kind === 9 && context.expect(7, 3, GATHERED);
        if (kind === 9 && !isThere) return;
        const parts = context.gathered(7);
        const { count, latest, latestLabel } = parts;
        const labels = Array.from({ length: count }, (_, part) => parts.labelOf(part)).toSorted(
          (a, b) => a - b,
        );
        seen.push({ now: context.now, kind, argument, labels, latest, latestLabel });
        context.forget(7);
      },
    };
    const sender = (times: readonly number[], label: number): LogicalProcess => ({
      start: (context) => {
        for (const [index, at] of times.entries()) {
          const sentAt = RUN_START;
          const handed = {
            target: 0,
            kind: 3,
            sentAt,
            time: at as Instant,
            sequence: index,
            size: 1,
            slot: 0,
            lane: 0,
          };
          context.announce(0, 7, label === 1 ? 1 : 2, at);
          context.handPart(handed, 7, label + index);
        }
      },
      handle: () => undefined,
    });
    const all: LogicalProcess[] = [gatherer, sender([50, 20], 1), sender([50], 5)];
    const outcomes = await Promise.all(
      createRoundTable(hostCount).map((exchange) => {
        const here = [...all.entries()].filter(([number]) => number % hostCount === exchange.self);
        return runHost({
          processes: new Map(here),
          classes,
          classOf: (number) => Math.min(number, 1),
          hostOf: (number) => number % hostCount,
          exchange,
          cargo: { pack: (slots) => slots, unpack: (slots) => ({ slots: slots as number[], bodies: [] }) },
        });
      }),
    );
    const digests = outcomes.flatMap(({ digests: each }) => [...each]).toSorted(([a], [b]) => a - b);
    return { seen, digests: JSON.stringify(digests) };
  }

  test.each([1, 2, 3])("are one event, when the last part arrives, on %i hosts", async (hostCount) => {
    const what = { labels: [1, 2, 5], latest: 50, latestLabel: 5 };
    const early = await gather(15, hostCount);
    expect(early.seen).toEqual([{ now: 50, kind: GATHERED, argument: 7, ...what }]);
    const late = await gather(60, hostCount);
    expect(late.seen).toEqual([{ now: 60, kind: 9, argument: 0, ...what }]);
    expect(early.digests).toBe((await gather(15, 1)).digests);
    expect(late.digests).not.toBe(early.digests);
  });
});

describe("programs", () => {
  test("run ahead, wait, and are reported when nothing more can happen", async () => {
    const programs = new ProgramSet("rank 3");
    const arrival = new Condition();
    const never = new Condition();
    const seen: number[] = [];
    function* program(): Program {
      const promise = { notBefore: 5 as Instant, quiet: 2 as Duration, missing: () => ["rank 1"] };
      seen.push(yield* until({ condition: arrival, what: "a message", ...promise }));
      seen.push(yield* until({ condition: arrival, what: "the same", ...promise }));
      yield* until({ condition: never, what: "dispatch of layer 4", ...promise });
    }
    programs.start("decode", program());
    expect(programs.outlook).toEqual({ notBefore: 5, quiet: 2 });
    programs.advanceTo(40 as Instant);
    arrival.fulfil(40 as Instant);
    expect(seen).toEqual([40, 40]);
    const reports = programs.waiting();
    expect(reports).toEqual([
      { who: "rank 3, decode", what: "dispatch of layer 4", since: 40, missing: ["rank 1"] },
    ]);
    expect(deadlockError(reports).message).toContain("rank 3, decode waits for dispatch of layer 4");
  });

  test("a send before its promise or below a link's latency is a bug", async () => {
    const hasty: LogicalProcess = {
      start: (context) =>
        context.send({ target: 1, kind: 0, sentAt: RUN_START, time: 1 as Instant, size: 0, body: 0 }),
      handle: () => undefined,
    };
    const [exchange] = createRoundTable(1);
    const processes = new Map([
      [0, hasty],
      [1, hasty],
    ]);
    await expect(
      runHost({
        processes,
        classes: RANKS_AND_PLANES,
        classOf: (p) => p,
        hostOf: () => 0,
        exchange: exchange!,
      }),
    ).rejects.toThrow(/takes at least 700 ps/);
    expect(NO_TIME).toBe(0);
  });
});

describe("the end of a run", () => {
  test("reports who waits for whom when nothing more can happen, on one host and on two", async () => {
    class Waiting implements LogicalProcess {
      readonly #programs = new ProgramSet("rank 0");
      start(): void {
        const wait = { condition: new Condition(), what: "combine of layer 2", missing: () => ["rank 1"] };
        this.#programs.start(
          "decode",
          (function* program(): Program {
            yield* until({ ...wait, notBefore: RUN_START, quiet: NO_TIME });
          })(),
        );
      }
      handle(): void {
        throw new Error("nothing is ever sent to it");
      }
      get outlook(): Outlook {
        return this.#programs.outlook;
      }
      waiting(): ReturnType<ProgramSet["waiting"]> {
        return this.#programs.waiting();
      }
    }
    for (const hostCount of [1, 2]) {
      const outcomes = await Promise.all(
        createRoundTable(hostCount).map((exchange) => {
          const processes = new Map<number, LogicalProcess>();
          if (exchange.self === 0) processes.set(0, new Waiting());
          return runHost({ processes, classes: RANKS_AND_PLANES, classOf, hostOf: () => 0, exchange });
        }),
      );
      const waiting = outcomes.flatMap((outcome) => outcome.waiting);
      expect(waiting).toEqual([
        { who: "rank 0, decode", what: "combine of layer 2", since: 0, missing: ["rank 1"] },
      ]);
      expect(deadlockError(waiting).exitCode).toBe(1);
    }
  });
});
