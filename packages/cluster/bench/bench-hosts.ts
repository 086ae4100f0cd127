// Hosts of a benchmark: worker threads of this process, or processes of their own. Each gets a task, all together get an
// exchange, and each gives one result. It does not know what a task does. Whatever happens, all of them end.

import { type ChildProcess, fork } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { Worker } from "node:worker_threads";
import { deserializeError, type SerializedError, WorldError } from "@windtunnel/base";
import { createSharedChannels, type SharedChannels, type ZeromqTransport } from "@windtunnel/transport";
import type { HostTask } from "./host-tasks.ts";

export interface ThreadStart {
  readonly host: number;
  readonly channels: SharedChannels;
  readonly task: HostTask;
}

export type ToProcess =
  | {
      readonly kind: "start";
      readonly host: number;
      readonly hostCount: number;
      readonly transport: ZeromqTransport;
      readonly socketFolder: string;
      readonly task: HostTask;
    }
  | { readonly kind: "endpoints"; readonly endpoints: readonly string[] };

export type FromHost =
  | { readonly kind: "endpoint"; readonly endpoint: string }
  | { readonly kind: "result"; readonly result: unknown }
  | { readonly kind: "error"; readonly error: SerializedError };

const HOST_MAIN = new URL("./host-main.ts", import.meta.url);

/** One worker thread for each task, joined by rings of shared memory; results in the order of the tasks. */
export async function runOnThreads<Result>(tasks: readonly HostTask[]): Promise<Result[]> {
  const channels = createSharedChannels(tasks.length);
  const workers: Worker[] = [];
  try {
    return await Promise.all(
      tasks.map(async (task, host) => {
        const workerData: ThreadStart = { host, channels, task };
        const worker = new Worker(HOST_MAIN, { workerData });
        workers.push(worker);
        return await new Promise<Result>((resolve, reject) => {
          worker.on("message", (message: FromHost) =>
            settle(message, resolve as (result: unknown) => void, reject),
          );
          worker.on("error", reject);
          worker.on("exit", (code) => reject(ended(host, `code ${code}`)));
        });
      }),
    );
  } finally {
    await Promise.all(workers.map(async (worker) => worker.terminate()));
  }
}

/** One process for each task, joined by ZeroMQ. */
export async function runOnProcesses<Result>(
  tasks: readonly HostTask[],
  transport: ZeromqTransport,
): Promise<Result[]> {
  const socketFolder = mkdtempSync(path.join(tmpdir(), "windtunnel-bench-"));
  const hostCount = tasks.length;
  const children: ChildProcess[] = [];
  const endpoints = new Map<number, string>();
  const shareEndpoints = (): void => {
    if (endpoints.size < hostCount) return;
    const inOrder = tasks.map((_, host) => endpoints.get(host)!);
    for (const child of children) tell(child, { kind: "endpoints", endpoints: inOrder });
  };
  try {
    return await Promise.all(
      tasks.map(async (task, host) => {
        const child = fork(HOST_MAIN, {
          serialization: "advanced",
          stdio: ["ignore", "ignore", "inherit", "ipc"],
        });
        children.push(child);
        return await new Promise<Result>((resolve, reject) => {
          child.on("message", (message) => {
            const fromHost = message as FromHost;
            if (fromHost.kind === "endpoint") {
              endpoints.set(host, fromHost.endpoint);
              shareEndpoints();
            } else settle(fromHost, resolve as (result: unknown) => void, reject);
          });
          child.on("error", reject);
          child.on("exit", (code, signal) => reject(ended(host, signal ?? `code ${code}`)));
          tell(child, { kind: "start", host, hostCount, transport, socketFolder, task });
        });
      }),
    );
  } finally {
    await Promise.all(children.map(endProcess));
    rmSync(socketFolder, { recursive: true, force: true });
  }
}

function settle(message: FromHost, resolve: (result: unknown) => void, reject: (error: Error) => void): void {
  if (message.kind === "result") resolve(message.result);
  else if (message.kind === "error") reject(deserializeError(message.error));
}

/** A child that is gone already is noticed by its exit. */
function tell(child: ChildProcess, message: ToProcess): void {
  if (child.connected) child.send(message, () => undefined);
}

function ended(host: number, how: string): WorldError {
  return new WorldError(
    "host-died",
    `host ${host} of the benchmark ended with ${how} before it had a result`,
    { host },
  );
}

async function endProcess(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  await new Promise<void>((resolve) => {
    child.once("exit", () => resolve());
    child.kill("SIGKILL");
  });
}
