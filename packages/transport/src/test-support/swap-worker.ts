// For tests: a worker thread that carries one host through all rounds.

import { parentPort, workerData } from "node:worker_threads";
import { type SharedChannels, SharedMemoryExchange } from "../index.ts";
import { type RoundValue, swapRounds } from "./swap-rounds.ts";

const { channels, self } = workerData as { channels: SharedChannels; self: number };
const exchange = new SharedMemoryExchange<RoundValue>(channels, self);
const sent = await swapRounds(exchange);
parentPort?.postMessage({ sent, ...exchange.traffic });
