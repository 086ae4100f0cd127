// An operating-system process that carries one host. It ends when it is told to, and by itself when its launcher is
// gone; then it also removes the run's socket folder, since nobody else will.

import { rmSync } from "node:fs";
import { setImmediate as nextTurn } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { defined, serializeError } from "@windtunnel/base";
import { ZeromqExchange } from "@windtunnel/transport";
import type { WindowMessage } from "@windtunnel/virtual-time";
import { prepareRun } from "../prepare-run.ts";
import { createTensorSpace } from "../tensor-space.ts";
import { carriedBy } from "./launch.ts";
import type { OrphanWatch } from "./orphan-watch.ts";
import { peakRssBytes } from "./peak-memory.ts";
import type { FromHost, ProcessAssignment, ToHost } from "./processes.ts";
import { runHostProcesses } from "./run-host-processes.ts";

let takeEndpoints: (endpoints: readonly string[]) => void = () => undefined;
const endpointsKnown = new Promise<readonly string[]>((resolve) => {
  takeEndpoints = resolve;
});
/** Holds the sockets of this run and nothing else. */
const socketFolder = defined(process.argv[2], "the folder of sockets");

/** Ctrl-C reaches every process of a terminal; the launcher decides. */
process.on("SIGINT", () => undefined);
process.on("disconnect", endAlone);
// The launcher may have died while this host was loading.
if (!process.connected) endAlone();
const watch: OrphanWatch = { launcher: process.ppid, socketFolder };
new Worker(new URL("./orphan-watch.ts", import.meta.url), { workerData: watch }).unref();
process.on("message", (message: ToHost) => {
  if (message.kind === "endpoints") takeEndpoints(message.endpoints);
  else void carry(message.assignment);
});

/** Other hosts do the same, and may still be binding sockets: the last one finds the folder quiet. */
function endAlone(): never {
  rmSync(socketFolder, { recursive: true, force: true, maxRetries: 5, retryDelay: 20 });
  process.exit(1);
}

async function carry(assignment: ProcessAssignment): Promise<void> {
  try {
    const { scenario, host, hostCount, transport, outputFolder, eventLog, record } = assignment;
    const { exchange, endpoint } = await ZeromqExchange.bind<WindowMessage>(
      host,
      hostCount,
      transport,
      socketFolder,
    );
    tell({ kind: "endpoint", endpoint });
    const run = prepareRun(scenario);
    const { gpus } = carriedBy(run, host);
    exchange.connect(await endpointsKnown);
    const result = await runHostProcesses({
      run,
      host,
      exchange,
      space: createTensorSpace(run, gpus, 1),
      share: { part: 0, partCount: 1 },
      outputFolder,
      eventLog,
      record,
      onProgress: (progress) => tell({ kind: "progress", progress }),
      breathe: nextTurn,
    });
    tell({ kind: "result", result, peakRssBytes: peakRssBytes() });
  } catch (error) {
    tell({ kind: "error", error: serializeError(error) });
  }
}

/** A launcher that can't be told anything is dead. */
function tell(message: FromHost): void {
  process.send?.(message, undefined, {}, (error) => {
    if (error !== null) endAlone();
  });
}
