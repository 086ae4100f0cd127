import { expect, test } from "vitest";
import { benchEvents, benchMoe, type MoeBenchOptions } from "../bench/index.ts";

const TINY: MoeBenchOptions = {
  hiddenSize: 20,
  innerSize: 12,
  expertCount: 8,
  expertsPerToken: 2,
  rankCount: 4,
  tokensPerRank: 6,
  layerCount: 2,
  placement: { kind: "inline" },
  repetitions: 1,
};

// benchMoe itself refuses a result that differs from the one-process twin in a single bit.
test("the MoE benchmark counts its work, equals its twin, and gives the same digest every time", async () => {
  const [first] = await benchMoe(TINY);
  const [again] = await benchMoe({ ...TINY, repetitions: 2 });
  expect(first!.digest).toBe(again!.digest);
  expect(first!.work).toEqual({
    tokens: 24, // 4 ranks · 6
    "token-layers": 48,
    "rows to experts": 96, // 2 choices each
    "of them to other hosts": 0,
    "multiply-adds": 48 * 20 * 8 + 96 * 3 * 20 * 12,
    "payload bytes": 96 * (16 + 80 + 80), // a header, and 20 floats there and back
    "frames between hosts": 0,
    "frame bytes": 0,
  });
  expect(first!.rates["token-layers/s"]).toBeCloseTo(48 / first!.seconds);
});

test("the MoE benchmark refuses more hosts than ranks and more choices than experts", async () => {
  const placement = { kind: "threads", hosts: 5 } as const;
  await expect(benchMoe({ ...TINY, placement })).rejects.toThrow(/5 hosts for 4 ranks/);
  await expect(benchMoe({ ...TINY, expertsPerToken: 9 })).rejects.toThrow(/9 of 8 experts/);
});

test("the event benchmark counts every hop of an all-to-all", () => {
  const rows = benchEvents({ rankCount: 17, exchanges: 2, timerEvents: 170, repetitions: 1 });
  expect(rows[0]!.work).toEqual({ processes: 17, events: 170 });
  // 16 ranks under one leaf: 240 pairs of 2 links; 32 pairs with the last rank cross a spine over 4.
  const hops = 2 * (240 * 2 + 32 * 4);
  const messages = 2 * 17 * 16;
  // A timer and a shipment of each rank, all hops but the first of each message, the deliveries, and the last of all.
  expect(rows[1]!.work).toMatchObject({ messages, "hops over links": hops, events: 3 * 2 * 17 + hops });
});
