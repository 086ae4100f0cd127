// `windtunnel run`: a scenario file in, a folder with the run out, and a summary on the screen.

import path from "node:path";
import type { Command } from "commander";
import { inputError } from "@windtunnel/base";
import type { RunOptions, Scenario, Summary } from "@windtunnel/cluster";
import type { TraceOptions } from "@windtunnel/trace";
import { interruptible } from "../interruption.ts";
import type { Screen } from "../screen.ts";
import { startThreadsOf } from "../early-threads.ts";
import { collect, examples } from "../subcommand.ts";

interface Options {
  readonly set?: readonly string[];
  readonly schedule?: string;
  readonly placement?: string;
  readonly out?: string;
  readonly json?: true;
  readonly allowOversubscription?: true;
  readonly traceRanks?: string;
  readonly traceSteps?: string;
  readonly traces: boolean;
}

const TRACES = `
trace.perfetto.json and trace.otlp.jsonl show all ranks and steps. Where that
would be more than some 100 MB, they show the ranks of the first two nodes, and
the first and the last step of each kind; --trace-ranks and --trace-steps choose
others. The recording, its digest and the overlap are always of the whole run.
`;

export function configure(command: Command, screen: Screen): void {
  command
    .argument("<scenario>", "a scenario file, YAML or JSON")
    .option(
      "--set <path=value>",
      "change a field; may be repeated; files are relative to the scenario",
      collect,
      [],
    )
    .option(
      "--schedule <schedule>",
      "order of operations of every kind of step that it is for: a name, or the path of a file",
    )
    .option("--placement <placement>", "inline, threads:N, processes:N or processes:N:tcp; changes no result")
    .option("--out <folder>", "where the run is written (default: runs/<name of the scenario>)")
    .option("--json", "print summary.json and nothing else")
    .option("--allow-oversubscription", "run also what does not fit the emulated GPUs' memory")
    .option("--no-traces", "record nothing: faster, and no traces, no analysis and no communication times")
    .option("--trace-ranks <ranks>", "ranks that the traces show: all, or as in 0-7,16")
    .option("--trace-steps <steps>", "steps that the traces show, the first one is 0: all, or as in 2,3")
    .addHelpText("after", TRACES)
    .addHelpText(
      "after",
      examples(
        "windtunnel run packages/cli/examples/slow-parts.yaml --placement threads:2",
        "windtunnel run my.yaml --set cluster.nodes=4 --out runs/four-nodes",
        "windtunnel run my.yaml --schedule ./docs/examples/dual-batch-vllm.ts",
        "windtunnel run my.yaml --trace-ranks 0-7 --trace-steps 2,3",
      ),
    )
    .action(async (file: string, options: Options) => {
      await startThreadsOf(file, settingsOf(options));
      const { loadScenario, scheduleSettings } = await import("@windtunnel/cluster");
      const schedule = options.schedule === undefined ? [] : scheduleSettings(options.schedule);
      const scenario = loadScenario(file, [...settingsOf(options), ...schedule]);
      const folder = options.out ?? path.join("runs", scenario.name);
      if (!options.traces) {
        refuseSelection(options);
        await runUnrecorded(scenario, folder, screen, options.json === true);
        return;
      }
      const traces = await tracesOf(options);
      const summary = await runWithProgress(scenario, folder, screen, { traces });
      if (options.json) {
        screen.print(JSON.stringify(summary, undefined, 2));
        return;
      }
      const { renderSummary } = await import("../report/summary-report.ts");
      screen.print(renderSummary(scenario, summary, folder, screen.colours));
    });
}

/** Runs a scenario into `folder`, with a progress bar, until it is done or a signal ends it. */
export async function runWithProgress(
  scenario: Scenario,
  folder: string,
  screen: Screen,
  given: Pick<RunOptions, "traces"> = {},
): Promise<Summary> {
  const { runScenario } = await import("@windtunnel/cluster");
  return await withProgress(scenario, folder, screen, (options) =>
    runScenario(scenario, { ...options, ...given }),
  );
}

async function runUnrecorded(
  scenario: Scenario,
  folder: string,
  screen: Screen,
  isData: boolean,
): Promise<void> {
  const { runUnrecorded: run } = await import("@windtunnel/cluster");
  const summary = await withProgress(scenario, folder, screen, (options) => run(scenario, options));
  if (isData) {
    screen.print(JSON.stringify(summary, undefined, 2));
    return;
  }
  const { renderUnrecorded } = await import("../report/summary-report.ts");
  screen.print(renderUnrecorded(scenario, summary, folder, screen.colours));
}

async function withProgress<Result>(
  scenario: Scenario,
  folder: string,
  screen: Screen,
  run: (options: RunOptions) => Promise<Result>,
): Promise<Result> {
  const { prepareOutputFolder } = await import("../output-folder.ts");
  const { createProgressDisplay } = await import("../report/progress.ts");
  const outputFolder = prepareOutputFolder(folder);
  const display = createProgressDisplay(screen, scenario.name);
  try {
    return await interruptible(screen, (signal) => {
      signal.addEventListener("abort", () => display.stop());
      const options: RunOptions = {
        outputFolder,
        signal,
        onProgress: (progress) => display.update(progress),
      };
      return run(options);
    });
  } finally {
    display.stop();
  }
}

/** Nothing can be chosen of traces that are not there. */
function refuseSelection({ traceRanks, traceSteps }: Options): void {
  const option = traceRanks === undefined ? "--trace-steps" : "--trace-ranks";
  const found = traceRanks ?? traceSteps;
  if (found === undefined) return;
  throw inputError(`${option} chooses what traces show, and --no-traces leaves them out`, {
    path: option,
    found,
    allowed: "one of the two options",
  });
}

function settingsOf({ set = [], placement, allowOversubscription }: Options): string[] {
  return [
    ...set,
    ...(placement === undefined ? [] : [`placement=${JSON.stringify(placement)}`]),
    ...(allowOversubscription ? ["allowOversubscription=true"] : []),
  ];
}

async function tracesOf({ traceRanks, traceSteps }: Options): Promise<TraceOptions> {
  const { parseSelection } = await import("@windtunnel/trace");
  return {
    ...(traceRanks === undefined ? {} : { ranks: parseSelection(traceRanks, "--trace-ranks") }),
    ...(traceSteps === undefined ? {} : { steps: parseSelection(traceSteps, "--trace-steps") }),
  };
}
