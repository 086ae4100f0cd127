// The command line of an all-to-all: what differs from the benchmark's defaults, as options of `windtunnel alltoall`.

import type { AllToAllOptions } from "@windtunnel/cluster";

/** Options by the names of their fields; `fabric` has a scenario's. */
const OPTIONS: Readonly<Record<string, string>> = {
  gpu: "gpu",
  pattern: "pattern",
  ranks: "ranks",
  tokens: "tokens",
  experts: "experts",
  redundantExperts: "redundant-experts",
  groups: "groups",
  limitedGroups: "limited-groups",
  gate: "gate",
  nvlink: "nvlink",
  kind: "fabric",
  network: "network",
  routing: "routing",
  nodesPerLeaf: "nodes-per-leaf",
  spinesPerPlane: "spines",
};

export function alltoallCommand({ fabric = {}, ...given }: Partial<AllToAllOptions>): string {
  const named = Object.entries({ ...given, ...fabric }).map(([field, value]) => {
    const name = OPTIONS[field];
    if (name === undefined) throw new Error(`windtunnel alltoall has no option for ${field}`);
    return `--${name} ${textOf(value)}`;
  });
  return ["windtunnel alltoall", ...named].join(" ");
}

function textOf(value: unknown): string {
  if (typeof value === "boolean") return value ? "on" : "off";
  return Array.isArray(value) ? value.join(",") : String(value);
}
