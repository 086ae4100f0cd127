// A topology as users write it, in a file or in options: fields, defaults by kind, and units of data sheets. Checks data
// that is already parsed; knows no disk. A schema's message here is the text of what is *allowed*.

import { type Duration, nanoseconds } from "@windtunnel/base";
import { z } from "zod";
import { problemsError, problemsOfIssues } from "./input-problems.ts";
import { NETWORK_PROFILES, type NetworkProfile } from "./network-profile.ts";
import type { Routing } from "./topology.ts";
import {
  DEFAULT_SWITCH_PORTS,
  defaultNodesPerLeaf,
  defaultSpines,
  FABRIC_KINDS,
  type FabricKind,
  type TopologyDescription,
} from "./topology-description.ts";
import { BANDWIDTH_ALLOWED, LATENCY_ALLOWED, problemsOfTopology } from "./topology-problems.ts";

/** The fields of a topology file; none is needed. Numbers in the units that data sheets use. */
export interface TopologyFields {
  readonly kind?: FabricKind | undefined;
  readonly nodes?: number | undefined;
  readonly gpusPerNode?: number | undefined;
  readonly planes?: number | undefined;
  readonly nodesPerLeaf?: number | undefined;
  readonly spinesPerPlane?: number | undefined;
  readonly switchPorts?: number | undefined;
  /** 1e9 bytes per second. */
  readonly linkGBps?: number | undefined;
  /** Of each link, with the switch behind it. */
  readonly linkLatencyNs?: number | undefined;
  readonly network?: NetworkProfile["name"] | undefined;
  readonly routing?: Routing | undefined;
  readonly nvlinkGBps?: number | undefined;
  readonly pcie?: boolean | undefined;
}

/** 400 Gbit/s, and NVLink of H800 one way: the nominal rates. Scenarios bring the effective ones of their profile. */
const NOMINAL_LINK_GBPS = 50;
const NOMINAL_NVLINK_GBPS = 200;
const NOMINAL_DOMAIN_GBPS = 900;
/** Nodes of the published deployment (2,048 GPUs), and of one NVL72. */
const DEFAULT_NODES = 256;
const DEFAULT_DOMAIN_NODES = 18;
/** NICs of a node, where nothing else is said. */
const NICS = 8;
const MOST_NODES = 65_536;
const MOST_GPUS_PER_NODE = 256;
const MOST_SWITCH_PORTS = 4096;

function whole(least: number, most: number): z.ZodNumber {
  const error = `a whole number from ${least} to ${most}`;
  return z.number({ error }).int({ error }).min(least, { error }).max(most, { error });
}

function oneOf<const Values extends readonly [string, ...string[]]>(
  values: Values,
): z.ZodEnum<{ [Value in Values[number]]: Value }> {
  return z.enum(values, { error: `one of ${values.join(", ")}` });
}

function bandwidth(): z.ZodNumber {
  return z.number({ error: BANDWIDTH_ALLOWED }).positive({ error: BANDWIDTH_ALLOWED });
}

const fileShape = {
  kind: oneOf(FABRIC_KINDS).optional(),
  nodes: whole(1, MOST_NODES).optional(),
  gpusPerNode: whole(1, MOST_GPUS_PER_NODE).optional(),
  planes: whole(1, MOST_GPUS_PER_NODE).optional(),
  nodesPerLeaf: whole(1, MOST_SWITCH_PORTS).optional(),
  spinesPerPlane: whole(0, MOST_SWITCH_PORTS).optional(),
  switchPorts: whole(2, MOST_SWITCH_PORTS).optional(),
  linkGBps: bandwidth().optional(),
  linkLatencyNs: z.number({ error: LATENCY_ALLOWED }).min(0.001, { error: LATENCY_ALLOWED }).optional(),
  network: oneOf(["infiniband", "roce"]).optional(),
  routing: oneOf(["static", "ecmp", "adaptive"]).optional(),
  nvlinkGBps: bandwidth().optional(),
  pcie: z.boolean({ error: "true or false" }).optional(),
};

export const topologySchema: z.ZodType<TopologyFields> = z.strictObject(fileShape, {
  error: `fields among ${Object.keys(fileShape).join(", ")}`,
});

/**
 * Checks parsed data, fills in defaults, and refuses what can't be built. Throws an input error with the fields, what
 * was found and what is allowed; `file` names the data, if it has a name.
 */
export function checkTopologyDescription(value: unknown, file: string = ""): TopologyDescription {
  const result = topologySchema.safeParse(value);
  if (!result.success) {
    throw problemsError(
      problemsOfIssues(result.error.issues, value, () => Object.keys(fileShape)),
      file,
    );
  }
  const description = describedBy(result.data);
  const problems = problemsOfTopology(description);
  if (problems.length > 0) throw problemsError(problems, file);
  return description;
}

function describedBy(fields: TopologyFields): TopologyDescription {
  const { kind = "multi-plane", switchPorts = DEFAULT_SWITCH_PORTS, routing = "static" } = fields;
  const isDomain = kind === "nvlink-domain";
  const gpusPerNode = fields.gpusPerNode ?? (isDomain ? 4 : 8);
  const planes = fields.planes ?? (isDomain ? 0 : Math.min(NICS, gpusPerNode));
  const network = NETWORK_PROFILES[fields.network ?? "infiniband"];
  const linkLatency: Duration =
    fields.linkLatencyNs === undefined ? network.linkLatency : nanoseconds(fields.linkLatencyNs);
  const nominalNvlink = isDomain ? NOMINAL_DOMAIN_GBPS : NOMINAL_NVLINK_GBPS;
  return {
    kind,
    nodes: fields.nodes ?? (isDomain ? DEFAULT_DOMAIN_NODES : DEFAULT_NODES),
    gpusPerNode,
    planes,
    nodesPerLeaf: fields.nodesPerLeaf ?? defaultNodesPerLeaf(kind, switchPorts, planes),
    spinesPerPlane: fields.spinesPerPlane ?? defaultSpines(switchPorts),
    switchPorts,
    linkBytesPerSecond: (fields.linkGBps ?? NOMINAL_LINK_GBPS) * 1e9,
    network: { ...network, linkLatency },
    routing,
    nvlinkBytesPerSecond: (fields.nvlinkGBps ?? nominalNvlink) * 1e9,
    pcie: fields.pcie ?? false,
  };
}
