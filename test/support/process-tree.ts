// Processes of the operating system as tests see them: who started whom, and who is still there. Reads /proc where
// there is one and asks `ps` elsewhere. A zombie is gone: it holds nothing but its number.

import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";

interface RunningProcess {
  readonly pid: number;
  readonly parent: number;
  readonly group: number;
}

/** Processes that `pid` started and that have not ended. */
export function childrenOf(pid: number): number[] {
  return runningProcesses().flatMap((one) => (one.parent === pid ? [one.pid] : []));
}

/** Members of a process group, which a process keeps when its parent dies. */
export function membersOf(group: number): number[] {
  return runningProcesses().flatMap((one) => (one.group === group ? [one.pid] : []));
}

function runningProcesses(): RunningProcess[] {
  if (existsSync("/proc/self/stat")) {
    const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
    return pids.flatMap((name) => parseLine(statusOf(name)));
  }
  const { stdout } = spawnSync("ps", ["-A", "-o", "pid=,stat=,ppid=,pgid="], { encoding: "utf8" });
  return stdout.split("\n").flatMap((line) => parseLine(line.trim().split(/\s+/)));
}

/** Number, state, parent and group. The name, in brackets, may hold anything. */
function statusOf(pid: string): string[] {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8");
    return [
      pid,
      ...text
        .slice(text.lastIndexOf(")") + 2)
        .split(" ")
        .slice(0, 2),
    ];
  } catch {
    // It ended while we looked.
    return [];
  }
}

function parseLine([pid, state, parent, group]: readonly string[]): RunningProcess[] {
  if (pid === undefined || state === undefined || state.startsWith("Z") || state.startsWith("X")) return [];
  return [{ pid: Number(pid), parent: Number(parent), group: Number(group) }];
}

/** Processor time of a process so far, all threads; 0 when it is gone. */
export function processorSeconds(pid: number): number {
  try {
    // Behind the name in brackets: state is field 3, user and system time are fields 14 and 15, in hundredths.
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]!.split(" ");
    return (Number(fields[11]) + Number(fields[12])) / 100;
  } catch {
    return 0;
  }
}
