// Worker threads for hosts, which may be started before anybody knows what they are for: they load their modules while the main
// thread loads its own and reads the scenario. It imports nothing, so that it costs nothing.

import { Worker } from "node:worker_threads";

const MAIN = new URL("./thread-main.ts", import.meta.url);
/** Those that were started early and that nobody has taken; the process ends without waiting for them. */
const early = new Set<Worker>();

export function startThreadsEarly(count: number): void {
  for (let started = 0; started < count; started++) {
    const worker = new Worker(MAIN);
    worker.unref();
    early.add(worker);
    const forget = (): void => void early.delete(worker);
    worker.once("error", forget);
    worker.once("exit", forget);
  }
}

/** A thread that waits for its assignment. */
export function takeThread(): Worker {
  const [worker] = early;
  if (worker === undefined) return new Worker(MAIN);
  early.delete(worker);
  worker.removeAllListeners();
  worker.ref();
  return worker;
}
