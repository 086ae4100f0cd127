// `windtunnel start` (`npm start`): the first run. One cluster twice, with the same requests: sequentially, then with
// two micro-batches in five stages. Shows what that does to time and to communication, and that no token changes.

import path from "node:path";
import { fileURLToPath } from "node:url";
import type { Command } from "commander";
import { invariant } from "@windtunnel/base";
import type { Scenario, Summary } from "@windtunnel/cluster";
import type { Screen } from "../screen.ts";
import { examples } from "../subcommand.ts";
import { runWithProgress } from "./run.ts";

const EXAMPLES = fileURLToPath(new URL("../../examples/", import.meta.url));
const RUNS = ["start-sequential", "start-five-stage"] as const;

interface Options {
  readonly out: string;
  readonly placement?: string;
  readonly json?: true;
}

interface FinishedRun {
  readonly scenario: Scenario;
  readonly summary: Summary;
  readonly folder: string;
}

export function configure(command: Command, screen: Screen): void {
  command
    .option("--out <folder>", "where both runs are written", "runs")
    .option("--placement <placement>", "inline, threads:N or processes:N; changes no result")
    .option("--json", "print both summaries and nothing else")
    .addHelpText("after", examples("windtunnel start", "windtunnel start --placement processes:2"))
    .action(async (options: Options) => {
      const [sequential, fiveStage] = [
        await runExample(RUNS[0], options, screen),
        await runExample(RUNS[1], options, screen),
      ];
      expectSameTokens(sequential, fiveStage);
      if (options.json) {
        const both = { sequential: sequential.summary, fiveStage: fiveStage.summary };
        screen.print(JSON.stringify(both, undefined, 2));
        return;
      }
      const { renderCluster, renderFiles, renderTokens } = await import("../report/summary-report.ts");
      const { explainOverlap, renderComparison } = await import("../report/comparison-report.ts");
      const { wrap } = await import("../report/table.ts");
      const { colours } = screen;
      const sections = [
        renderCluster(sequential.scenario, sequential.summary, colours),
        renderTokens(sequential.summary, colours),
        wrap(
          "Every token of every request is the same in both runs: a schedule changes time and nothing else.",
        ),
        renderComparison(sequential.summary, fiveStage.summary, colours),
        wrap(
          explainOverlap(
            fiveStage.scenario,
            await timedModel(fiveStage.scenario),
            sequential.summary,
            fiveStage.summary,
          ),
        ),
        renderFiles([sequential.folder, fiveStage.folder], colours),
      ];
      screen.print(sections.join("\n\n"));
    });
}

async function runExample(
  name: (typeof RUNS)[number],
  options: Options,
  screen: Screen,
): Promise<FinishedRun> {
  const { loadScenario } = await import("@windtunnel/cluster");
  const { placement } = options;
  const settings = placement === undefined ? [] : [`placement=${JSON.stringify(placement)}`];
  const scenario = loadScenario(path.join(EXAMPLES, `${name}.yaml`), settings);
  const folder = path.resolve(options.out, name);
  return { scenario, folder, summary: await runWithProgress(scenario, folder, screen) };
}

/** The schedules must agree on every token; anything else is a bug. */
function expectSameTokens(sequential: FinishedRun, fiveStage: FinishedRun): void {
  const [one, other] = [sequential.summary, fiveStage.summary];
  invariant(
    one.digests.tokens === other.digests.tokens &&
      JSON.stringify(one.outputs) === JSON.stringify(other.outputs),
    `the schedules gave different tokens: digest ${one.digests.tokens} and ${other.digests.tokens}`,
  );
}

async function timedModel(scenario: Scenario) {
  const { findPreset } = await import("@windtunnel/model");
  return findPreset(scenario.timing.model).config;
}
