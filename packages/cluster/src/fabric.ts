// The fabric of a run: a scenario's cluster and a hardware profile as one description of a topology, checked, and the
// topologies of its logical processes. It routes nothing; see `wiring.ts`.

import { inputError } from "@windtunnel/base";
import { createNvlinkDomain, createSharedNvlinkDomain, type HardwareProfile } from "@windtunnel/gpu";
import {
  createNodeWithPcie,
  createPlaneTopology,
  defaultNodesPerLeaf,
  type InputProblem,
  type LinkDescription,
  LinkTable,
  NETWORK_PROFILES,
  problemsError,
  problemsOfTopology,
  type Topology,
  type TopologyDescription,
} from "@windtunnel/network-plane";
import { overriddenRate } from "./hardware.ts";
import type { PreparedRun } from "./prepare-run.ts";
import { nearestName, type Scenario } from "./scenario/index.ts";

/** Throws an input error that names the fields of the scenario, for every fabric that can't be built. */
export function describeFabric(scenario: Scenario, profile: HardwareProfile): TopologyDescription {
  const { nodes, gpusPerNode, fabric } = scenario.cluster;
  const { kind, spinesPerPlane, switchPorts, network, routing, pcie } = fabric;
  const nics = kind === "nvlink-domain" ? 0 : (profile.nics?.count ?? 0);
  // A plane on a NIC that no GPU uses would carry nothing.
  const planes = fabric.planes ?? Math.min(nics, gpusPerNode);
  const description: TopologyDescription = {
    kind,
    nodes,
    gpusPerNode,
    planes,
    nodesPerLeaf: fabric.nodesPerLeaf ?? defaultNodesPerLeaf(kind, switchPorts, planes),
    spinesPerPlane,
    switchPorts,
    linkBytesPerSecond: profile.nics?.bytesPerSecond ?? 0,
    network: NETWORK_PROFILES[network],
    routing,
    nvlinkBytesPerSecond: profile.nvlinkBytesPerSecond,
    pcie,
  };
  const missing = missingNics(description, profile);
  const problems = missing === undefined ? problemsOfTopology(description) : [missing];
  const wrongWay = missingWayInDomain(scenario);
  const named = problems.map((problem) => ({ ...problem, path: scenarioPath(problem.path) }));
  const all = wrongWay === undefined ? named : [...named, wrongWay];
  if (all.length > 0) throw problemsError(all, "");
  return description;
}

/** Each plane hangs on a NIC of every node; further NICs stay unused. */
function missingNics(
  { kind, planes }: TopologyDescription,
  { name, nics }: HardwareProfile,
): InputProblem | undefined {
  if (kind === "nvlink-domain") return undefined;
  if (nics === null) {
    return {
      path: "kind",
      found: `${kind} on ${name}, which has no NIC`,
      allowed: "nvlink-domain, or a hardware profile with NICs",
    };
  }
  if (planes <= nics.count) return undefined;
  return {
    path: "planes",
    found: `${planes}: a node of ${name} has ${nics.count} NICs, too few for ${planes} planes`,
    allowed: `1 to ${nics.count}, or a hardware profile with more NICs`,
  };
}

function missingWayInDomain({ cluster, run }: Scenario): InputProblem | undefined {
  if (cluster.fabric.kind !== "nvlink-domain" || run.nvlinkForDispatch) return undefined;
  return {
    path: "run.nvlinkForDispatch",
    found: "false in an NVLink domain, which has no other way",
    allowed: "true, or a fabric of another kind",
  };
}

/** Where a scenario has what a description calls by another name. */
function scenarioPath(field: string): string {
  if (field === "nodes" || field === "gpusPerNode") return `cluster.${field}`;
  if (field === "linkGBps" || field === "nvlinkGBps") return "timing.gpu";
  return `cluster.fabric.${field}`;
}

/** The topology of a plane's process, by its number among them. */
export function planeTopology(run: PreparedRun, plane: number): Topology {
  return createPlaneTopology(run.fabric, plane);
}

/** The topology of an NVLink domain's process, by its number among them; with its node's PCIe where that is shown. */
export function nvlinkTopology(run: PreparedRun, domain: number): Topology {
  const { kind, nodes, gpusPerNode, planes, nvlinkBytesPerSecond, pcie } = run.fabric;
  if (kind === "nvlink-domain") return createSharedNvlinkDomain(nodes, gpusPerNode, nvlinkBytesPerSecond);
  const nvlink = createNvlinkDomain(domain, gpusPerNode, nvlinkBytesPerSecond);
  if (!pcie) return nvlink;
  const node = createNodeWithPcie(nvlink, domain, gpusPerNode, planes);
  const factor = run.scenario.overrides.pcie?.bandwidth;
  const links = node.links.map((link, index) => {
    if (index < nvlink.links.length) return link;
    return { ...link, bytesPerSecond: overriddenRate(link.bytesPerSecond, factor, "pcie") };
  });
  return { ...node, links };
}

/** What the plane processes of a run are called. */
export function planeName({ fabric }: PreparedRun, plane: number): string {
  return fabric.kind === "multi-rail" ? "rails" : `plane ${plane}`;
}

/** Refuses overrides of links that the cluster does not have, or that no link can have. */
export function checkLinkOverrides(run: PreparedRun): void {
  const { links: overrides, pcie } = run.scenario.overrides;
  const named = Object.keys(overrides);
  if (named.length === 0 && pcie === undefined) return;
  const links = linksOf(run);
  const cables = new Set(links.map(({ cable }) => cable));
  for (const name of named) {
    if (cables.has(name)) continue;
    const nearest = nearestName(name, [...cables]);
    throw inputError(`overrides.links names "${name}", which this cluster does not have`, {
      path: "overrides.links",
      found: name,
      allowed:
        "cables, both directions at once, with a hyphen: " +
        (nearest === undefined ? `such as "${links[0]?.cable}"` : `for example "${nearest}"`),
    });
  }
  const overridden = links.filter(({ cable }) => Object.hasOwn(overrides, cable));
  // The table's own check, before anything runs.
  void new LinkTable(overridden, overrides);
}

function linksOf(run: PreparedRun): LinkDescription[] {
  const { numbers } = run;
  const planes = Array.from({ length: numbers.planeCount }, (_, plane) => planeTopology(run, plane).links);
  const domains = Array.from(
    { length: numbers.domainCount },
    (_, domain) => nvlinkTopology(run, domain).links,
  );
  return [...planes.flat(), ...domains.flat()];
}
