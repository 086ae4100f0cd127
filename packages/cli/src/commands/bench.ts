// `windtunnel bench`: the emulator's own speed. Work first, seconds second, rates last. The measurements live with
// what they measure; this file chooses and prints them, and holds their work against the committed baselines.

import { fileURLToPath } from "node:url";
import { type Command, InvalidArgumentError } from "commander";
import { inputError, WorldError } from "@windtunnel/base";
import type { BenchRow, MoeBenchOptions, WorkComparison } from "@windtunnel/cluster/bench";
import type { KernelBenchRow } from "@windtunnel/tensor/bench";
import { wholeNumber } from "../numbers.ts";
import { formatMagnitude, formatMicroseconds, formatNumber, significant } from "../report/format.ts";
import { renderSection, renderTable, type TableContent } from "../report/table.ts";
import type { Colours, Screen } from "../screen.ts";
import { examples } from "../subcommand.ts";

const NAMES = [
  "matmul",
  "transport",
  "events",
  "moe",
  "recording",
  "steps",
  "rounds",
  "start",
  "memory",
  "scale",
] as const;
/** Takes minutes and gigabytes, so it must be asked for. */
const LARGE: ReadonlySet<string> = new Set(["scale"]);
/** Whose work depends on options or on the machine. */
const NOT_COUNTED: ReadonlySet<string> = new Set(["moe", "start", "memory"]);
type BenchName = (typeof NAMES)[number];

const LAUNCHER = fileURLToPath(new URL("../../bin/windtunnel.js", import.meta.url));

interface Options {
  readonly json?: true;
  readonly writeBaselines?: true;
  readonly hidden: number;
  readonly inter: number;
  readonly experts: number;
  readonly topk: number;
  readonly ranks: number;
  readonly tokens: number;
  readonly layers: number;
  readonly placement: string;
}

export function configure(command: Command, screen: Screen): void {
  const size = wholeNumber(1);
  command
    .argument("[name]", `one of ${NAMES.join(", ")}; without it, all but scale`, benchName)
    .option("--json", "print the rows as JSON and nothing else")
    .option("--write-baselines", "keep the work that is done now as what later runs are held against")
    .option("--hidden <size>", "moe: hidden size", size, 256)
    .option("--inter <size>", "moe: inner size of an expert", size, 128)
    .option("--experts <count>", "moe: routed experts", size, 256)
    .option("--topk <count>", "moe: experts of each token", size, 8)
    .option("--ranks <count>", "moe: ranks that share the experts", size, 16)
    .option("--tokens <count>", "moe: tokens of each rank", size, 64)
    .option("--layers <count>", "moe: layers", size, 4)
    .option("--placement <placement>", "moe: inline, threads:N or processes:N", "threads:2")
    .addHelpText(
      "after",
      examples(
        "windtunnel bench matmul",
        "windtunnel bench steps",
        "windtunnel bench moe --hidden 128 --inter 64 --placement processes:2",
      ),
    )
    .action(async (name: BenchName | undefined, options: Options) => {
      const results: Partial<Record<BenchName, unknown>> = {};
      const counted: BenchRow[] = [];
      for (const chosen of name === undefined ? NAMES.filter((each) => !LARGE.has(each)) : [name]) {
        const { rows, work, text } = await measure(chosen, options, screen.colours);
        results[chosen] = rows;
        counted.push(...work);
        if (!options.json) screen.print(`${text}\n`);
      }
      if (options.json)
        screen.print(JSON.stringify(name === undefined ? results : results[name], undefined, 2));
      await holdAgainstBaselines(counted, options, screen);
    });
}

interface Measurement {
  readonly rows: readonly unknown[];
  /** Rows whose work is the same on every machine, and with the options as they are. */
  readonly work: readonly BenchRow[];
  readonly text: string;
}

