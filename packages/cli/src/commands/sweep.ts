// `windtunnel sweep`: a scenario over a grid of values, one table and a plot out. Points that an earlier call finished in
// the same folder are not run again.

import { rmSync } from "node:fs";
import { availableParallelism } from "node:os";
import path from "node:path";
import { type Command, InvalidArgumentError } from "commander";
import { WorldError } from "@windtunnel/base";
import type { SweepPlan, SweepResult } from "@windtunnel/cluster";
import { Interrupted, interruptible } from "../interruption.ts";
import type { Screen } from "../screen.ts";
import { collect, examples } from "../subcommand.ts";

interface Options {
  readonly over?: readonly string[];
  readonly set?: readonly string[];
  readonly workers?: number;
  readonly out?: string;
  readonly json?: true;
  readonly allowOversubscription?: true;
}

const NOTES = `
Several --over make a grid, the first one changing slowest. All points are
checked before the first is run. Each is stored as soon as it is finished: the
same command goes on where an earlier one was ended, also with more values.
The table is the same with any number of workers. docs/sweeps.md has the rest.
`;

export function configure(command: Command, screen: Screen): void {
  command
    .argument("<scenario>", "a scenario file, YAML or JSON")
    .option(
      "--over <path=values>",
      "a field and its values, with commas between them; may be repeated",
      collect,
    )
    .option(
      "--set <path=value>",
      "change a field for all points; may be repeated; files are relative to the scenario",
      collect,
    )
    .option("--workers <count>", "points that run at a time (default: one for each processor)", wholeNumber)
    .option(
      "--out <folder>",
      "where points and table are written (default: runs/<name of the scenario>-sweep)",
    )
    .option("--json", "print table.json and nothing else")
    .option("--allow-oversubscription", "run also what does not fit the emulated GPUs' memory")
    .addHelpText("after", NOTES)
    .addHelpText(
      "after",
      examples(
        "windtunnel sweep my.yaml --over parallelism.expertParallel=8,16,32",
        "windtunnel sweep my.yaml --over run.decode.dispatch=direct,low-latency \\\n" +
          "      --over parallelism.expertParallel=8,16,32 --out runs/degrees",
        "windtunnel sweep my.yaml --over timing.gpu=h800,./my-gpu.yaml --workers 4",
      ),
    )
    .action(async (file: string, options: Options) => {
      const plan = await checkedPlan(file, options, screen);
      const folder = await sweepFolder(options.out ?? path.join("runs", `${plan.name}-sweep`));
      const result = await runWithProgress(plan, folder, options.workers ?? availableParallelism(), screen);
      await report(result, folder, options, screen);
    });
}

async function checkedPlan(
  file: string,
  { over = [], set = [], allowOversubscription }: Options,
  screen: Screen,
): Promise<SweepPlan> {
  const { planSweep } = await import("@windtunnel/cluster");
  const { createCountDisplay } = await import("../report/count-display.ts");
  const display = createCountDisplay(screen, "checking points");
  try {
    return planSweep({
      file,
      settings: allowOversubscription ? [...set, "allowOversubscription=true"] : set,
      over,
      onCheck: (index, pointCount, place) => display.begin(index, pointCount, place),
    });
  } finally {
    display.stop();
  }
}

function wholeNumber(text: string): number {
  const count = Number(text);
  if (/^\d+$/.test(text) && count >= 1 && count <= 1024) return count;
  throw new InvalidArgumentError("A whole number from 1 to 1024 is needed.");
}

const TABLES = ["table.csv", "table.json", "table.md"] as const;
const PLOT = "plot.svg";

/** A table of an earlier sweep would be read as this one's; its points stay. */
async function sweepFolder(folder: string): Promise<string> {
  const { prepareOutputFolder } = await import("../output-folder.ts");
  prepareOutputFolder(path.join(folder, "points"));
  for (const name of [...TABLES, PLOT]) rmSync(path.join(folder, name), { force: true });
  return folder;
}

async function runWithProgress(
  plan: SweepPlan,
  folder: string,
  workerCount: number,
  screen: Screen,
): Promise<SweepResult> {
  const { countStored, runSweep } = await import("@windtunnel/cluster");
  const { createSweepDisplay } = await import("../report/sweep-progress.ts");
  const pointCount = plan.points.length;
  if (plan.placementPassedOver !== undefined) {
    screen.remark(
      `placement ${plan.placementPassedOver} is passed over: each point runs inline, several at a time`,
    );
  }
  const storedCount = countStored(plan, folder);
  if (storedCount > 0) screen.remark(`${storedCount} of ${points(pointCount)} were there already`);
  const display = createSweepDisplay(screen, plan.name);
  try {
    return await interruptible(screen, (signal) => {
      signal.addEventListener("abort", () => display.stop());
      return runSweep(plan, {
        folder,
        workerCount,
        signal,
        onProgress: (progress) => display.update(progress),
      });
    });
  } catch (error) {
    display.stop();
    if (error instanceof Interrupted) {
      const stored = countStored(plan, folder);
      screen.remark(
        `${stored} of ${points(pointCount)} are in ${folder}; the same command goes on from there`,
      );
    }
    throw error;
  } finally {
    display.stop();
  }
}

async function report(result: SweepResult, folder: string, { json }: Options, screen: Screen): Promise<void> {
  const { writeWhole } = await import("@windtunnel/cluster");
  const { renderCsv, renderMarkdown, tableData } = await import("../report/sweep-table.ts");
  const { plotRefusal, renderPlot } = await import("../report/sweep-plot.ts");
  const data = `${JSON.stringify(tableData(result), undefined, 2)}\n`;
  const refusal = plotRefusal(result);
  writeWhole(path.join(folder, "table.csv"), renderCsv(result));
  writeWhole(path.join(folder, "table.json"), data);
  writeWhole(path.join(folder, "table.md"), renderMarkdown(result, { hasPlot: refusal === undefined }));
  if (refusal === undefined) writeWhole(path.join(folder, PLOT), await renderPlot(result));
  if (json) screen.print(data.trimEnd());
  else {
    const { renderSweep } = await import("../report/sweep-report.ts");
    const files = refusal === undefined ? [...TABLES, PLOT] : TABLES;
    screen.print(
      renderSweep(result, { folder, files, ...(refusal === undefined ? {} : { refusal }) }, screen.colours),
    );
  }
  const failed = result.rows.filter(({ failure }) => failure !== null);
  if (failed.length === 0) return;
  throw new WorldError("sweep", `${failed.length} of ${points(result.rows.length)} failed`, {
    next: "the reasons stand in the table; the same command runs the failed points again",
  });
}

function points(count: number): string {
  return count === 1 ? "1 point" : `${count} points`;
}
