// What is tried where nobody says what: each resource twice as fast, launches for nothing, balanced routing, and every
// part that the scenario makes slower as it would be otherwise. Only what can make a difference to this scenario.

import { gpuCount, type Scenario } from "../scenario/index.ts";
import { type Change, parseChange } from "./change.ts";

export function defaultChanges(scenario: Scenario): Change[] {
  const texts = [...twiceAsFast(scenario), ...withoutLaunches(scenario), "gpus=2x"];
  if (!isBalanced(scenario)) texts.push("gate=balanced");
  return [...new Set([...texts, ...withoutSlowParts(scenario)])].map(parseChange);
}

function twiceAsFast(scenario: Scenario): string[] {
  const { overrides, cluster } = scenario;
  const twice = (kind: "nic" | "nvlink" | "pcie"): string =>
    `${kind}=${2 * (overrides[kind]?.bandwidth ?? 1)}x`;
  const texts: string[] = [];
  if (usesNics(scenario)) texts.push(twice("nic"));
  if (usesNvlink(scenario)) texts.push(twice("nvlink"));
  if (usesNics(scenario) && cluster.fabric.pcie) texts.push(twice("pcie"));
  return texts;
}

/** Whether experts' messages leave nodes, or go over NICs inside them. */
function usesNics(scenario: Scenario): boolean {
  const { cluster, parallelism, run } = scenario;
  if (cluster.fabric.kind === "nvlink-domain" || parallelism.expertParallel === 1) return false;
  if (!run.nvlinkForDispatch) return true;
  // Units are consecutive ranks: where they divide a node's, none crosses its border.
  return cluster.nodes > 1 && cluster.gpusPerNode % parallelism.expertParallel !== 0;
}

function usesNvlink(scenario: Scenario): boolean {
  const { cluster, parallelism, run } = scenario;
  if (parallelism.expertParallel === 1 || !run.nvlinkForDispatch) return false;
  return (cluster.fabric.kind === "nvlink-domain" ? gpuCount(scenario) : cluster.gpusPerNode) > 1;
}

function withoutLaunches({ overrides }: Scenario): string[] {
  return overrides.launch?.time === 0 ? [] : ["launch=0"];
}

function isBalanced({ math, routing, overrides }: Scenario): boolean {
  if (math === "real" || Object.values(overrides.experts).some(({ load }) => load !== 1)) return false;
  return routing === undefined || ("draw" in routing && routing.draw === "balanced");
}

/** Slower GPUs, links and launches, and experts with more rows than others. */
function withoutSlowParts({ overrides }: Scenario): string[] {
  const { gpus, links, experts, launch } = overrides;
  const kinds = (["nic", "nvlink", "pcie"] as const).filter((kind) => (overrides[kind]?.bandwidth ?? 1) < 1);
  return [
    ...kinds.map((kind) => `${kind}=1x`),
    ...((launch?.time ?? 1) > 1 ? ["launch=1x"] : []),
    ...namesOf(gpus, ({ speed }) => speed < 1).map((rank) => `gpu:${rank}=1x`),
    ...namesOf(links, ({ bandwidth }) => bandwidth < 1).map((name) => `link:${name}=1x`),
    ...namesOf(experts, ({ load }) => load > 1).map((expert) => `expert:${expert}=1x`),
  ];
}

function namesOf<Part>(parts: Readonly<Record<string, Part>>, isSlow: (part: Part) => boolean): string[] {
  return Object.entries(parts)
    .filter(([, part]) => isSlow(part))
    .map(([name]) => name);
}
