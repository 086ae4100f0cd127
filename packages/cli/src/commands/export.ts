// `windtunnel export`: a run's recording in the formats of other tools.

import { existsSync, statSync } from "node:fs";
import path from "node:path";
import { inputError, WorldError } from "@windtunnel/base";
import type { Command } from "commander";
import type { Screen } from "../screen.ts";
import { examples } from "../subcommand.ts";

interface Options {
  readonly kineto: string;
  readonly json?: true;
}

const RECORDING = "recording.bin";

export function configure(command: Command, screen: Screen): void {
  command
    .argument("<run>", `the folder of a run, or a recording (${RECORDING}) itself`)
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

function recordingOf(run: string): string {
  const allowed = `the folder of a finished run, or its ${RECORDING}`;
  if (!existsSync(run)) {
    const found = "there is no such file or folder";
    throw inputError(`${run}: ${found}; allowed: ${allowed}`, { file: run, found, allowed });
  }
  if (!statSync(run).isDirectory()) return run;
  const file = path.join(run, RECORDING);
  if (existsSync(file)) return file;
  throw inputError(`${run}: the folder holds no ${RECORDING}; allowed: ${allowed}`, {
    file: run,
    found: `no ${RECORDING}`,
    allowed,
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
