// How long a command takes to begin: `--help` as a whole process, and a run from its launch to its first event. Both are
// measured from outside, on a command as a user starts it; what the command is, the caller says.

import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import type { UnrecordedSummary } from "../src/result.ts";
import { type BenchRow, median } from "./bench-row.ts";
import { DECODE_RUN } from "./timed-model.ts";

const REPETITIONS = 5;
const HELP_LIMIT_SECONDS = 0.4;
const FIRST_EVENT_LIMIT_SECONDS = 1.5;
/** A summary of a few thousand requests. */
const MOST_OUTPUT_BYTES = 64 * 1024 ** 2;

const EP16 = {
  model: { preset: "v3-scale" },
  timing: { model: "deepseek-v3", kvLength: 1024 },
  cluster: { nodes: 2 },
  run: DECODE_RUN,
  workload: { drawn: { requestsPerGpu: 128, promptTokens: 16, steps: 1 } },
  allowOversubscription: true,
  placement: "threads:2",
};

/** `launcher`: the file that this Node runs as the command. */
export async function benchStart(launcher: string, repetitions: number = REPETITIONS): Promise<BenchRow[]> {
  const command: Command = async (...given) => {
    const options = { maxBuffer: MOST_OUTPUT_BYTES };
    return (await promisify(execFile)(process.execPath, [launcher, ...given], options)).stdout;
  };
  // The first start keeps compiled code for all others.
  await command("--help");
  const folder = mkdtempSync(path.join(tmpdir(), "windtunnel-bench-"));
  try {
    return [
      await measure("--help, to its end", HELP_LIMIT_SECONDS, repetitions, () => secondsToEnd(command)),
      await measure("EP16 without math, to its first event", FIRST_EVENT_LIMIT_SECONDS, repetitions, () =>
        secondsToFirstEvent(command, { ...EP16, math: "skip" }, folder),
      ),
      await measure("EP16 with real math, to its first event", FIRST_EVENT_LIMIT_SECONDS, repetitions, () =>
        secondsToFirstEvent(command, EP16, folder),
      ),
    ];
  } finally {
    rmSync(folder, { recursive: true });
  }
}

type Command = (...given: readonly string[]) => Promise<string>;

async function measure(
  name: string,
  limit: number,
  repetitions: number,
  secondsOfOne: () => Promise<number>,
): Promise<BenchRow> {
  const seconds: number[] = [];
  for (let repetition = 0; repetition < repetitions; repetition++) seconds.push(await secondsOfOne());
  return {
    name: `Start: ${name}`,
    work: { starts: repetitions },
    seconds: median(seconds),
    rates: { fastest: Math.min(...seconds), slowest: Math.max(...seconds), limit },
  };
}

async function secondsToEnd(command: Command): Promise<number> {
  const launched = performance.now();
  await command("--help");
  return (performance.now() - launched) / 1000;
}

async function secondsToFirstEvent(command: Command, fields: object, folder: string): Promise<number> {
  const scenario = path.join(folder, "scenario.json");
  writeFileSync(scenario, JSON.stringify(fields));
  const launched = Date.now();
  const printed = await command("run", scenario, "--no-traces", "--json", "--out", path.join(folder, "run"));
  const { wall } = JSON.parse(printed) as UnrecordedSummary;
  return (wall.firstEventAt - launched) / 1000;
}
