// MoE layers without a fabric and without virtual time: how fast ranks on this placement gate, dispatch, compute and
// combine. Every repetition's tokens must have the bits of the one-process twin over the same weights.
// Work, at the default sizes: 16 ranks · 64 tokens · 4 layers = 4,096 token-layers of 0.85 million multiply-adds.

import { createHash } from "node:crypto";
import { invariant } from "@windtunnel/base";
import { drawnWeights, fillWeights, moeForward, wireRowBytes } from "@windtunnel/model";
import { rowsOf, TensorMemory } from "@windtunnel/tensor";
import { createLoneExchange } from "@windtunnel/transport";
import { formatPlacement, type Placement } from "../src/scenario/placement.ts";
import { type BenchRow, median } from "./bench-row.ts";
import { runOnProcesses, runOnThreads } from "./bench-hosts.ts";
import {
  digestTokens,
  moeContext,
  type MoeHostResult,
  moeLayers,
  type MoeMessage,
  runMoeHost,
} from "./moe-host.ts";
import {
  createMoeSpace,
  drawTokens,
  type MoeBenchOptions,
  type MoePlan,
  type MoeSpace,
  planMoe,
  ranksOfHost,
  SEED,
  twinBytes,
} from "./moe-plan.ts";

export interface MoeBenchRow extends BenchRow {
  /** Of the tokens after the last layer; the same on every placement. */
  readonly digest: string;
}

export async function benchMoe(options: MoeBenchOptions): Promise<MoeBenchRow[]> {
  const plan = planMoe(options);
  const { space, hosts } = await runHosts(plan, options.placement);
  const digests = checkAgainstTwin(plan, space, hosts);
  return [reportMoe(plan, options.placement, hosts, digests)];
}

async function runHosts(
  plan: MoePlan,
  placement: Placement,
): Promise<{ space: MoeSpace; hosts: MoeHostResult[] }> {
  const ranks = Array.from({ length: plan.rankCount }, (_, rank) => rank);
  if (placement.kind === "processes") {
    const tasks = ranksByHost(plan).map((own) => ({ kind: "moe" as const, plan, ranks: own }));
    const hosts = await runOnProcesses<MoeHostResult>(tasks, placement.transport);
    // The twin has all experts in this process, once the others are gone.
    const space = createMoeSpace(plan, ranks, 0);
    fillWeights(TensorMemory.attach(space.memory), space.weights, drawnWeights(SEED));
    return { space, hosts };
  }
  const space = createMoeSpace(plan, ranks, plan.hostCount);
  if (placement.kind === "inline") {
    const task = { plan, space, share: { part: 0, partCount: 1 } };
    return { space, hosts: [await runMoeHost(task, createLoneExchange<MoeMessage>())] };
  }
  const tasks = ranksByHost(plan).map((own) => ({ kind: "moe" as const, plan, ranks: own, space }));
  return { space, hosts: await runOnThreads<MoeHostResult>(tasks) };
}

function ranksByHost(plan: MoePlan): number[][] {
  return Array.from({ length: plan.hostCount }, (_, host) => ranksOfHost(plan, host));
}

/** The digests of the twin by rank, which must be those of the hosts. */
function checkAgainstTwin(plan: MoePlan, space: MoeSpace, hosts: readonly MoeHostResult[]): string[] {
  const found = new Map(hosts.flatMap(({ digests }) => digests));
  const expected = twinDigests(plan, space);
  for (const [rank, digest] of expected.entries()) {
    const actual = found.get(rank);
    invariant(actual === digest, `rank ${rank} has digest ${actual}; its one-process twin has ${digest}`);
  }
  return expected;
}

/** All tokens of all ranks through the same layers, in this thread. */
function twinDigests(plan: MoePlan, space: MoeSpace): string[] {
  const { rankCount, tokensPerRank, hiddenSize } = plan;
  const memory = TensorMemory.attach(space.memory);
  const context = moeContext(plan, memory, twinBytes(plan));
  const x = memory.tensor([rankCount * tokensPerRank, hiddenSize]);
  const ofRanks = Array.from({ length: rankCount }, (_, rank) =>
    rowsOf(x, rank * tokensPerRank, (rank + 1) * tokensPerRank),
  );
  for (const [rank, rows] of ofRanks.entries()) drawTokens(plan, rank, rows.data);
  for (const layer of moeLayers(memory, space)) {
    context.arena.scope(() => context.kernels.add(x, moeForward(context, layer, x)));
  }
  return ofRanks.map(digestTokens);
}

