// Ctrl-C and its relatives: the first signal aborts the work, and the command ends only when the work has ended,
// so that hosts, sockets and files are gone. Further signals change nothing; a launcher (bin/windtunnel.js) hears of the
// first one, since it kills a command whose event loop is too busy to notice signals at all.

import process from "node:process";
import type { Screen } from "./screen.ts";

const EXIT_CODES = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;
type Signal = keyof typeof EXIT_CODES;

/** The user, or the system, ended the command. */
export class Interrupted extends Error {
  override readonly name = "Interrupted";
  readonly exitCode: number;

  constructor(signal: Signal) {
    super(`ended by ${signal}`);
    this.exitCode = EXIT_CODES[signal];
  }
}

/** Does nothing unless a launcher started this process. */
let tellLauncher = (): void => undefined;

/** Runs `work` with a signal that fires on SIGINT, SIGTERM and SIGHUP; rejects with `Interrupted` when it fired. */
export async function interruptible<Result>(
  screen: Screen,
  work: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const controller = new AbortController();
  const onSignal = (name: NodeJS.Signals): void => {
    if (controller.signal.aborted) return;
    tellLauncher();
    controller.abort(new Interrupted(name as Signal));
    screen.remark(`${name}: ending the run and all of its hosts …`);
  };
  const names = Object.keys(EXIT_CODES) as Signal[];
  for (const name of names) process.on(name, onSignal);
  try {
    const result = await work(controller.signal);
    if (controller.signal.aborted) throw controller.signal.reason;
    return result;
  } catch (error) {
    // Whatever the work says when it is aborted, the cause is the signal.
    throw controller.signal.aborted ? controller.signal.reason : error;
  } finally {
    for (const name of names) process.off(name, onSignal);
  }
}

/**
 * When the launcher is killed, this process ends as with SIGTERM; when it is interrupted, the launcher is told that it
 * ends. Without a launcher nothing happens.
 */
export function endWithLauncher(): void {
  if (process.channel === undefined || process.channel === null) return;
  // A launcher that is gone needs no word.
  tellLauncher = () => void process.send?.("ending", undefined, undefined, () => undefined);
  process.on("disconnect", () => process.kill(process.pid, "SIGTERM"));
  process.channel.unref();
}
