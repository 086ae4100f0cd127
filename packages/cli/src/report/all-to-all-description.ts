// The options of all-to-alls in a few rows, with every default. Of several measurements it says what they share; an option
// that differs without being swept, since a default depends on what is swept, shows all of its values.

import path from "node:path";
import type { AllToAllOptions, AllToAllResult } from "@windtunnel/cluster";
import { formatCount } from "./format.ts";
import { shorten, type TableContent } from "./table.ts";

type Piece = readonly [name: string, text: (options: AllToAllOptions) => string | undefined];

const ROWS: Readonly<Record<string, readonly Piece[]>> = {
  cluster: [
    ["gpu", ({ gpu }) => path.basename(gpu)],
    ["ranks", ({ ranks, gpusPerNode }) => plural(ranks / gpusPerNode, "node")],
    [
      "gpusPerNode",
      ({ ranks, gpusPerNode }) => `${plural(gpusPerNode, "GPU")}${ranks > gpusPerNode ? " each" : ""}`,
    ],
    ["nvlink", ({ nvlink }) => `NVLink ${nvlink ? "on" : "off"}`],
    ["pcie", ({ fabric }) => (fabric["pcie"] === true ? "PCIe shown" : undefined)],
    ["sms", ({ sms, pattern }) => (holdsSms(pattern) ? `${sms} SMs` : undefined)],
  ],
  tokens: [
    ["tokens", ({ tokens }) => tokensText(tokens)],
    ["hidden", ({ hidden }) => `hidden ${hidden}`],
    ["dispatch", ({ dispatch }) => `${dispatch} out`],
    ["combine", ({ combine }) => `${combine} back`],
  ],
  experts: [
    ["experts", ({ experts }) => formatCount(experts)],
    [
      "redundantExperts",
      ({ redundantExperts: count }) => (count === 0 ? undefined : `${count} redundant ones`),
    ],
    ["topk", ({ topk }) => `${topk} for a token`],
    [
      "groups",
      ({ groups, limitedGroups: kept }) => (groups === 1 ? "no groups" : `${kept} of ${groups} groups`),
    ],
    ["gate", ({ gate, exponent }) => (gate === "zipf" ? `zipf:${exponent}` : gate)],
    ["seed", ({ seed }) => `seed ${seed}`],
  ],
  fabric: [
    ["fabric", ({ fabric }) => String(fabric["kind"])],
    ["planes", ({ fabric }) => ofSwitches(fabric, "planes", "NIC", " of a node")],
    ["network", ({ fabric }) => (isDomain(fabric) ? undefined : String(fabric["network"]))],
    ["routing", ({ fabric }) => (isDomain(fabric) ? undefined : `${String(fabric["routing"])} routing`)],
  ],
  switches: [
    ["nodesPerLeaf", ({ fabric }) => ofSwitches(fabric, "nodesPerLeaf", "node", " on a leaf")],
    ["spines", ({ fabric }) => ofSwitches(fabric, "spinesPerPlane", "spine")],
    ["switchPorts", ({ fabric }) => ofSwitches(fabric, "switchPorts", "port", " each")],
  ],
};

const VALUES_SHOWN = 4;
const WIDEST_VALUE = 69;

/** `named`: options that stand in a table. */
export function describeOptions(results: readonly AllToAllResult[], named: readonly string[]): TableContent {
  const rows = Object.entries(ROWS).flatMap(([label, pieces]) => {
    const texts = pieces.flatMap(([name, textOf]) => {
      if (named.includes(name)) return [];
      const found = [...new Set(results.flatMap(({ options }) => textOf(options) ?? []))];
      const more = found.length > VALUES_SHOWN ? " …" : "";
      return found.length === 0 ? [] : [`${found.slice(0, VALUES_SHOWN).join(" / ")}${more}`];
    });
    return linesOf(texts).map((line, index) => [index === 0 ? label : "", line]);
  });
  return { aligns: ["left", "left"], rows };
}

/** Texts with commas between them, in lines that fit. */
function linesOf(texts: readonly string[]): string[] {
  const lines: string[] = [];
  for (const each of texts) {
    const last = lines.length - 1;
    if (last < 0) lines.push(shorten(each, WIDEST_VALUE));
    else if (lines[last]!.length + each.length + 3 <= WIDEST_VALUE) lines[last] += `, ${each}`;
    else {
      lines[last] += ",";
      lines.push(shorten(each, WIDEST_VALUE));
    }
  }
  return lines;
}

/** A pattern of a user's file says by itself what it holds. */
function holdsSms(pattern: string): boolean {
  return pattern === "direct" || pattern === "normal";
}

type Fabric = AllToAllOptions["fabric"];

function isDomain(fabric: Fabric): boolean {
  return fabric["kind"] === "nvlink-domain";
}

function ofSwitches(fabric: Fabric, field: string, one: string, rest: string = ""): string | undefined {
  return isDomain(fabric) ? undefined : `${plural(Number(fabric[field]), one)}${rest}`;
}

function tokensText(tokens: readonly number[]): string {
  if (tokens.length === 1) return `${formatCount(tokens[0]!)} of each rank`;
  const shown = tokens.slice(0, VALUES_SHOWN).join(", ");
  return `${shown}${tokens.length > VALUES_SHOWN ? ", …" : ""} of ranks in turn`;
}

function plural(count: number, one: string): string {
  return `${formatCount(count)} ${count === 1 ? one : `${one}s`}`;
}