/** Hosts wait for the one with the most rows: what that costs is no fault of the code. */
function unevenness(plan: MoePlan, hosts: readonly MoeHostResult[]): string[] {
  const { rankCount, tokensPerRank, expertsPerToken, expertCount, layerCount } = plan;
  const rows = rankCount * tokensPerRank * expertsPerToken;
  const most = Math.max(...hosts.map(({ work }) => work.mostRowsOfExpert));
  const layers = Array.from({ length: layerCount }, (_, layer) =>
    Math.max(...hosts.map(({ work }) => work.rowsOfExperts[layer]!)),
  );
  const busiest = (layers.reduce((sum, count) => sum + count, 0) / (layerCount * rows)) * hosts.length;
  return [
    `rows of an expert in a layer: ${significant(rows / expertCount)} on average, ${most} at most`,
    `rows of the busiest host: ${significant(busiest)} times its share, mean over layers`,
  ];
}

function significant(value: number): string {
  return String(Number(value.toPrecision(3)));
}

function reportMoe(
  plan: MoePlan,
  placement: Placement,
  hosts: readonly MoeHostResult[],
  digests: readonly string[],
): MoeBenchRow {
  const { hiddenSize, innerSize, expertCount, rankCount, tokensPerRank, layerCount, expertsPerToken } = plan;
  const tokens = rankCount * tokensPerRank;
  const sum = (of: (host: MoeHostResult) => number): number =>
    hosts.reduce((total, host) => total + of(host), 0);
  const rows = sum(({ work }) => work.rows);
  invariant(
    rows === tokens * layerCount * expertsPerToken,
    `${rows} rows of ${tokens} tokens were dispatched`,
  );
  const payloadBytes = sum(({ work }) => work.payloadBytes);
  const leastBytes = 2 * rows * wireRowBytes("f32", hiddenSize);
  invariant(payloadBytes >= leastBytes, `${payloadBytes} bytes of payload for ${rows} rows there and back`);
  const multiplyAdds = tokens * layerCount * hiddenSize * expertCount + rows * 3 * hiddenSize * innerSize;
  // Barriers put all hosts in step: the first one's clock is as good as any.
  const seconds = median(hosts[0]!.seconds);
  const cpuSeconds = sum((host) => median(host.cpuSeconds));
  const limitGflops = sum((host) => median(host.limitGflops));
  const gflops = (2 * multiplyAdds) / seconds / 1e9;
  return {
    name: `MoE layers, ${formatPlacement(placement)}, hidden ${hiddenSize}, inner ${innerSize}`,
    work: {
      tokens,
      "token-layers": tokens * layerCount,
      "rows to experts": rows,
      "of them to other hosts": sum(({ work }) => work.rowsToOtherHosts),
      "multiply-adds": multiplyAdds,
      "payload bytes": payloadBytes,
      "frames between hosts": sum(({ frames }) => frames),
      "frame bytes": sum(({ frameBytes }) => frameBytes),
    },
    seconds,
    rates: {
      "token-layers/s": (tokens * layerCount) / seconds,
      "token-layers/CPU-s": (tokens * layerCount) / cpuSeconds,
      "GF/s": gflops,
      "limit GF/s": limitGflops,
      "% of limit": (100 * gflops) / limitGflops,
    },
    notes: [
      ...unevenness(plan, hosts),
      `median of ${plan.repetitions}; fastest ${significant(Math.min(...hosts[0]!.seconds))} s`,
      `limit: SIMD multiply and add alone on ${hosts.length} ${hosts.length === 1 ? "thread" : "threads"}, beside each repetition`,
      "every repetition has the bits of the one-process twin",
    ],
    digest: createHash("sha256").update(digests.join()).digest("hex").slice(0, 16),
  };
}
