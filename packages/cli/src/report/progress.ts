// A progress bar on standard error while a run goes on; nothing at all where standard error is no terminal.

import { SingleBar } from "cli-progress";
import type { RunProgress } from "@windtunnel/cluster";
import type { Screen } from "../screen.ts";
import { formatCount, formatMicroseconds } from "./format.ts";

export interface ProgressDisplay {
  update(progress: RunProgress): void;
  /** Takes the bar away again; nothing is drawn after it. */
  stop(): void;
}

export function createProgressDisplay(screen: Screen, title: string): ProgressDisplay {
  if (screen.progressStream === undefined) return { update: () => undefined, stop: () => undefined };
  const bar = new SingleBar({
    format: `${title}: {stage} {bar} {value}/{total} steps, {time} virtual, {events} events`,
    stream: screen.progressStream,
    clearOnComplete: true,
    hideCursor: true,
    barsize: 16,
    barCompleteChar: "█",
    barIncompleteChar: "░",
    fps: 8,
    gracefulExit: false, // signals are interruption.ts's
  });
  bar.start(1, 0, { stage: "starting", time: formatMicroseconds(0), events: "0" });
  let isStopped = false;
  return {
    update({ stage, stepsDone, stepCount, virtualUs, events }) {
      if (isStopped) return;
      bar.setTotal(Math.max(1, stepCount));
      bar.update(stepsDone, { stage, time: formatMicroseconds(virtualUs), events: formatCount(events) });
    },
    stop() {
      if (!isStopped) bar.stop();
      isStopped = true;
    },
  };
}

/** A bar of so many parts of one piece of work, such as the steps of a recording. */
export function createPartsDisplay(
  screen: Screen,
  title: string,
  total: number,
): { update(done: number): void; stop(): void } {
  if (screen.progressStream === undefined) return { update: () => undefined, stop: () => undefined };
  const bar = new SingleBar({
    format: `${title}: {bar} {value}/{total}`,
    stream: screen.progressStream,
    clearOnComplete: true,
    hideCursor: true,
    barsize: 16,
    barCompleteChar: "█",
    barIncompleteChar: "░",
    gracefulExit: false,
  });
  bar.start(Math.max(1, total), 0);
  return { update: (done) => bar.update(done), stop: () => bar.stop() };
}
