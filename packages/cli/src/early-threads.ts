// Threads of a run are started before anything is loaded that can read its scenario: they load their own modules meanwhile. What
// the scenario's text seems to ask for is a guess, and changes nothing else.

import { readFileSync, statSync } from "node:fs";
import { availableParallelism } from "node:os";

/** More load no faster. */
const MOST = 8;

export async function startThreadsOf(file: string, settings: readonly string[]): Promise<void> {
  const count = guessThreads(file, settings);
  if (count === 0) return;
  const { startThreadsEarly } = await import("@windtunnel/cluster/early-threads");
  startThreadsEarly(Math.min(count, availableParallelism(), MOST));
}

/** How many threads a run seems to ask for: in its settings `path=value`, or in its file. */
export function guessThreads(file: string, settings: readonly string[]): number {
  const setting = settings.findLast((each) => each.startsWith("placement="));
  const found = /^[^#\n]*\bplacement["']?\s*[:=]\s*["']?threads:(\d+)/m.exec(setting ?? textOf(file));
  return Number(found?.[1] ?? 0);
}

/** Nothing where it can't be read, since whoever loads it says why; nor of a pipe, which can be read once. */
function textOf(file: string): string {
  try {
    return statSync(file).isFile() ? readFileSync(file, "utf8") : "";
  } catch {
    return "";
  }
}
