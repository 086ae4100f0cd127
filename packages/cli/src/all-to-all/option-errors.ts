// Errors of a measurement in the words of the command line: paths of fields become the options that they came from.

import { WorldError } from "@windtunnel/base";
import { flagOf, OPTION_NAMES, type OptionName } from "./typed-options.ts";

/** Options that a field may have come from: the first one that was typed is named, or else the first. */
const SOURCES: Readonly<Record<string, readonly OptionName[]>> = {
  ...Object.fromEntries(OPTION_NAMES.map((name) => [name, [name]])),
  experts: ["experts", "redundantExperts", "ranks"],
  groups: ["groups", "experts"],
  topk: ["topk", "limitedGroups", "groups", "experts"],
  tokens: ["tokens", "pattern"],
  "timing.gpu": ["gpu"],
  "cluster.nodes": ["ranks"],
  "cluster.gpusPerNode": ["gpusPerNode"],
  "cluster.fabric.kind": ["fabric", "gpu"],
  "cluster.fabric.spinesPerPlane": ["spines"],
  ...Object.fromEntries(
    (["planes", "nodesPerLeaf", "switchPorts", "network", "routing", "pcie"] as const).map((name) => [
      `cluster.fabric.${name}`,
      [name],
    ]),
  ),
  "parallelism.expertParallel": ["ranks"],
  "parallelism.redundantExperts": ["redundantExperts"],
  "run.decode.dispatch": ["pattern"],
  "run.precision.dispatch": ["dispatch"],
  "run.precision.combine": ["combine"],
  "run.nvlinkForDispatch": ["nvlink"],
  "run.communicationSms": ["sms"],
  routing: ["groups"],
  "routing.exponent": ["gate"],
};

/** Names of fields inside a sentence, such as what is allowed. */
const WORDS: Readonly<Record<string, OptionName>> = {
  spinesPerPlane: "spines",
  nodesPerLeaf: "nodesPerLeaf",
  switchPorts: "switchPorts",
  gpusPerNode: "gpusPerNode",
  redundantExperts: "redundantExperts",
};

/** `isTyped`: whether the user gave an option. Errors inside a file keep the paths of its fields. */
export function inOptions(error: unknown, isTyped: (name: OptionName) => boolean): unknown {
  if (!(error instanceof WorldError) || error.code !== "input") return error;
  const { path, file, found, allowed } = error.details;
  if (path !== undefined && !Object.hasOwn(SOURCES, path) && file === undefined) return error;
  if (file !== undefined) return withDetails(error, { path: path ?? "--gpu" });
  const optionOf = ([first, ...rest]: readonly OptionName[]): string =>
    flagOf([first!, ...rest].find((name) => isTyped(name)) ?? first!);
  let message = error.message.replace(/^scenario: /, "");
  for (const [field, sources] of Object.entries(SOURCES)) {
    const isField = field.includes(".") || message.startsWith(`${field}:`);
    if (isField) message = message.replaceAll(`${field}:`, `${optionOf(sources)}:`);
  }
  const option = path === undefined ? undefined : optionOf(SOURCES[path]!);
  const said =
    option === "--nvlink" || option === "--pcie" ? (text: string) => inWords(onOrOff(text)) : inWords;
  const isNamed = option === undefined || message.includes(`${option}:`);
  return new WorldError(error.code, said(isNamed ? message : `${option}: ${message}`), {
    ...(option === undefined ? {} : { path: option }),
    ...(found === undefined ? {} : { found: typeof found === "string" ? said(found) : found }),
    ...(typeof allowed === "string" ? { allowed: said(allowed) } : {}),
  });
}

function withDetails(error: WorldError, more: object): WorldError {
  return new WorldError(error.code, error.message, { ...error.details, ...more });
}

function inWords(text: string): string {
  return text.replaceAll(/\b[a-z]+(?:[A-Z][a-z]+)+\b/g, (word) => {
    const name = WORDS[word];
    return name === undefined ? word : flagOf(name);
  });
}

function onOrOff(text: string): string {
  return text.replaceAll(/\btrue\b/g, "on").replaceAll(/\bfalse\b/g, "off");
}
