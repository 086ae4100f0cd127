// Where the tokens of an all-to-all go, and the bytes that DeepEP's benchmark counts for them. Its bandwidth is logical:
// what a token stands for, not what crosses a wire. Ranks that reach each other over NVLink are one node here. Pure.

import { ROW_HEADER_BYTES } from "@windtunnel/expert";
import { wireRowBytes } from "@windtunnel/model";
import type { DispatchLayout } from "@windtunnel/router";
import type { Phase } from "@windtunnel/trace";
import { ranksInReach } from "./create-processes.ts";
import type { PreparedRun } from "./prepare-run.ts";

export interface FanOut {
  readonly tokens: number;
  /** Choices, and distinct tokens, that each rank gets from all ranks. */
  readonly rowsOfRank: readonly number[];
  readonly tokensOfRank: readonly number[];
  /** Distinct ranks and nodes of a token, its own included: means over tokens. */
  readonly ranksPerToken: number;
  readonly nodesPerToken: number;
}

export function fanOutOf(run: PreparedRun, layouts: readonly DispatchLayout[]): FanOut {
  const { degree } = run.placement;
  const rowsOfRank = Array.from({ length: degree }, () => 0);
  const tokensOfRank = Array.from({ length: degree }, () => 0);
  let [tokens, ranks, nodes] = [0, 0, 0];
  // Ranks share layouts: each is counted once, and weighs as often as it stands.
  const sharers = new Map<DispatchLayout, number>();
  for (const layout of layouts) sharers.set(layout, (sharers.get(layout) ?? 0) + 1);
  for (const [layout, times] of sharers) {
    const count = countLayout(run, layout);
    tokens += times * layout.tokenCount;
    ranks += times * count.ranks;
    nodes += times * count.nodes;
    for (let rank = 0; rank < degree; rank++) {
      rowsOfRank[rank]! += times * count.rowsOfRank[rank]!;
      tokensOfRank[rank]! += times * count.tokensOfRank[rank]!;
    }
  }
  const mean = (sum: number): number => (tokens === 0 ? 0 : sum / tokens);
  return { tokens, rowsOfRank, tokensOfRank, ranksPerToken: mean(ranks), nodesPerToken: mean(nodes) };
}

interface LayoutCount {
  readonly rowsOfRank: Int32Array;
  readonly tokensOfRank: Int32Array;
  /** Sums over tokens of the distinct ranks and nodes of each. */
  readonly ranks: number;
  readonly nodes: number;
}

function countLayout(run: PreparedRun, layout: DispatchLayout): LayoutCount {
  const { degree, expertsPerRank } = run.placement;
  const { tokenCount, choicesPerToken, rowOfSlot, rowOffsets } = layout;
  const reach = ranksInReach(run);
  const rankOfRow = new Int32Array(rowOfSlot.length);
  for (let rank = 0; rank < degree; rank++) {
    rankOfRow.fill(rank, rowOffsets[rank * expertsPerRank], rowOffsets[(rank + 1) * expertsPerRank]);
  }
  const rowsOfRank = new Int32Array(degree);
  const tokensOfRank = new Int32Array(degree);
  // The last token that was seen at a rank and at a node: it counts there once.
  const lastAtRank = new Int32Array(degree).fill(-1);
  const lastAtNode = new Int32Array(Math.ceil(degree / reach)).fill(-1);
  let [ranks, nodes] = [0, 0];
  for (let token = 0; token < tokenCount; token++) {
    for (let choice = 0; choice < choicesPerToken; choice++) {
      const rank = rankOfRow[rowOfSlot[token * choicesPerToken + choice]!]!;
      rowsOfRank[rank]!++;
      if (lastAtRank[rank] === token) continue;
      lastAtRank[rank] = token;
      tokensOfRank[rank]!++;
      ranks++;
      const node = Math.floor(rank / reach);
      if (lastAtNode[node] === token) continue;
      lastAtNode[node] = token;
      nodes++;
    }
  }
  return { rowsOfRank, tokensOfRank, ranks, nodes };
}

/** What a copy of a token is counted for: each distinct rank or node that it goes to, or each of its choices. */
export type LogicalCopies = "rank" | "node" | "choice";

/** As the rows of DeepEP V1 are published: `normal` counts ranks inside one node, and nodes across several. */
export function logicalCopies({ styles, numbers }: PreparedRun): LogicalCopies {
  if (styles.decode.pattern.name !== "normal") return "choice";
  return numbers.domainCount === 1 ? "rank" : "node";
}

/** Logical bytes of a rank, mean. The own rank and node, and choices that stay at home, count. */
export function logicalBytes(run: PreparedRun, fanOut: FanOut, phase: Phase): number {
  const { timed, wire, numbers } = run;
  const row = wireRowBytes(wire[phase], timed.hiddenSize);
  const copies = { rank: fanOut.ranksPerToken, node: fanOut.nodesPerToken, choice: timed.expertsPerToken };
  const counted = logicalCopies(run);
  const header = counted === "choice" && phase === "dispatch" ? ROW_HEADER_BYTES : 0;
  return (fanOut.tokens / numbers.rankCount) * copies[counted] * (header + row);
}