async function measure(name: BenchName, options: Options, colours: Colours): Promise<Measurement> {
  if (name === "matmul") {
    const { benchKernels } = await import("@windtunnel/tensor/bench");
    const rows = benchKernels();
    return { rows, work: [], text: renderKernels(rows, colours) };
  }
  const rows = await MEASUREMENTS[name](await import("@windtunnel/cluster/bench"), options);
  return { rows, work: NOT_COUNTED.has(name) ? [] : rows, text: renderBenchRows(rows, colours) };
}

/** Says what changed against the committed work; throws where it grew. */
async function holdAgainstBaselines(
  rows: readonly BenchRow[],
  options: Options,
  screen: Screen,
): Promise<void> {
  if (rows.length === 0) return;
  const { compareWork, readBaselines, writeBaselines } = await import("@windtunnel/cluster/bench");
  if (options.writeBaselines) {
    writeBaselines(rows);
    if (!options.json) screen.print(`The work of ${rows.length} rows is the baseline now.`);
    return;
  }
  const comparison = compareWork(rows, readBaselines());
  if (!options.json) screen.print(renderWork(comparison, screen.colours));
  const [first] = comparison.grown;
  if (first === undefined) return;
  const { row, count, baseline, now } = first;
  throw new WorldError(
    "work-grew",
    `${comparison.grown.length} counts grew by more than 2 %: ${count} of "${row}" are ` +
      `${formatNumber(now)}, and were ${formatNumber(baseline)}`,
    { next: "do less work, or say why it is needed and run windtunnel bench --write-baselines" },
  );
}

/** What the work of the rows is beside what it was. */
export function renderWork({ compared, grown, fallen, unknown }: WorkComparison, colours: Colours): string {
  const rows = [...grown, ...fallen].map(({ row, count, baseline, now }) => [
    `${row}: ${count}`,
    formatNumber(baseline),
    formatNumber(now),
    `${(100 * (now / baseline - 1)).toFixed(1)} %`,
  ]);
  const table: TableContent = {
    head: ["", "was", "is", "change"],
    aligns: ["left", "right", "right", "right"],
    rows,
  };
  const lines = [
    rows.length === 0
      ? `Work is as committed: ${formatNumber(compared)} counts within 2 %`
      : renderSection("Work that is not as committed", table, colours),
    ...(unknown.length === 0
      ? []
      : [`Without a baseline: ${unknown.length} rows; --write-baselines keeps them`]),
  ];
  return lines.join("\n");
}

type Benchmarks = typeof import("@windtunnel/cluster/bench");

const MEASUREMENTS: Record<
  Exclude<BenchName, "matmul">,
  (benchmarks: Benchmarks, options: Options) => Promise<readonly BenchRow[]> | readonly BenchRow[]
> = {
  transport: async ({ benchTransports }) => await benchTransports(),
  events: ({ benchEvents }) => benchEvents(),
  moe: async ({ benchMoe }, options) => await benchMoe(await moeOptions(options)),
  recording: async ({ benchRecording }) => await benchRecording(),
  steps: async ({ benchSteps }) => await benchSteps(),
  rounds: async ({ benchRounds }) => await benchRounds(),
  scale: async ({ benchScale, benchLongRounds }) => [...(await benchScale()), ...(await benchLongRounds())],
  start: async ({ benchStart }) => await benchStart(LAUNCHER),
  memory: async ({ benchMemory }) => await benchMemory(),
};

async function moeOptions(options: Options): Promise<MoeBenchOptions> {
  const { parsePlacement } = await import("@windtunnel/cluster");
  const { hidden, inter, experts, topk, ranks, tokens, layers } = options;
  const placement = parsePlacement(options.placement);
  const allowed = "inline, threads:N, processes:N or processes:N:tcp";
  if (placement === undefined) throw wrongOption("--placement", options.placement, allowed);
  if (experts % ranks !== 0) throw wrongOption("--ranks", ranks, `a divisor of the ${experts} experts`);
  if (topk > experts) throw wrongOption("--topk", topk, `at most the ${experts} experts`);
  return {
    hiddenSize: hidden,
    innerSize: inter,
    expertCount: experts,
    expertsPerToken: topk,
    rankCount: ranks,
    tokensPerRank: tokens,
    layerCount: layers,
    placement,
  };
}

