// All processes of a run on one host, in this thread.

import { setImmediate as nextTurn } from "node:timers/promises";
import { createLoneExchange } from "@windtunnel/transport";
import type { WindowMessage } from "@windtunnel/virtual-time";
import { createTensorSpace } from "../tensor-space.ts";
import { carriedBy, type Launch } from "./launch.ts";
import { peakRssBytes } from "./peak-memory.ts";
import { runHostProcesses } from "./run-host-processes.ts";

export const launchInline: Launch = async ({ run, outputFolder, eventLog, record, signal, onProgress }) => {
  const result = await runHostProcesses({
    run,
    host: 0,
    exchange: createLoneExchange<WindowMessage>(),
    space: createTensorSpace(run, carriedBy(run, 0).gpus, 1),
    share: { part: 0, partCount: 1 },
    outputFolder,
    eventLog,
    record,
    onProgress: (progress) => onProgress(0, progress),
    breathe: async () => {
      await nextTurn();
      signal.throwIfAborted();
    },
  });
  return [{ result, kind: "inline", pid: process.pid, peakRssBytes: peakRssBytes() }];
};
