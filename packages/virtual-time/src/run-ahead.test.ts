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
  until,
  type Wait,
} from "./index.ts";
import { CarryingPlane, runOn, type TestRun } from "./test-support/carrying-plane.ts";
import { classOf, PLANES, RANKS, RANKS_AND_PLANES } from "./test-support/ranks-and-planes.ts";

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

function exchangeOn(hostCount: number, seed: number): Promise<TestRun> {
  return runOn(hostCount, RANKS + PLANES, { graph: CLASSES, of: classOf }, (number, log) =>
    number < RANKS ? new GatheringRank(seed, number, log) : new CarryingPlane(seed, number),
  );
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
