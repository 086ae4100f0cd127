// Hosts as operating-system processes that speak ZeroMQ to each other. The launcher starts them together, tells each
// where the others are, and takes everything down when the first one fails, is killed, or the run is aborted.
// Over the IPC channel between launcher and host goes only what supervises; all of the run goes over ZeroMQ.

import { type ChildProcess, fork } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import {
  deserializeError,
  inputError,
  type Instant,
  type SerializedError,
  toMicroseconds,
  WorldError,
} from "@windtunnel/base";
import type { PreparedRun } from "../prepare-run.ts";
import type { Scenario } from "../scenario/index.ts";
import { carriedBy, describeCarried, type Launch, type LaunchedHost, type LaunchOptions } from "./launch.ts";
import type { HostProgress, HostResult } from "./run-host-processes.ts";

export interface ProcessAssignment {
  readonly scenario: Scenario;
  readonly host: number;
  readonly hostCount: number;
  readonly transport: "ipc" | "tcp";
  readonly outputFolder: string;
  readonly eventLog: boolean;
  readonly record: boolean;
}

export type ToHost =
  | { readonly kind: "assignment"; readonly assignment: ProcessAssignment }
  | { readonly kind: "endpoints"; readonly endpoints: readonly string[] };

export type FromHost =
  | { readonly kind: "endpoint"; readonly endpoint: string }
  | { readonly kind: "progress"; readonly progress: HostProgress }
  | { readonly kind: "result"; readonly result: HostResult; readonly peakRssBytes: number }
  | { readonly kind: "error"; readonly error: SerializedError };

export const launchProcesses: Launch = async (options) => {
  const socketFolder = makeSocketFolder();
  const children: ChildProcess[] = [];
  try {
    return await superviseHosts(options, socketFolder, children);
  } finally {
    await Promise.all(children.map(endProcess));
    rmSync(socketFolder, { recursive: true, force: true });
  }
};

/** The addresses of local sockets are short: 108 bytes with the name of the socket, 104 on macOS. */
const LONGEST_FOLDER = 90;

function makeSocketFolder(): string {
  const allowed = "a TMPDIR that can be written to, with a short path; or --placement processes:N:tcp";
  const folder = path.join(tmpdir(), "windtunnel-");
  if (folder.length > LONGEST_FOLDER) {
    throw inputError(`the folder for temporary files, ${tmpdir()}, is too long for sockets`, {
      found: tmpdir(),
      allowed,
    });
  }
  try {
    return mkdtempSync(folder);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw inputError(`no folder for sockets can be made: ${why}`, { found: tmpdir(), allowed });
  }
}

async function superviseHosts(
  options: LaunchOptions,
  socketFolder: string,
  children: ChildProcess[],
): Promise<LaunchedHost[]> {
  const { run, outputFolder, eventLog, record, signal, onProgress } = options;
  const { hostCount } = run.hosts;
  const { placement } = run.scenario;
  const transport = placement.kind === "processes" ? placement.transport : "ipc";
  const endpoints = new Map<number, string>();
  const launched = new Map<number, LaunchedHost>();
  let reached = 0 as Instant;
  return await new Promise((resolve, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
    for (let host = 0; host < hostCount; host++) {
      // A host knows the folder of sockets from its first moment, and can remove it when nobody else is left.
      const child = fork(new URL("./process-main.ts", import.meta.url), [socketFolder], {
        serialization: "advanced",
        stdio: ["ignore", "ignore", "inherit", "ipc"],
      });
      children.push(child);
      const take = (message: FromHost): void => {
        switch (message.kind) {
          case "endpoint":
            endpoints.set(host, message.endpoint);
            if (endpoints.size === hostCount) shareEndpoints(children, endpoints);
            break;
          case "progress":
            reached = Math.max(reached, message.progress.now) as Instant;
            onProgress(host, message.progress);
            break;
          case "result": {
            const { result, peakRssBytes } = message;
            launched.set(host, { result, kind: "process", pid: child.pid!, peakRssBytes });
            if (launched.size === hostCount) resolve(inOrder(launched));
            break;
          }
          case "error":
            reject(deserializeError(message.error));
            break;
        }
      };
      child.on("message", (message) => take(message as FromHost));
      child.on("error", reject);
      child.on("exit", (code, killedBy) => {
        // Also of one that has reported: its last frame may have died with it. Once all have, it changes nothing.
        reject(deathOf(run, { host, child, code, killedBy, reached }));
      });
      const { scenario } = run;
      send(child, {
        kind: "assignment",
        assignment: { scenario, host, hostCount, transport, outputFolder, eventLog, record },
      });
    }
  });
}

function shareEndpoints(children: readonly ChildProcess[], endpoints: ReadonlyMap<number, string>): void {
  const message: ToHost = { kind: "endpoints", endpoints: inOrder(endpoints) };
  for (const child of children) send(child, message);
}

/** A host that is gone already is noticed by its exit. */
function send(child: ChildProcess, message: ToHost): void {
  if (child.connected) child.send(message, () => undefined);
}

function inOrder<Value>(byHost: ReadonlyMap<number, Value>): Value[] {
  return [...byHost].toSorted(([a], [b]) => a - b).map(([, value]) => value);
}

function deathOf(
  run: PreparedRun,
  death: {
    readonly host: number;
    readonly child: ChildProcess;
    readonly code: number | null;
    readonly killedBy: string | null;
    readonly reached: Instant;
  },
): WorldError {
  const { host, child, code, killedBy, reached } = death;
  const carried = carriedBy(run, host);
  const how = killedBy === null ? `ended with code ${code}` : `was killed by ${killedBy}`;
  const at = toMicroseconds(reached).toFixed(3);
  return new WorldError(
    "host-died",
    `host ${host} (process ${child.pid}), which carried ${describeCarried(carried)}, ${how}; ` +
      `the run had reached virtual time ${at} µs`,
    { host, pid: child.pid, ...carried, virtualUs: toMicroseconds(reached) },
  );
}

/** A host has no more to say once all results are there: it is killed, and waited for. */
async function endProcess(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  await new Promise<void>((resolve) => {
    child.once("exit", () => resolve());
    if (child.pid === undefined) resolve();
    else child.kill("SIGKILL");
  });
}