function wrongOption(path: string, found: string | number, allowed: string): Error {
  return inputError(`${path}: found ${found}; allowed: ${allowed}`, { path, found, allowed });
}

/** Rows whose names share what stands before ": " become one table; others stand alone. */
export function renderBenchRows(rows: readonly BenchRow[], colours: Colours): string {
  const groups = new Map<string, BenchRow[]>();
  for (const row of rows) {
    const title = row.name.split(": ")[0]!;
    groups.set(title, [...(groups.get(title) ?? []), row]);
  }
  const parts = [...groups].map(([title, group]) =>
    group.length === 1 ? renderBenchRow(group[0]!, colours) : renderBenchGroup(title, group, colours),
  );
  return parts.join("\n\n");
}

function renderBenchGroup(title: string, rows: readonly BenchRow[], colours: Colours): string {
  const columns = (row: BenchRow): [string, string][] => [
    ...labelled(row.work),
    ["seconds", significant(row.seconds)],
    ...labelled(row.rates),
  ];
  const heads = columns(rows[0]!).map(([label]) => label);
  const table: TableContent = {
    head: ["", ...heads],
    aligns: ["left", ...heads.map(() => "right" as const)],
    rows: rows.map((row) => [row.name.slice(title.length + 2), ...columns(row).map(([, value]) => value)]),
  };
  const notes = new Set(rows.flatMap((row) => row.notes ?? []));
  return [renderSection(title, table, colours), ...[...notes].map((note) => `  ${note}`)].join("\n");
}

/** One measurement: what was done, how long it took, what that makes in a second. */
export function renderBenchRow({ name, work, seconds, rates, notes }: BenchRow, colours: Colours): string {
  const rows = [
    ...labelled(work).map((pair) => ["work", ...pair]),
    ["time", "seconds", significant(seconds)],
    ...labelled(rates).map((pair) => ["rate", ...pair]),
  ].map(([label = "", ...rest], i, all) => [label === all[i - 1]?.[0] ? "" : label, ...rest]);
  const table = renderSection(name, { aligns: ["left", "left", "right"], rows }, colours);
  return [table, ...(notes ?? []).map((note) => `  ${note}`)].join("\n");
}

/** A table for each group of kernels. */
export function renderKernels(rows: readonly KernelBenchRow[], colours: Colours): string {
  const groups = new Set(rows.map(({ group }) => group));
  const tables = [...groups].map((group) => {
    const ofGroup = rows.filter((row) => row.group === group);
    return `${colours.cyan(group)}\n${renderKernelTable(ofGroup, colours)}`;
  });
  return [
    "One thread; the limit is SIMD multiply and add on registers alone. Speeds are those of the fastest samples;",
    "the median is that of samples beside their neighbour of the limit, with whatever else the machine does.",
    "",
    tables.join("\n\n"),
  ].join("\n");
}

function renderKernelTable(rows: readonly KernelBenchRow[], colours: Colours): string {
  return renderTable(
    {
      head: ["rows x in x out", "flops", "time", "SIMD GF/s", "plain", "limit", "of limit", "median"],
      aligns: ["left", ...Array<"right">(7).fill("right")],
      rows: rows.map((row) => [
        row.name,
        formatMagnitude(row.flops),
        formatMicroseconds(row.flops / row.simdGflops / 1e3),
        significant(row.simdGflops),
        significant(row.plainGflops),
        significant(row.limitGflops),
        `${row.percentOfLimit.toFixed(0)} %`,
        `${row.medianPercentOfLimit.toFixed(0)} %`,
      ]),
    },
    colours,
  );
}

function benchName(text: string): BenchName {
  const name = NAMES.find((candidate) => candidate === text);
  if (name === undefined)
    throw new InvalidArgumentError(`Found "${text}"; allowed: one of ${NAMES.join(", ")}.`);
  return name;
}

function labelled(values: Readonly<Record<string, number>>): [string, string][] {
  return Object.entries(values).map(([key, value]) => [key, formatNumber(value)]);
}
