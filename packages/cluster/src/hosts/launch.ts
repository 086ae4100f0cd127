// What every way of running hosts offers: all hosts of a run, together, to their end or to the first failure.

import type { PreparedRun } from "../prepare-run.ts";
import type { HostProgress, HostResult } from "./run-host-processes.ts";

export interface LaunchOptions {
  readonly run: PreparedRun;
  readonly outputFolder: string;
  readonly eventLog: boolean;
  readonly record: boolean;
  readonly signal: AbortSignal;
  readonly onProgress: (host: number, progress: HostProgress) => void;
}

export interface LaunchedHost {
  readonly result: HostResult;
  readonly kind: "inline" | "thread" | "process";
  readonly pid: number;
  readonly peakRssBytes: number;
}

export type Launch = (options: LaunchOptions) => Promise<LaunchedHost[]>;

/** Ranks and planes that a host carries, for summaries and messages. */
export function carriedBy(run: PreparedRun, host: number): { gpus: number[]; planes: number[] } {
  const { numbers, hosts } = run;
  const gpus = Array.from({ length: numbers.rankCount }, (_, rank) => rank);
  const planes = Array.from({ length: numbers.planeCount }, (_, plane) => plane);
  return {
    gpus: gpus.filter((rank) => hosts.hostOf(rank) === host),
    planes: planes.filter((plane) => hosts.hostOf(numbers.plane(plane)) === host),
  };
}

/** "GPUs 8 to 15 and planes 4 to 7" */
export function describeCarried({
  gpus,
  planes,
}: {
  gpus: readonly number[];
  planes: readonly number[];
}): string {
  const parts = [listOf("GPU", gpus), listOf("plane", planes)].filter((part) => part !== "");
  return parts.length === 0 ? "nothing" : parts.join(" and ");
}

function listOf(what: string, numbers: readonly number[]): string {
  if (numbers.length === 0) return "";
  if (numbers.length === 1) return `${what} ${numbers[0]}`;
  const consecutive = numbers.every((number, index) => index === 0 || number === numbers[index - 1]! + 1);
  return consecutive ? `${what}s ${numbers[0]} to ${numbers.at(-1)}` : `${what}s ${numbers.join(", ")}`;
}
