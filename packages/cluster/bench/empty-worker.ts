// A worker thread that has loaded what a host loads, and waits.

import { parentPort } from "node:worker_threads";
import { defined } from "@windtunnel/base";
import "@windtunnel/transport";
import "../src/prepare-run.ts";
import "../src/hosts/run-host-processes.ts";

const port = defined(parentPort ?? undefined, "the port to the main thread");
// A listener keeps the thread until it is ended.
port.on("message", () => undefined);
port.postMessage("loaded");
