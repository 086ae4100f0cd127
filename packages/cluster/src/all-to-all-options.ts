// What an all-to-all is measured with, and the defaults of DeepEP's own benchmark. They depend on each other: on the
// pattern, on the patterns that are compared with it, and on how many ranks and nodes there are.

import { hardwareProfile } from "./hardware.ts";

export interface AllToAllOptions {
  /** A hardware profile's name or file. */
  readonly gpu: string;
  readonly ranks: number;
  readonly gpusPerNode: number;
  /** Tokens of each rank; taken in turn where there are fewer numbers than ranks. */
  readonly tokens: readonly number[];
  readonly hidden: number;
  readonly experts: number;
  readonly redundantExperts: number;
  readonly topk: number;
  readonly groups: number;
  readonly limitedGroups: number;
  /** A pattern's name, or the absolute path of its file. */
  readonly pattern: string;
  readonly sms: number;
  readonly dispatch: "f32" | "bf16" | "fp8";
  readonly combine: "f32" | "bf16";
  readonly nvlink: boolean;
  /** As a scenario's `cluster.fabric`. */
  readonly fabric: Readonly<Record<string, unknown>>;
  readonly gate: "balanced" | "gate-like" | "zipf";
  /** Of the power law of `zipf`. */
  readonly exponent: number;
  readonly seed: number;
}

/** Two nodes: the least with which NVLink and the network both carry something. */
const RANKS = 16;
const PATTERN = "low-latency";
const TOPK = 8;
const LOW_LATENCY = { tokens: 128, experts: 288 };
const OTHERS = { tokens: 4096, experts: 256 };
/** Nodes that a token may go to (mechanics §2.2). */
const MOST_GROUPS_OF_TOKEN = 4;

/**
 * `compared`: the patterns that are measured side by side. They share tokens, experts and gate: the low-latency ones
 * if `low-latency` is among them (128 tokens; 288 experts, or 256 where 288 do not divide by the ranks; no groups), the
 * others' if not (4096 tokens, 256 experts; a group for each node, at most 4 for a token, where they divide the experts).
 */
export function withBenchmarkDefaults(
  given: Partial<AllToAllOptions>,
  compared: readonly string[] = [given.pattern ?? PATTERN],
): AllToAllOptions {
  const { gpu = "h800", ranks = RANKS, redundantExperts = 0, topk = TOPK } = given;
  const kind =
    given.fabric?.["kind"] ?? (hardwareProfile(gpu).nics === null ? "nvlink-domain" : "multi-plane");
  const gpusPerNode = given.gpusPerNode ?? Math.min(ranks, kind === "nvlink-domain" ? 4 : 8);
  const isShort = compared.includes("low-latency");
  const sizes = isShort ? LOW_LATENCY : OTHERS;
  const divides = (sizes.experts + redundantExperts) % ranks === 0;
  const experts = given.experts ?? (divides ? sizes.experts : OTHERS.experts);
  const nodes = kind === "nvlink-domain" ? 1 : Math.ceil(ranks / gpusPerNode);
  return {
    gpu,
    ranks,
    gpusPerNode,
    tokens: [sizes.tokens],
    hidden: 7168,
    experts,
    redundantExperts,
    topk,
    ...groupsOf({ given, experts, topk, nodes: isShort ? 1 : nodes }),
    pattern: PATTERN,
    sms: 20,
    dispatch: "fp8",
    combine: "bf16",
    nvlink: true,
    gate: "gate-like",
    exponent: 1,
    seed: 1,
    ...given,
    fabric: { ...given.fabric, kind },
  };
}

interface Routed {
  readonly given: Partial<AllToAllOptions>;
  readonly experts: number;
  readonly topk: number;
  readonly nodes: number;
}

function groupsOf({ given, experts, topk, nodes }: Routed): { groups: number; limitedGroups: number } {
  const { groups = nodes } = given;
  const { limitedGroups = Math.min(MOST_GROUPS_OF_TOKEN, groups) } = given;
  const isChosen = given.groups !== undefined || given.limitedGroups !== undefined;
  const fits = experts % groups === 0 && topk <= (experts / groups) * limitedGroups;
  return isChosen || fits ? { groups, limitedGroups } : { groups: 1, limitedGroups: 1 };
}
