// A plane that hands on what it is sent, and a run of such planes with ranks on several hosts.

import { after, picoseconds, RandomStream } from "@windtunnel/base";
import {
  type ClassGraph,
  type LogicalProcess,
  type ProcessContext,
  type ProcessEvent,
  runHost,
} from "../index.ts";
import { createRoundTable } from "./round-table.ts";

/** Hands on what it was sent, after a while. */
export class CarryingPlane implements LogicalProcess {
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

export interface TestRun {
  readonly log: string;
  readonly digests: string;
  readonly rounds: number;
}

/** Runs processes `0` to `count - 1` on so many hosts, in turns; `create` is given a log for each. */
export async function runOn(
  hostCount: number,
  count: number,
  classes: { readonly graph: ClassGraph; readonly of: (process: number) => number },
  create: (number: number, log: string[]) => LogicalProcess,
): Promise<TestRun> {
  const hostOf = (process: number): number => process % hostCount;
  const logs = Array.from({ length: count }, (): string[] => []);
  const outcomes = await Promise.all(
    createRoundTable(hostCount).map((exchange) => {
      const processes = new Map<number, LogicalProcess>();
      for (let number = 0; number < count; number++)
        if (hostOf(number) === exchange.self) processes.set(number, create(number, logs[number]!));
      const cargo = {
        pack: (slots: readonly number[], bodies: readonly unknown[]) => ({ slots, bodies }),
        unpack: (packed: unknown) => packed as { slots: number[]; bodies: unknown[] },
      };
      return runHost({ processes, classes: classes.graph, classOf: classes.of, hostOf, exchange, cargo });
    }),
  );
  const digests = new Map(outcomes.flatMap(({ digests: each }) => [...each]));
  return {
    log: logs.flat().join(" "),
    digests: JSON.stringify([...digests].toSorted(([a], [b]) => a - b)),
    rounds: outcomes[0]!.rounds,
  };
}
