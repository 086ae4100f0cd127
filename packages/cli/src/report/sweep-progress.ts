// A progress bar of a sweep on standard error, with the time left; nothing at all where standard error is no terminal.

import { SingleBar } from "cli-progress";
import type { SweepProgress } from "@windtunnel/cluster";
import type { Screen } from "../screen.ts";

export interface SweepDisplay {
  update(progress: SweepProgress): void;
  /** Takes the bar away again; nothing is drawn after it. */
  stop(): void;
}

export function createSweepDisplay(screen: Screen, title: string): SweepDisplay {
  if (screen.progressStream === undefined) return { update: () => undefined, stop: () => undefined };
  const started = performance.now();
  const secondsLeft = createTimeLeft();
  const bar = new SingleBar({
    format: `${title}: {bar} {value}/{total} points, {left}`,
    stream: screen.progressStream,
    clearOnComplete: true,
    hideCursor: true,
    barsize: 16,
    barCompleteChar: "█",
    barIncompleteChar: "░",
    fps: 4,
    gracefulExit: false, // signals are interruption.ts's
  });
  let state: "new" | "drawn" | "stopped" = "new";
  return {
    update(progress) {
      if (state === "stopped") return;
      const { pointCount, storedCount, doneCount } = progress;
      const seconds = secondsLeft(progress, (performance.now() - started) / 1000);
      const left = seconds === undefined ? "starting" : `${formatTimeLeft(seconds)} left`;
      if (state === "new") bar.start(pointCount, storedCount + doneCount, { left });
      else bar.update(storedCount + doneCount, { left });
      state = "drawn";
    },
    stop() {
      if (state === "drawn") bar.stop();
      state = "stopped";
    },
  };
}

/**
 * As if every point took as long as those so far; undefined before there is anything to go by. Between two signs of
 * progress it counts down, since a point of one long step shows none.
 */
export function createTimeLeft(): (progress: SweepProgress, elapsedSeconds: number) => number | undefined {
  let lastDone = 0;
  let expectedEnd: number | undefined;
  return ({ pointCount, storedCount, doneCount, partsDone }, elapsedSeconds) => {
    const done = doneCount + partsDone;
    if (done !== lastDone) {
      lastDone = done;
      const left = Math.max(0, pointCount - storedCount - done);
      expectedEnd = elapsedSeconds + (elapsedSeconds / done) * left;
    }
    return expectedEnd === undefined ? undefined : Math.max(1, expectedEnd - elapsedSeconds);
  };
}

/** 12 s, 3 min, 2 h 05 min */
export function formatTimeLeft(seconds: number): string {
  if (seconds < 90) return `${Math.ceil(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 90) return `${minutes} min`;
  return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, "0")} min`;
}
