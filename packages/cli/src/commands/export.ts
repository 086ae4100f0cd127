// `windtunnel export`: a run's recording in the formats of other tools.

import path from "node:path";
import { inputError, WorldError } from "@windtunnel/base";
import type { Command } from "commander";
import { recordingOf } from "../run-files.ts";
import type { Screen } from "../screen.ts";
import { examples } from "../subcommand.ts";

interface Options {
  readonly kineto: string;
  readonly json?: true;
}

export function configure(command: Command, screen: Screen): void {
  command
    .argument("<run>", "the folder of a run, or its recording.bin")
    .requiredOption("--kineto <folder>", "write a PyTorch-profiler trace for each rank there")
    .option("--json", "print the list of files and nothing else")
    .addHelpText("after", examples("windtunnel export runs/start-five-stage --kineto runs/kineto"))
    .action(async (run: string, { kineto, json }: Options) => {
      const { exportKineto, openRecording } = await import("@windtunnel/trace");
      const recording = openRecording(recordingOf(run));
      try {
        const { files } = exportKineto(recording, await preparedFolder(kineto));
        screen.print(json ? JSON.stringify({ files }, undefined, 2) : describe(files, kineto));
      } finally {
        recording.close();
      }
    });
}

async function preparedFolder(folder: string): Promise<string> {
  const { prepareOutputFolder } = await import("../output-folder.ts");
  try {
    prepareOutputFolder(folder);
    return folder;
  } catch (error) {
    if (!(error instanceof WorldError)) throw error;
    throw inputError(error.message, { ...error.details, path: "--kineto" });
  }
}

function describe(files: readonly string[], folder: string): string {
  const names = files.map((file) => path.basename(file));
  const list = names.length === 1 ? names[0]! : `${names[0]!} to ${names.at(-1)!}`;
  return [
    `${files.length} ${files.length === 1 ? "rank" : "ranks"} in ${folder}: ${list}`,
    "",
    "  HolisticTraceAnalysis reads them; unless HTA_DISABLE_NS_ROUNDING=1 it rounds",
    "  every kernel to whole microseconds, inwards. In Python:",
    `  TraceAnalysis(trace_dir="${folder}").get_comm_comp_overlap()`,
  ].join("\n");
}
