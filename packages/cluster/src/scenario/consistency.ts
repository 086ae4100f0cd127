// Rules between the fields of one scenario. What needs the model, the hardware profile or a file's content
// (experts per rank, planes of a node, ids below the vocabulary) is checked where those are read.

import { inputError } from "@windtunnel/base";
import { formatPlacement, hostCount } from "./placement.ts";
import { type Problem, refusedValue } from "./problems.ts";
import { gpuCount, type Scenario } from "./scenario.ts";

/** Fields that contradict each other. */
export function contradictionsIn(scenario: Scenario): Problem[] {
  const problems: Problem[] = [];
  const gpus = gpuCount(scenario);
  const { expertParallel } = scenario.parallelism;
  if (gpus % expertParallel !== 0) {
    const allowed = `a divisor of the ${gpus} GPUs`;
    problems.push(refusedValue(["parallelism", "expertParallel"], expertParallel, allowed));
  }
  problems.push(...overridesOfNothing(scenario));
  if ("drawn" in scenario.workload) {
    const { positionsPerRequest, acceptedPerStep } = scenario.workload.drawn;
    if (acceptedPerStep > positionsPerRequest) {
      const allowed = `a number from 1 to positionsPerRequest (${positionsPerRequest})`;
      problems.push(refusedValue(["workload", "drawn", "acceptedPerStep"], acceptedPerStep, allowed));
    }
  }
  return problems;
}

/** Overrides of parts that the scenario does not have. */
function overridesOfNothing(scenario: Scenario): Problem[] {
  const { overrides, cluster, math } = scenario;
  const problems: Problem[] = [];
  const refuse = (path: readonly string[], found: string, allowed: string): void => {
    problems.push({ path, message: `found ${found}; allowed: ${allowed}`, found, allowed });
  };
  const gpus = gpuCount(scenario);
  for (const rank of Object.keys(overrides.gpus)) {
    if (Number(rank) < gpus) continue;
    problems.push(refusedValue(["overrides", "gpus", rank], Number(rank), `ranks from 0 to ${gpus - 1}`));
  }
  if (overrides.nic !== undefined && cluster.fabric.kind === "nvlink-domain") {
    const allowed = "leaving it out, or a fabric of another kind";
    refuse(["overrides", "nic"], "NICs in an NVLink domain, which has none", allowed);
  }
  if (overrides.pcie !== undefined && !cluster.fabric.pcie) {
    const allowed = "leaving it out, or cluster.fabric.pcie: true";
    refuse(["overrides", "pcie"], "PCIe links in a cluster that does not show them", allowed);
  }
  if (Object.keys(overrides.experts).length > 0 && math === "real") {
    const allowed = "leaving it out, or math: skip, where routing is drawn";
    refuse(["overrides", "experts"], "loads of experts with math: real, where the gate chooses", allowed);
  }
  return problems;
}

/** Refuses more hosts than there are GPUs and planes to carry. Planes come from the hardware profile. */
export function checkHosts(scenario: Scenario, planeCount: number): void {
  const gpus = gpuCount(scenario);
  const limit = gpus + planeCount;
  if (hostCount(scenario.placement) <= limit) return;
  const found = formatPlacement(scenario.placement);
  const allowed = `at most ${limit} hosts: one for each of ${gpus} GPUs and ${planeCount} planes`;
  throw inputError(`placement: found ${found}; allowed: ${allowed}`, { path: "placement", found, allowed });
}
