// The published comparison of topologies (ISCA'25 paper, table 3) by formula: endpoints, switches and links between
// switches that a switch of a given radix allows. Costs are the published ones of radix 64 and are not computed.

import { defined, invariant } from "@windtunnel/base";

export interface FabricCounts {
  readonly endpoints: number;
  readonly switches: number;
  /** Cables between switches. */
  readonly links: number;
}

/** Two layers: k leaves with k/2 endpoints each, k/2 spines. */
export function topologyCountsOfFatTree2(radix: number): FabricCounts {
  checkRadix(radix);
  return { endpoints: radix ** 2 / 2, switches: (3 * radix) / 2, links: radix ** 2 / 2 };
}

/** Disjoint two-layer fat-trees, one for each NIC of a node. */
export function topologyCountsOfMultiPlane(radix: number, planes: number = 8): FabricCounts {
  const { endpoints, switches, links } = topologyCountsOfFatTree2(radix);
  return { endpoints: planes * endpoints, switches: planes * switches, links: planes * links };
}

/** Three layers: k pods of k/2 leaves and k/2 upper switches, under k²/4 cores. */
export function topologyCountsOfFatTree3(radix: number): FabricCounts {
  checkRadix(radix);
  return { endpoints: radix ** 3 / 4, switches: (5 * radix ** 2) / 4, links: radix ** 3 / 2 };
}

export interface SlimFlyShape {
  /** Two groups of q² switches. */
  readonly q: number;
  readonly networkRadix: number;
  readonly endpointsPerSwitch: number;
}

/**
 * The largest q whose switches fit the radix. q = 4w + δ with δ of -1, 0 or 1; a switch has (3q - δ) / 2 neighbours and
 * half as many endpoints. Radix 64 gives q = 28 as published, though the construction asks for a prime power.
 */
export function slimFlyShape(radix: number): SlimFlyShape {
  checkRadix(radix);
  let largest: SlimFlyShape | undefined;
  for (let q = 3; q <= radix; q++) {
    const delta = [0, 1, undefined, -1][q % 4];
    if (delta === undefined) continue;
    const networkRadix = (3 * q - delta) / 2;
    const endpointsPerSwitch = Math.ceil(networkRadix / 2);
    if (networkRadix + endpointsPerSwitch <= radix) largest = { q, networkRadix, endpointsPerSwitch };
  }
  return defined(largest, `a Slim Fly of switches with ${radix} ports`);
}

export function topologyCountsOfSlimFly(radix: number): FabricCounts {
  const { q, networkRadix, endpointsPerSwitch } = slimFlyShape(radix);
  const switches = 2 * q ** 2;
  return { endpoints: switches * endpointsPerSwitch, switches, links: (switches * networkRadix) / 2 };
}

export interface DragonflyShape {
  /** Of each switch: endpoints p, switches of its group a, links to other groups h. */
  readonly endpointsPerSwitch: number;
  readonly switchesPerGroup: number;
  readonly globalLinksPerSwitch: number;
  readonly groups: number;
}

/** Balanced: a = 2p = 2h. The most groups are a·h + 1; the published 511 of radix 64 are two fewer, and so are these. */
export function dragonflyShape(radix: number): DragonflyShape {
  checkRadix(radix);
  const half = Math.floor((radix + 1) / 4);
  const groups = 2 * half * half - 1;
  return {
    endpointsPerSwitch: half,
    switchesPerGroup: 2 * half,
    globalLinksPerSwitch: half,
    groups,
  };
}

/** All links to other groups are counted, as published. */
export function topologyCountsOfDragonfly(radix: number): FabricCounts {
  const { endpointsPerSwitch, switchesPerGroup, globalLinksPerSwitch, groups } = dragonflyShape(radix);
  const switches = groups * switchesPerGroup;
  const links = (switches * (switchesPerGroup - 1 + globalLinksPerSwitch)) / 2;
  return { endpoints: switches * endpointsPerSwitch, switches, links };
}

export interface ComparedTopology extends FabricCounts {
  readonly name: string;
  readonly shape: string;
  /** As published for radix 64; undefined for any other. */
  readonly publishedCost:
    | { readonly millionDollars: number; readonly thousandPerEndpoint: number }
    | undefined;
}

const PUBLISHED_RADIX = 64;
export const LEAST_RADIX = 8;
export const MOST_RADIX = 1024;

/** The rows of the published table, for switches of so many ports. */
export function topologyComparison(radix: number = PUBLISHED_RADIX): readonly ComparedTopology[] {
  const cost = (millionDollars: number, thousandPerEndpoint: number): ComparedTopology["publishedCost"] =>
    radix === PUBLISHED_RADIX ? { millionDollars, thousandPerEndpoint } : undefined;
  const { q, networkRadix, endpointsPerSwitch } = slimFlyShape(radix);
  const dragonfly = dragonflyShape(radix);
  return [
    {
      name: "FT2",
      shape: "two-layer fat-tree",
      ...topologyCountsOfFatTree2(radix),
      publishedCost: cost(9, 4.39),
    },
    {
      name: "MPFT",
      shape: "8 planes of FT2",
      ...topologyCountsOfMultiPlane(radix),
      publishedCost: cost(72, 4.39),
    },
    {
      name: "FT3",
      shape: "three-layer fat-tree",
      ...topologyCountsOfFatTree3(radix),
      publishedCost: cost(491, 7.5),
    },
    {
      name: "Slim Fly",
      shape: `q ${q}, ${networkRadix} neighbours, ${endpointsPerSwitch} endpoints`,
      ...topologyCountsOfSlimFly(radix),
      publishedCost: cost(146, 4.4),
    },
    {
      name: "Dragonfly",
      shape: `p ${dragonfly.endpointsPerSwitch}, a ${dragonfly.switchesPerGroup}, h ${dragonfly.globalLinksPerSwitch}, ${dragonfly.groups} groups`,
      ...topologyCountsOfDragonfly(radix),
      publishedCost: cost(1522, 5.8),
    },
  ];
}

function checkRadix(radix: number): void {
  const isPossible =
    Number.isInteger(radix) && radix % 2 === 0 && radix >= LEAST_RADIX && radix <= MOST_RADIX;
  invariant(isPossible, `a radix is an even number from ${LEAST_RADIX} to ${MOST_RADIX}, not ${radix}`);
}
