// A worker thread that carries one host. It blocks while it waits for the others.

import { once } from "node:events";
import { parentPort } from "node:worker_threads";
import { defined, serializeError } from "@windtunnel/base";
import { ExchangeEnded, SharedMemoryExchange } from "@windtunnel/transport";
import type { WindowMessage } from "@windtunnel/virtual-time";
import { prepareRun } from "../prepare-run.ts";
import { runHostProcesses } from "./run-host-processes.ts";
import type { ThreadAssignment, ThreadMessage } from "./threads.ts";

const port = defined(parentPort ?? undefined, "the port to the main thread");
const [assignment] = (await once(port, "message")) as [ThreadAssignment];
const { scenario, host, channels, space, outputFolder, eventLog, record } = assignment;
const tell = (message: ThreadMessage): void => port.postMessage(message);

try {
  const result = await runHostProcesses({
    run: prepareRun(scenario),
    host,
    exchange: new SharedMemoryExchange<WindowMessage>(channels, host),
    space,
    share: { part: host, partCount: channels.hostCount },
    outputFolder,
    eventLog,
    record,
    onProgress: (progress) => tell({ kind: "progress", progress }),
  });
  tell({ kind: "result", result });
} catch (error) {
  // Told to end: the launcher knows why.
  if (!(error instanceof ExchangeEnded)) tell({ kind: "error", error: serializeError(error) });
}
