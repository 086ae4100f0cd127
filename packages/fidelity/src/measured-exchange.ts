// A published all-to-all run on the emulated cluster, under the conditions of DeepEP's own benchmark, and the command
// that runs it alone. What was published plays no part here, but for its conditions.

import {
  type AllToAllOptions,
  type AllToAllResult,
  runAllToAll,
  withBenchmarkDefaults,
} from "@windtunnel/cluster";
import { alltoallCommand } from "./alltoall-command.ts";
import type { PublishedExchange } from "./published-exchanges.ts";

export type ExchangeConditions = Pick<PublishedExchange, "pattern" | "ranks" | "nvlink">;

/** All but these conditions is the benchmark's: hidden size, tokens, experts, groups, gate, precisions, SMs. */
export function benchmarkOptions({ pattern, ranks, nvlink }: ExchangeConditions): AllToAllOptions {
  return withBenchmarkDefaults({ pattern, ranks, nvlink });
}

/** `gpu` names another profile than H800's, or its file. */
export function measureExchange(conditions: ExchangeConditions, gpu?: string): AllToAllResult {
  const options = benchmarkOptions(conditions);
  return runAllToAll(gpu === undefined ? options : { ...options, gpu });
}

export function exchangeCommand({ pattern, ranks, nvlink }: ExchangeConditions): string {
  return alltoallCommand({ pattern, ranks, ...(nvlink ? {} : { nvlink }) });
}
