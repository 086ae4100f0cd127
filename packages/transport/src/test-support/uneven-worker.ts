// Of two threads the second computes before every swap, and the first only waits for it. Each tells its processor time.

import { parentPort, workerData } from "node:worker_threads";
import { type SharedChannels, SharedMemoryExchange } from "../index.ts";

const ROUNDS = 6;
const ITERATIONS = 20_000_000;

const { channels, self } = workerData as { channels: SharedChannels; self: number };
const exchange = new SharedMemoryExchange<{ round: number; sum: number }>(channels, self);
// Both are there, and their code is compiled.
exchange.swap([0, 1].map(() => ({ round: -1, sum: 0 })));
const before = process.threadCpuUsage();
for (let round = 0; round < ROUNDS; round++) {
  let sum = 0;
  if (self === 1) for (let i = 0; i < ITERATIONS; i++) sum = (sum + Math.imul(i, i)) | 0;
  exchange.swap([0, 1].map(() => ({ round, sum })));
}
const { user, system } = process.threadCpuUsage(before);
parentPort!.postMessage(user + system);
