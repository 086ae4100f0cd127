import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { Worker } from "node:worker_threads";
import { describe, expect, test } from "vitest";
import { createSharedChannels, type ExchangeTraffic, HEADER_BYTES, ZeromqExchange } from "./index.ts";
import { ROUNDS, type RoundValue, swapRounds } from "./test-support/swap-rounds.ts";

type Outcome = ExchangeTraffic & { readonly sent: number };

function expectFrames(outcome: Outcome, hostCount: number): void {
  expect(outcome.frames).toBe(ROUNDS * (hostCount - 1));
  expect(outcome.frameBytes).toBeGreaterThan(outcome.sent + outcome.frames * HEADER_BYTES);
}

describe("rings between threads", () => {
  test.each([2, 5])(
    "give every value to its host over %i threads, frames larger than a ring among them",
    async (count) => {
      const channels = createSharedChannels(count, 2 ** 12);
      const workers = Array.from(
        { length: count },
        (_, self) =>
          new Worker(new URL("./test-support/swap-worker.ts", import.meta.url), {
            workerData: { channels, self },
          }),
      );
      const outcomes = await Promise.all(
        workers.map(async (worker) => (await once(worker, "message"))[0] as Outcome),
      );
      for (const outcome of outcomes) expectFrames(outcome, count);
    },
  );

  test("take no processor from a thread that waits for another one's work", async () => {
    const channels = createSharedChannels(2);
    const workers = [0, 1].map(
      (self) =>
        new Worker(new URL("./test-support/uneven-worker.ts", import.meta.url), {
          workerData: { channels, self },
        }),
    );
    const [waiting, working] = await Promise.all(
      workers.map(async (worker) => (await once(worker, "message"))[0] as number),
    );
    expect(waiting!).toBeLessThan(working! / 10);
  });
});

describe("ZeroMQ", () => {
  test.each(["ipc", "tcp"] as const)(
    "gives every value to its host over %s, and leaves its folder to its owner",
    async (transport) => {
      const folder = mkdtempSync(path.join(tmpdir(), "windtunnel-exchange-"));
      try {
        const hosts = await Promise.all(
          [0, 1, 2].map(async (self) => ZeromqExchange.bind<RoundValue>(self, 3, transport, folder)),
        );
        const endpoints = hosts.map(({ endpoint }) => endpoint);
        expect(readdirSync(folder)).toHaveLength(transport === "ipc" ? 3 : 0);
        for (const { exchange } of hosts) exchange.connect(endpoints);
        const sent = await Promise.all(hosts.map(async ({ exchange }) => swapRounds(exchange)));
        for (const [self, { exchange }] of hosts.entries()) {
          expectFrames({ ...exchange.traffic, sent: sent[self]! }, 3);
          exchange.close();
        }
      } finally {
        rmSync(folder, { recursive: true });
      }
    },
  );
});
