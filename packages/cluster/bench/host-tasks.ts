// What a host of a benchmark may be asked to do. The exchange comes with the host, on threads and in processes alike.

import type { ValueExchange } from "@windtunnel/transport";
import { type MoeMessage, runMoeHost } from "./moe-host.ts";
import { runSteps, type StepOptions } from "./step-scenarios.ts";
import { createMoeSpace, type MoePlan, type MoeSpace } from "./moe-plan.ts";
import { exchangeRounds, type TransportLoad } from "./transport-rounds.ts";

export type HostTask =
  | {
      readonly kind: "moe";
      readonly plan: MoePlan;
      readonly ranks: readonly number[];
      /** The memory that threads share; a process makes its own, with its ranks' experts. */
      readonly space?: MoeSpace;
    }
  | { readonly kind: "transport"; readonly loads: readonly TransportLoad[] }
  /** Steps of a cluster of its own, on this thread alone; gives the seconds of a later one. */
  | { readonly kind: "steps"; readonly options: StepOptions };

export async function runTask(task: HostTask, exchange: ValueExchange<unknown>): Promise<unknown> {
  if (task.kind === "steps") return (await runSteps(task.options)).wall.laterStepSeconds;
  if (task.kind === "transport") return await exchangeRounds(task.loads, exchange);
  const { plan, ranks, space } = task;
  return await runMoeHost(
    space === undefined
      ? { plan, space: createMoeSpace(plan, ranks, 1), share: { part: 0, partCount: 1 } }
      : { plan, space, share: { part: exchange.self, partCount: exchange.hostCount } },
    exchange as ValueExchange<MoeMessage>,
  );
}
