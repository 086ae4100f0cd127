// A second thread of a host process: ends the process when its launcher is gone, also while the first thread is deep
// in one long computation and can't notice that its channel closed. It also removes the run's socket folder.

import { rmSync } from "node:fs";
import { workerData } from "node:worker_threads";

export interface OrphanWatch {
  /** Process id of the launcher: an orphan gets another parent. */
  readonly launcher: number;
  readonly socketFolder: string;
}

const LOOK_EVERY_MILLISECONDS = 500;

const { launcher, socketFolder } = workerData as OrphanWatch;

setInterval(() => {
  if (process.ppid === launcher) return;
  rmSync(socketFolder, { recursive: true, force: true, maxRetries: 5, retryDelay: 20 });
  process.kill(process.pid, "SIGKILL");
}, LOOK_EVERY_MILLISECONDS);
