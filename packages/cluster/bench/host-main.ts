// A host of a benchmark: a worker thread, or a process that ends with its launcher.

import { rmSync } from "node:fs";
import process from "node:process";
import { isMainThread, parentPort, workerData } from "node:worker_threads";
import { defined, serializeError } from "@windtunnel/base";
import { SharedMemoryExchange, type ValueExchange, ZeromqExchange } from "@windtunnel/transport";
import type { FromHost, ThreadStart, ToProcess } from "./bench-hosts.ts";
import { type HostTask, runTask } from "./host-tasks.ts";

if (isMainThread) listen();
else {
  const port = defined(parentPort ?? undefined, "the port to the main thread");
  const { host, channels, task } = workerData as ThreadStart;
  const exchange = new SharedMemoryExchange<unknown>(channels, host);
  await answer(task, exchange, (message) => port.postMessage(message));
}

function listen(): void {
  let takeEndpoints: (endpoints: readonly string[]) => void = () => undefined;
  const endpointsKnown = new Promise<readonly string[]>((resolve) => {
    takeEndpoints = resolve;
  });
  const tell = (message: FromHost): void => void process.send?.(message);
  let folder: string | undefined;
  process.on("SIGINT", () => undefined);
  process.on("disconnect", () => {
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
    process.exit(1);
  });
  process.on("message", (message: ToProcess) => {
    if (message.kind === "endpoints") {
      takeEndpoints(message.endpoints);
      return;
    }
    folder = message.socketFolder;
    void join(message, endpointsKnown, tell);
  });
}

async function join(
  start: Extract<ToProcess, { kind: "start" }>,
  endpointsKnown: Promise<readonly string[]>,
  tell: (message: FromHost) => void,
): Promise<void> {
  const { host, hostCount, transport, socketFolder, task } = start;
  const { exchange, endpoint } = await ZeromqExchange.bind<unknown>(host, hostCount, transport, socketFolder);
  tell({ kind: "endpoint", endpoint });
  exchange.connect(await endpointsKnown);
  await answer(task, exchange, tell);
}

async function answer(
  task: HostTask,
  exchange: ValueExchange<unknown>,
  tell: (message: FromHost) => void,
): Promise<void> {
  try {
    tell({ kind: "result", result: await runTask(task, exchange) });
  } catch (error) {
    tell({ kind: "error", error: serializeError(error) });
  }
}
