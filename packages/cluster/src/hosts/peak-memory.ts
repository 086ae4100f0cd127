// The most memory that a process has held. What `resourceUsage` says begins, on Linux, with what its parent held when it was
// started; the mark of the process itself is in /proc.

import { readFileSync } from "node:fs";
import process from "node:process";

/** Bytes of this process's largest resident set so far. */
export function peakRssBytes(): number {
  const own = process.platform === "linux" ? ownMark() : undefined;
  return 1024 * (own ?? process.resourceUsage().maxRSS);
}

/** In KiB; undefined where /proc does not say. */
function ownMark(): number | undefined {
  try {
    const [, kilobytes] = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync("/proc/self/status", "utf8")) ?? [];
    return kilobytes === undefined ? undefined : Number(kilobytes);
  } catch {
    return undefined;
  }
}
