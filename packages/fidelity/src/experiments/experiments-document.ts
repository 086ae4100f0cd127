// The experiments as the Markdown of `docs/experiments.md`.

import { type Domains, domainText, runDomains } from "./nvlink-domain.ts";
import type { ExperimentText } from "./experiment.ts";
import { type NodeLimits, nodeLimitText, runNodeLimits } from "./node-limit.ts";
import { type Fabrics, planesText, runFabrics } from "./planes.ts";
import { routingText, type Routings, runRoutings } from "./routing.ts";

const COUNT = 4;

export interface Experiments {
  readonly routings: Routings;
  readonly fabrics: Fabrics;
  readonly nodeLimits: NodeLimits;
  readonly domains: Domains;
}

/** `onExperiment` hears of each before it is run. */
export function runExperiments(
  onExperiment: (name: string, index: number, count: number) => void = () => undefined,
): Experiments {
  let index = 0;
  const announced = <T>(name: string, run: () => T): T => {
    onExperiment(name, index++, COUNT);
    return run();
  };
  return {
    routings: announced("routing", runRoutings),
    fabrics: announced("planes and rails", runFabrics),
    nodeLimits: announced("node-limited routing", runNodeLimits),
    domains: announced("NVLink domain", runDomains),
  };
}

export function experimentTexts({ routings, fabrics, nodeLimits, domains }: Experiments): ExperimentText[] {
  return [routingText(routings), planesText(fabrics), nodeLimitText(nodeLimits), domainText(domains)];
}

export function renderExperimentsDocument(experiments: Experiments): string {
  return `${[
    "# Experiments",
    "What the emulated cluster shows of the network, each with the numbers of a run and the commands that repeat it.",
    "`windtunnel validate --experiments --write docs/experiments.md` writes this page; a test runs every experiment, checks " +
      "what it claims, and keeps the page equal.",
    ...experimentTexts(experiments).flatMap(sectionOf),
  ].join("\n\n")}\n`;
}

function sectionOf({ title, setting, head, rows, finding, commands }: ExperimentText): string[] {
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  const isNumber = (column: number): boolean =>
    rows.every((row) => /^[\d.,]+(?: %)?$/u.test(row[column] ?? ""));
  const rule = `|${head.map((_, column) => (isNumber(column) ? "---:" : "---")).join("|")}|`;
  return [
    `## ${title}`,
    setting,
    [line(head), rule, ...rows.map(line)].join("\n"),
    finding,
    `\`\`\`sh\n${commands.map((command) => `npx ${command}`).join("\n")}\n\`\`\``,
  ];
}
