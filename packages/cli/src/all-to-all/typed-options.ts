// The options of `windtunnel alltoall` that say what is measured: their names, how each is read, and what the measurement
// calls them. Every one of them can be swept. Their defaults are the measurement's.

import { type Command, InvalidArgumentError, Option } from "commander";
import type { AllToAllOptions } from "@windtunnel/cluster";

/** What was typed; names as in JSON, and in kebab case on the command line. */
export interface TypedOptions {
  readonly gpu?: string;
  readonly ranks?: number;
  readonly gpusPerNode?: number;
  readonly tokens?: readonly number[];
  readonly hidden?: number;
  readonly experts?: number;
  readonly redundantExperts?: number;
  readonly topk?: number;
  readonly groups?: number;
  readonly limitedGroups?: number;
  readonly gate?: Gate;
  readonly pattern?: string;
  readonly sms?: number;
  readonly dispatch?: AllToAllOptions["dispatch"];
  readonly combine?: AllToAllOptions["combine"];
  readonly nvlink?: boolean;
  readonly fabric?: string;
  readonly planes?: number;
  readonly nodesPerLeaf?: number;
  readonly spines?: number;
  readonly switchPorts?: number;
  readonly network?: string;
  readonly routing?: string;
  readonly pcie?: boolean;
  readonly seed?: number;
}

export type OptionName = keyof TypedOptions;
type Gate = Pick<AllToAllOptions, "gate"> & Partial<Pick<AllToAllOptions, "exponent">>;

interface TypedOption<Value> {
  readonly placeholder: string;
  readonly description: string;
  /** Throws `InvalidArgumentError` with what was found and what is allowed. */
  readonly read: (text: string) => Value;
}

/** Beyond these a number is a slip of the keyboard. */
const MOST_RANKS = 1024;
const MOST_TOKENS = 65_536;
const MOST_EXPERTS = 65_536;

const OPTIONS: { readonly [Name in OptionName]-?: TypedOption<NonNullable<TypedOptions[Name]>> } = {
  pattern: {
    placeholder: "pattern",
    description: "direct, normal, low-latency, or a pattern's file; several: a table (low-latency)",
    read: text("a pattern"),
  },
  ranks: {
    placeholder: "count",
    description: "GPUs that share the experts (16)",
    read: whole(1, MOST_RANKS),
  },
  tokens: {
    placeholder: "counts",
    description: "tokens of each rank; several numbers: ranks take them in turn (4096; low-latency: 128)",
    read: wholes(0, MOST_TOKENS),
  },
  experts: {
    placeholder: "count",
    description: "experts (256; low-latency: 288 where they divide by the ranks)",
    read: whole(1, MOST_EXPERTS),
  },
  redundantExperts: {
    placeholder: "count",
    description: "replicas beyond one of each expert, placed by EPLB (0)",
    read: whole(0, MOST_EXPERTS),
  },
  topk: { placeholder: "count", description: "experts of a token (8)", read: whole(1, 128) },
  groups: {
    placeholder: "count",
    description: "groups of experts (one for each node; low-latency: none, which is 1)",
    read: whole(1, MOST_EXPERTS),
  },
  limitedGroups: {
    placeholder: "count",
    description: "groups that a token may use (4, or all)",
    read: whole(1, MOST_EXPERTS),
  },
  gate: {
    placeholder: "gate",
    description: "how experts are drawn: balanced, gate-like or zipf:S (gate-like)",
    read: gate,
  },
  hidden: { placeholder: "size", description: "channels of a token (7168)", read: whole(1, 65_536) },
  dispatch: {
    placeholder: "precision",
    description: "on the way out: fp8, bf16 or f32 (fp8)",
    read: oneOf("fp8", "bf16", "f32"),
  },
  combine: {
    placeholder: "precision",
    description: "on the way back: bf16 or f32 (bf16)",
    read: oneOf("bf16", "f32"),
  },
  sms: {
    placeholder: "count",
    description: "SMs of the kernels of direct and normal (20)",
    read: whole(2, 1024),
  },
  gpu: {
    placeholder: "gpu",
    description: "hardware profile, or its file (h800)",
    read: text("a hardware profile"),
  },
  gpusPerNode: {
    placeholder: "count",
    description: "GPUs of a node (8, or all; nvlink-domain: 4)",
    read: whole(1, 256),
  },
  nvlink: {
    placeholder: "on|off",
    description: "whether messages inside a node take NVLink (on)",
    read: onOrOff,
  },
  fabric: {
    placeholder: "kind",
    description: "multi-plane, multi-rail, single-plane or nvlink-domain (multi-plane)",
    read: oneOf("multi-plane", "multi-rail", "single-plane", "nvlink-domain"),
  },
  planes: { placeholder: "count", description: "NICs of a node that are used (all)", read: whole(1, 256) },
  nodesPerLeaf: { placeholder: "count", description: "nodes under a leaf (32)", read: whole(1, 4096) },
  spines: {
    placeholder: "count",
    description: "spines of a plane, or of all rails (32)",
    read: whole(0, 4096),
  },
  switchPorts: { placeholder: "count", description: "ports of each switch (64)", read: whole(2, 4096) },
  routing: {
    placeholder: "routing",
    description: "static, ecmp or adaptive (static)",
    read: oneOf("static", "ecmp", "adaptive"),
  },
  network: {
    placeholder: "network",
    description: "infiniband or roce (infiniband)",
    read: oneOf("infiniband", "roce"),
  },
  pcie: {
    placeholder: "on|off",
    description: "whether messages cross PCIe links of their own (off)",
    read: onOrOff,
  },
  seed: { placeholder: "seed", description: "of every draw (1)", read: whole(0, 2 ** 32 - 1) },
};

