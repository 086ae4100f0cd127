// Hosts as worker threads of this process: one tensor memory for all, rings of shared memory between them.
// The main thread only watches, so that signals and progress go on while workers block.

import type { Worker } from "node:worker_threads";
import { deserializeError, type SerializedError, WorldError } from "@windtunnel/base";
import { createSharedChannels, endExchange, type SharedChannels } from "@windtunnel/transport";
import type { Scenario } from "../scenario/index.ts";
import { createTensorSpace, type TensorSpace } from "../tensor-space.ts";
import { takeThread } from "./early-threads.ts";
import { carriedBy, describeCarried, type Launch, type LaunchedHost } from "./launch.ts";
import { peakRssBytes } from "./peak-memory.ts";
import type { HostProgress, HostResult } from "./run-host-processes.ts";

export interface ThreadAssignment {
  readonly scenario: Scenario;
  readonly host: number;
  readonly channels: SharedChannels;
  readonly space: TensorSpace | undefined;
  readonly outputFolder: string;
  readonly eventLog: boolean;
  readonly record: boolean;
}

export type ThreadMessage =
  | { readonly kind: "progress"; readonly progress: HostProgress }
  | { readonly kind: "result"; readonly result: HostResult }
  | { readonly kind: "error"; readonly error: SerializedError };

export const launchThreads: Launch = async ({ run, outputFolder, eventLog, record, signal, onProgress }) => {
  const { hostCount } = run.hosts;
  const ranks = Array.from({ length: run.numbers.rankCount }, (_, rank) => rank);
  const space = createTensorSpace(run, ranks, hostCount);
  const channels = createSharedChannels(hostCount);
  const workers: Worker[] = [];
  try {
    const results = await new Promise<HostResult[]>((resolve, reject) => {
      const finished: HostResult[] = [];
      signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
      for (let host = 0; host < hostCount; host++) {
        const { scenario } = run;
        const worker = takeThread();
        workers.push(worker);
        worker.on("message", (message: ThreadMessage) => {
          if (message.kind === "progress") onProgress(host, message.progress);
          else if (message.kind === "error") reject(deserializeError(message.error));
          else {
            finished.push(message.result);
            if (finished.length === hostCount) resolve(finished.toSorted((a, b) => a.host - b.host));
          }
        });
        worker.on("error", reject);
        worker.on("exit", (code) => {
          // A host that is done ends while others may still be at work.
          if (finished.some((result) => result.host === host)) return;
          const carried = describeCarried(carriedBy(run, host));
          const message = `host ${host} (a thread), which carried ${carried}, ended with code ${code} before the run did`;
          reject(new WorldError("host-died", message, { host }));
        });
        const assignment: ThreadAssignment = {
          scenario,
          host,
          channels,
          space,
          outputFolder,
          eventLog,
          record,
        };
        worker.postMessage(assignment);
      }
    });
    const peak = peakRssBytes();
    return results.map((result): LaunchedHost => ({
      result,
      kind: "thread",
      pid: process.pid,
      peakRssBytes: peak,
    }));
  } finally {
    // Ending many threads from outside at once can hang Node: each is told to end by itself, and ended if it does not.
    endExchange(channels);
    await Promise.all(workers.map(endOf));
  }
};

/** A host in the middle of a computation does not look up: it is ended after this. */
const PATIENCE_MILLISECONDS = 1500;

async function endOf(worker: Worker): Promise<void> {
  if (worker.threadId === -1) return;
  await new Promise<void>((resolve) => {
    const end = setTimeout(() => void worker.terminate(), PATIENCE_MILLISECONDS);
    worker.once("exit", () => {
      clearTimeout(end);
      resolve();
    });
  });
}
