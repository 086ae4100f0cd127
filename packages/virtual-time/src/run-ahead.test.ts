// Processes that wait for gathers alone run ahead of their class's horizon, and stop where they can't know.

import { after, NO_TIME, picoseconds, RandomStream, RUN_START } from "@windtunnel/base";
import { expect, test } from "vitest";
import {
  type ClassGraph,
  Condition,
  type LogicalProcess,
  type Outlook,
  type ProcessContext,
  type ProcessEvent,
  type Program,
  ProgramSet,
  runHost,
  until,
  type Wait,
} from "./index.ts";
import { classOf, PLANES, RANKS, RANKS_AND_PLANES } from "./test-support/ranks-and-planes.ts";
import { createRoundTable } from "./test-support/round-table.ts";

const ROUNDS = 40;
const CLASSES: ClassGraph = { ...RANKS_AND_PLANES, carriers: [false, true] };

/** Ranks that exchange parts of gathers over planes, round by round. */
class GatheringRank implements LogicalProcess {
  readonly #number: number;
  readonly #random: RandomStream;
  readonly #programs: ProgramSet;
  readonly #awaited = new Map<number, Condition>();
  readonly log: string[];
  #context: ProcessContext | undefined;

  constructor(seed: number, number: number, log: string[]) {
    this.#number = number;
    this.#random = new RandomStream(seed, `gathering rank ${number}`);
    this.#programs = new ProgramSet(`rank ${number}`);
    this.log = log;
  }

  get outlook(): Outlook {
    return this.#programs.outlook;
  }

  get waits(): readonly Wait[] {
    return this.#programs.waits;
  }

  start(context: ProcessContext): void {
    this.#context = context;
    for (const [chain, ranks] of CHAINS.entries()) {
      const others = ranks.filter((each) => each !== this.#number);
      if (others.length < ranks.length) this.#programs.start(`chain ${chain}`, this.#run(chain, others));
    }
  }

  handle({ argument, time }: ProcessEvent, context: ProcessContext): void {
    this.#context = context;
    this.#programs.advanceTo(time);
    const condition = this.#awaited.get(argument)!;
    this.#awaited.delete(argument);
    condition.fulfil(time);
  }

  *#run(chain: number, others: readonly number[]): Program {
    for (let round = 0; round < ROUNDS; round++) {
      const gather = round * 2 + chain;
      const quiet = picoseconds(this.#random.below(2) * this.#random.below(4000));
      const sentAt = after(this.#context!.now, quiet);
      for (const target of others) {
        const plane = RANKS + this.#random.below(PLANES);
        const time = after(sentAt, picoseconds(700 + this.#random.below(3000)));
        this.#context!.send({ target: plane, kind: 1, sentAt, time, size: 1, body: [target, gather] });
        this.#context!.announce(target, gather, plane, time);
      }
      if (!this.#context!.expect(gather, others.length, 4, [1])) {
        const condition = new Condition();
        this.#awaited.set(gather, condition);
        const what = { what: `gather ${gather}`, missing: () => [] };
        yield* until({ condition, ...what, notBefore: RUN_START, quiet: NO_TIME, gather, announcedBy: [1] });
      }
      const { latest, latestLabel } = this.#context!.gathered(gather);
      this.#context!.forget(gather);
      this.log.push(`${this.#number}.${chain}.${round}@${this.#context!.now}:${latest}.${latestLabel}`);
    }
  }
}

/** Who exchanges with whom: five, and two, of which one is a part of both. A message of two overtakes the one before it easily. */
const CHAINS = [
  [0, 1, 2, 4, 5],
  [1, 3],
] as const;

/** Hands on what it was sent, after a while. */
class CarryingPlane implements LogicalProcess {
  readonly #random: RandomStream;
  readonly #under: { target: number; gather: number; source: number }[] = [];
  #sequence = 0;

  constructor(seed: number, number: number) {
    this.#random = new RandomStream(seed, `carrying plane ${number}`);
  }

  handle({ kind, body, source, argument }: ProcessEvent, context: ProcessContext): void {
    if (kind === 1) {
      const [target, gather] = body as [number, number];
      const argument = this.#under.push({ target, gather, source }) - 1;
      context.sendSelf(after(context.now, picoseconds(this.#random.below(3000))), 2, argument);
      return;
    }
    const { target, gather, source: label } = this.#under[argument]!;
    // Some are long under way when nothing can change them any more: so ranks are ahead of the planes.
    const time = after(context.now, picoseconds(500 + this.#random.below(9000)));
    const sequence = this.#sequence++;
    const handed = { target, kind: 3, sentAt: context.now, time, sequence, size: 4, slot: -1, lane: 0 };
    context.handPart(handed, gather, label);
  }
}

async function exchangeOn(
  hostCount: number,
  seed: number,
): Promise<{ log: string; digests: string; rounds: number }> {
  const hostOf = (process: number): number => process % hostCount;
  const logs = Array.from({ length: RANKS }, (): string[] => []);
  const outcomes = await Promise.all(
    createRoundTable(hostCount).map((exchange) => {
      const processes = new Map<number, LogicalProcess>();
      for (let number = 0; number < RANKS + PLANES; number++) {
        if (hostOf(number) !== exchange.self) continue;
        const isRank = number < RANKS;
        processes.set(
          number,
          isRank ? new GatheringRank(seed, number, logs[number]!) : new CarryingPlane(seed, number),
        );
      }
      const cargo = {
        pack: (slots: readonly number[], bodies: readonly unknown[]) => ({ slots, bodies }),
        unpack: (packed: unknown) => packed as { slots: number[]; bodies: unknown[] },
      };
      return runHost({ processes, classes: CLASSES, classOf, hostOf, exchange, cargo });
    }),
  );
  const digests = new Map(outcomes.flatMap(({ digests: each }) => [...each]));
  return {
    log: logs.flat().join(" "),
    digests: JSON.stringify([...digests].toSorted(([a], [b]) => a - b)),
    rounds: outcomes[0]!.rounds,
  };
}

const fresh = Number(process.env["WINDTUNNEL_TEST_SEED"] ?? process.pid);
test.each([1, 2, 3, fresh])(
  "run ahead of what is on its way, and do what they do alone (WINDTUNNEL_TEST_SEED=%i)",
  async (seed) => {
    const { rounds: _, ...alone } = await exchangeOn(1, seed);
    expect(alone.log.split(" ")).toHaveLength(CHAINS.flat().length * ROUNDS);
    for (const hostCount of [2, 3, 5, 9]) {
      const { rounds, ...together } = await exchangeOn(hostCount, seed);
      expect(together).toEqual(alone);
      expect(rounds).toBeGreaterThan(ROUNDS);
    }
  },
);
