// What a finished run left in its folder, by the name that a user gives: the folder, or the recording itself.

import { existsSync, readdirSync, statSync } from "node:fs";
import path from "node:path";
import { inputError } from "@windtunnel/base";

const RECORDING = "recording.bin";

/** The recording of a run; an input error where there is none. */
export function recordingOf(run: string): string {
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

/** Files that `windtunnel export --kineto` wrote, by rank, where a folder holds them instead of a recording. */
export function exportedTracesIn(run: string): string[] {
  if (!existsSync(run) || !statSync(run).isDirectory() || existsSync(path.join(run, RECORDING))) return [];
  const rankOf = (name: string): number => Number(/^rank-(\d+)\.json(?:\.gz)?$/.exec(name)?.[1]);
  return readdirSync(run)
    .filter((name) => !Number.isNaN(rankOf(name)))
    .sort((a, b) => rankOf(a) - rankOf(b))
    .map((name) => path.join(run, name));
}
