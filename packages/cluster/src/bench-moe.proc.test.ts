import { expect, test } from "vitest";
import { benchMoe, type MoeBenchOptions } from "../bench/index.ts";
import { benchTransports } from "../bench/transports.ts";

const SMALL: MoeBenchOptions = {
  hiddenSize: 40,
  innerSize: 24,
  expertCount: 12,
  expertsPerToken: 3,
  rankCount: 6,
  tokensPerRank: 9,
  layerCount: 2,
  placement: { kind: "inline" },
  repetitions: 1,
};

test("the MoE benchmark gives the same bits inline, on threads and in processes", async () => {
  const [inline] = await benchMoe(SMALL);
  for (const placement of [
    { kind: "threads", hosts: 4 },
    { kind: "processes", hosts: 2, transport: "ipc" },
  ] as const) {
    const [row] = await benchMoe({ ...SMALL, placement });
    expect(row!.digest).toBe(inline!.digest);
    const sent = row!.work["of them to other hosts"]!;
    // A header of 16 bytes and 40 floats there, 40 floats back, besides what frames hold of their own.
    expect(row!.work["frame bytes"]).toBeGreaterThan(sent * (16 + 320));
    expect(sent).toBeGreaterThan(0);
  }
});

test("the transport benchmark moves what it counts, over every transport", async () => {
  const rows = await benchTransports([
    { name: "Small", rounds: 3, eventsPerFrame: 1, payloadBytesPerFrame: 0 },
    { name: "Batches", rounds: 2, eventsPerFrame: 8, payloadBytesPerFrame: 0 },
    { name: "Payloads", rounds: 2, eventsPerFrame: 1, payloadBytesPerFrame: 5000 },
  ]);
  expect(rows.map(({ name }) => name)).toContain("Batches: ZeroMQ, tcp");
  expect(rows).toHaveLength(12);
  for (const { name, work } of rows) {
    expect(work["frames"]).toBe(name.startsWith("Small") ? 6 : 4);
    if (name.startsWith("Batches")) expect(work["events"]).toBe(4 * 8);
    if (name.startsWith("Payloads")) expect(work["bytes"]).toBeGreaterThan(4 * 5000);
  }
});
