// The `windtunnel` command as a user starts it: a process of its own, with a private folder for temporary files, so
// that whatever it leaves behind can be told from everybody else's.

import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";
import { temporaryFolder } from "./folders.ts";
import { membersOf } from "./process-tree.ts";

const LAUNCHER = fileURLToPath(new URL("../../packages/cli/bin/windtunnel.js", import.meta.url));
const POLL_MILLISECONDS = 10;
const EXPECTED_MILLISECONDS = 60_000;

export interface CommandEnd {
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface StartedCommand {
  readonly child: ChildProcess;
  readonly pid: number;
  /** What it takes for the system's folder of temporary files. */
  readonly temporary: string;
  readonly end: Promise<CommandEnd>;
}

/** Starts the command in a process group of its own; what is left of it is killed when the test ends. */
export function startCommand(argv: readonly string[], shell?: (command: string) => string): StartedCommand {
  const temporary = temporaryFolder();
  const command = [process.execPath, LAUNCHER, ...argv];
  const [file, ...rest] = shell === undefined ? command : ["bash", "-c", shell(command.map(quote).join(" "))];
  const child = spawn(file!, rest, {
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
    env: { ...process.env, TMPDIR: temporary, NO_COLOR: "1" },
  });
  const pid = child.pid!;
  onTestFinished(() => killGroup(pid));
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (text) => (stdout += String(text)));
  child.stderr.on("data", (text) => (stderr += String(text)));
  const end = new Promise<CommandEnd>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (exitCode, signal) => resolve({ exitCode, signal, stdout, stderr }));
  });
  return { child, pid, temporary, end };
}

/** Runs the command to its end. */
export async function runCommand(
  argv: readonly string[],
  shell?: (command: string) => string,
): Promise<CommandEnd> {
  return startCommand(argv, shell).end;
}

/** A scenario file; JSON is YAML. */
export function writeScenario(folder: string, fields: object): string {
  mkdirSync(folder, { recursive: true });
  const file = path.join(folder, "scenario.yaml");
  writeFileSync(file, JSON.stringify(fields));
  return file;
}

/** Looks again and again until `condition` gives a value; fails when that takes too long. */
export async function until<Value>(
  what: string,
  condition: () => Value | undefined | false,
  within: number = EXPECTED_MILLISECONDS,
): Promise<Value> {
  const deadline = performance.now() + within;
  for (;;) {
    const value = condition();
    if (value !== undefined && value !== false) return value;
    if (performance.now() > deadline) throw new Error(`${what}: not within ${within} ms`);
    await delay(POLL_MILLISECONDS);
  }
}

/** Sockets of a running command's hosts. */
export function socketsOf({ temporary }: StartedCommand): number {
  const folders = namesIn(temporary).filter((name) => name.startsWith("windtunnel-"));
  return folders.reduce((sum, name) => sum + namesIn(path.join(temporary, name)).length, 0);
}

/** Waits until the recordings of a run's hosts have so many bytes together. */
export async function recordedBytes(outputFolder: string, bytes: number): Promise<void> {
  await until(`${bytes} recorded bytes`, () => {
    const parts = namesIn(outputFolder).filter((name) => name.endsWith(".part"));
    return parts.reduce((sum, name) => sum + sizeOf(path.join(outputFolder, name)), 0) >= bytes;
  });
}

/** What is still there of a command: its processes, and entries of its folder for temporary files. */
export function remainsOf({ pid, temporary }: StartedCommand): string[] {
  return [
    ...membersOf(pid).map((member) => `process ${member}: ${commandLineOf(member)}`),
    // Node's own cache of compiled files belongs to no run.
    ...namesIn(temporary).filter((name) => name !== "node-compile-cache"),
  ];
}

function commandLineOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ").trim();
  } catch {
    return "";
  }
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    // Not made yet, or gone again.
    return [];
  }
}

function sizeOf(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.size ?? 0;
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // Nothing of it is left.
  }
}

function quote(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
