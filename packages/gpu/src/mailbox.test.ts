// Records that are written when parcels arrive are those that a target reads parcel by parcel.

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { type Instant, RandomStream } from "@windtunnel/base";
import { ParcelTable, SharedBody, type Shipment } from "@windtunnel/network-plane";
import { HostRecording } from "@windtunnel/trace";
import { afterAll, expect, test } from "vitest";
import { encodeExchangeHead, type ExchangeHeader, Mailbox } from "./mailbox.ts";

const folder = mkdtempSync(path.join(tmpdir(), "test-of-windtunnel-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const SOURCES = 70;
const TARGET = 500;
const EXCHANGE = 8;
/** Numbers of a row, and where those of its history begin. */
const STRIDE = 8;
const HISTORY = 64;

/** One message from every source, with a random past; the recording of a target that opens them. */
function recordingOf(
  name: string,
  options: { encodes: boolean; settles: (source: number) => boolean },
): Buffer {
  const random = new RandomStream(3, "mailbox");
  const parcels = new ParcelTable({
    keepsHistory: true,
    ...(options.encodes ? { encodeHead: encodeExchangeHead } : {}),
  });
  const file = path.join(folder, name);
  const recording = new HostRecording(file, { blockBytes: 1024 });
  const mailbox = new Mailbox(TARGET, parcels, recording.recorderFor(TARGET));
  const arrived: { slot: number; source: number }[] = [];
  for (let source = 0; source < SOURCES; source++) {
    const header: ExchangeHeader = {
      step: 2,
      layer: random.below(61),
      microBatch: 1,
      phase: random.below(2) === 0 ? "dispatch" : "combine",
      sendSpan: random.below(1e6),
      sendStart: random.below(1e9) as Instant,
    };
    const shipment: Shipment = {
      exchange: EXCHANGE,
      source,
      sentAt: random.below(1e9) as Instant,
      header,
      targets: Int32Array.of(TARGET),
      entryPorts: Int32Array.of(0),
      exitPorts: Int32Array.of(0),
      bytes: Float64Array.of(random.below(1e7)),
      bodies: new SharedBody(`of ${source}`),
    };
    const [slot] = parcels.put(shipment, 0 as Instant);
    const past = slot! * STRIDE + HISTORY;
    // queued … limiting, and when it was at its first relay, if it met one.
    for (let field = 1; field < 6; field++) parcels.memory.numbers[past + field] = random.below(2 ** 40);
    if (source % 3 === 0) parcels.memory.numbers[past + 7] = random.below(1e9);
    parcels.arrive(slot!, (2e9 + random.below(1e9)) as Instant);
    arrived.push({ slot: slot!, source });
  }
  // As they may arrive.
  arrived.sort((a, b) => ((a.source * 37) % SOURCES) - ((b.source * 37) % SOURCES));
  const parts = arrived.map(({ slot, source }) => {
    return { slot: options.settles(source) ? parcels.settle(slot, TARGET) : slot, source };
  });
  const { sharedBodies } = mailbox.open(
    EXCHANGE,
    Array.from({ length: SOURCES }, (_, source) => source),
    {
      count: SOURCES,
      slotOf: (part) => parts[part]!.slot,
      labelOf: (part) => parts[part]!.source,
      latest: 3e9 as Instant,
      latestLabel: 0,
    },
  );
  expect(sharedBodies).toHaveLength(SOURCES);
  expect(parcels.count).toBe(0);
  recording.close();
  return readFileSync(file);
}

test.each([
  ["all", () => true],
  ["those of some sources, as where others come from another host,", (source: number) => source % 7 < 4],
])("%s are the same, in the order of their sources", (_, settles) => {
  const plain = recordingOf("plain", { encodes: false, settles: () => false });
  expect(plain.length).toBeGreaterThan(SOURCES * 108);
  expect(recordingOf("filed", { encodes: true, settles }).equals(plain)).toBe(true);
});
