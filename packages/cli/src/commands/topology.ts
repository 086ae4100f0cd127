// `windtunnel topology`: what a fabric is made of, from a file or from options, and the published comparison.

import { type Command, InvalidArgumentError, Option } from "commander";
import { inputError } from "@windtunnel/base";
import type { FabricKind, TopologyDescription, TopologyFields } from "@windtunnel/network-plane";
import type { Screen } from "../screen.ts";
import { examples } from "../subcommand.ts";

/** Fields of a topology file; `spines` is short for `spinesPerPlane`. */
interface Options extends TopologyFields {
  readonly spines?: number;
  readonly json?: true;
  readonly compare?: true;
  readonly radix?: number;
}

/** Written out, so that `--help` loads nothing; `satisfies` compares it with the kinds that there are. */
const KINDS = Object.keys({
  "multi-plane": true,
  "multi-rail": true,
  "single-plane": true,
  "nvlink-domain": true,
} satisfies Record<FabricKind, true>);

export function configure(command: Command, screen: Screen): void {
  command
    .argument("[file]", "topology, as YAML or JSON; options come before its fields")
    .addOption(new Option("--kind <kind>", "kind of fabric").choices(KINDS))
    .option("--nodes <count>", "nodes", number)
    .option("--gpus-per-node <count>", "GPUs of a node", number)
    .option("--planes <count>", "NICs of a node that are used", number)
    .option("--nodes-per-leaf <count>", "nodes under a leaf", number)
    .option("--spines <count>", "spines of a plane, or of all rails", number)
    .option("--switch-ports <count>", "ports of each switch", number)
    .addOption(new Option("--network <network>", "its latencies").choices(["infiniband", "roce"]))
    .option("--compare", "the published comparison of topologies, by formula")
    .option("--radix <ports>", "with --compare: ports of its switches (64)", number)
    .option("--json", "print data and nothing else")
    .addHelpText(
      "after",
      examples(
        "windtunnel topology",
        "windtunnel topology --kind multi-rail --nodes 64",
        "windtunnel topology my-fabric.yaml --spines 16 --json",
        "windtunnel topology --compare --radix 64",
      ),
    )
    .action(async (file: string | undefined, options: Options) => {
      screen.print(
        await (options.compare ? comparison(file, options, screen) : topology(file, options, screen)),
      );
    });
}

async function topology(file: string | undefined, options: Options, screen: Screen): Promise<string> {
  if (options.radix !== undefined) {
    throw wrongOption("--radix", String(options.radix), "beside --compare; a fabric has --switch-ports");
  }
  const { checkTopologyDescription, topologyCounts, topologyLatencies } =
    await import("@windtunnel/network-plane");
  const description = checkTopologyDescription(await fieldsOf(file, options), file);
  const counts = topologyCounts(description);
  const latencies = topologyLatencies(description);
  if (options.json) {
    const latencyUs = Object.fromEntries(
      Object.entries(latencies).map(([name, latency]) => [
        name,
        latency === undefined ? null : latency / 1e6,
      ]),
    );
    return JSON.stringify({ topology: withoutBrands(description), counts, latencyUs }, undefined, 2);
  }
  const { renderTopology } = await import("../report/topology-report.ts");
  return renderTopology({ description, counts, latencies }, screen.colours);
}

/** Options that are fields of a topology file. */
function givenFields(options: Options): TopologyFields {
  const { json: _json, compare: _compare, radix: _radix, spines, ...same } = options;
  return spines === undefined ? same : { ...same, spinesPerPlane: spines };
}

/** A file's fields, and options over them. */
async function fieldsOf(file: string | undefined, options: Options): Promise<unknown> {
  const chosen = givenFields(options);
  if (file === undefined) return chosen;
  const { readDataFile } = await import("@windtunnel/cluster");
  const data = readDataFile(file);
  const isMapping = typeof data === "object" && data !== null && !Array.isArray(data);
  return isMapping ? { ...data, ...chosen } : data;
}

/** As a topology file would have it. */
function withoutBrands({
  network,
  linkBytesPerSecond,
  nvlinkBytesPerSecond,
  ...same
}: TopologyDescription): object {
  return {
    ...same,
    network: network.name,
    linkGBps: linkBytesPerSecond / 1e9,
    linkLatencyNs: network.linkLatency / 1e3,
    nvlinkGBps: nvlinkBytesPerSecond / 1e9,
  };
}

async function comparison(file: string | undefined, options: Options, screen: Screen): Promise<string> {
  const [unused] = [...(file === undefined ? [] : [file]), ...Object.keys(givenFields(options))];
  if (unused !== undefined) {
    throw wrongOption("--compare", `${unused} beside it`, "--radix and --json: formulas are compared");
  }
  const { LEAST_RADIX, MOST_RADIX, topologyComparison } = await import("@windtunnel/network-plane");
  const { radix = 64 } = options;
  if (!Number.isInteger(radix) || radix % 2 !== 0 || radix < LEAST_RADIX || radix > MOST_RADIX) {
    throw wrongOption("--radix", String(radix), `an even number from ${LEAST_RADIX} to ${MOST_RADIX}`);
  }
  const rows = topologyComparison(radix);
  if (options.json) return JSON.stringify({ radix, topologies: rows }, undefined, 2);
  const { renderComparedTopologies } = await import("../report/topology-report.ts");
  return renderComparedTopologies(radix, rows, screen.colours);
}

function wrongOption(path: string, found: string, allowed: string): Error {
  return inputError(`${path}: found ${found}; allowed: ${allowed}`, { path, found, allowed });
}

/** Any number: the topology's own check says what is allowed. */
function number(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || Number.isNaN(value)) {
    throw new InvalidArgumentError(`Found "${text}"; allowed: a number.`);
  }
  return value;
}