export const OPTION_NAMES: readonly OptionName[] = Object.keys(OPTIONS) as OptionName[];

/** `--nodes-per-leaf` for `nodesPerLeaf`. */
export function flagOf(name: string): string {
  return `--${name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

export function addOptions(command: Command): void {
  for (const name of OPTION_NAMES) {
    const { placeholder, description, read } = OPTIONS[name];
    const option = new Option(`${flagOf(name)} <${placeholder}>`, description);
    // Patterns may stand together, or be repeated; each is read by itself.
    if (name === "pattern") option.argParser(collectParts);
    else option.argParser((value): unknown => read(value));
    command.addOption(option);
  }
}

function collectParts(value: string, previous: readonly string[] | undefined): readonly string[] {
  return [...(previous ?? []), ...value.split(",").map((part) => OPTIONS.pattern.read(part))];
}

/** One value of an option, as `--sweep` has it. */
export function readValue(name: OptionName, value: string): unknown {
  return OPTIONS[name].read(value);
}

/** What the measurement calls them. */
export function measuredOptions(typed: TypedOptions): Partial<AllToAllOptions> {
  const {
    gate: drawn,
    fabric: kind,
    planes,
    nodesPerLeaf,
    spines,
    switchPorts,
    network,
    routing,
    pcie,
    ...same
  } = typed;
  const fabric = { kind, planes, nodesPerLeaf, spinesPerPlane: spines, switchPorts, network, routing, pcie };
  return { ...same, ...drawn, fabric: withoutUndefined(fabric) };
}

function withoutUndefined(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

function refuse(found: string, allowed: string): never {
  throw new InvalidArgumentError(`Found "${found}"; allowed: ${allowed}.`);
}

function whole(least: number, most: number): (text: string) => number {
  return (given) => {
    const value = Number(given);
    if (given.trim() === "" || !Number.isSafeInteger(value) || value < least || value > most) {
      refuse(given, `a whole number from ${least} to ${most}`);
    }
    return value;
  };
}

function wholes(least: number, most: number): (text: string) => readonly number[] {
  const read = whole(least, most);
  return (given) => given.split(",").map((part) => read(part));
}

function oneOf<const Value extends string>(...values: readonly Value[]): (text: string) => Value {
  return (given) =>
    values.find((value) => value === given) ??
    refuse(given, `${values.slice(0, -1).join(", ")} or ${values.at(-1)}`);
}

function onOrOff(given: string): boolean {
  return oneOf("on", "off")(given) === "on";
}

function text(what: string): (text: string) => string {
  return (given) => (given.trim() === "" ? refuse(given, what) : given);
}

function gate(given: string): Gate {
  if (given === "balanced" || given === "gate-like") return { gate: given };
  const exponent = Number(/^zipf:(?<exponent>\d*\.?\d+)$/.exec(given)?.groups?.["exponent"]);
  if (exponent > 0) return { gate: "zipf", exponent };
  return refuse(given, "balanced, gate-like, or zipf:S with an exponent S above 0, such as zipf:1");
}
