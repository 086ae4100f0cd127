import { type Instant, RandomStream } from "@windtunnel/base";
import { expect, test } from "vitest";
import { type ArrivedParcel, ParcelTable, shipmentOf } from "./index.ts";
import { slotStreams } from "./slots.ts";

const ROW_BYTES = 64;

const at = (time: number): Instant => time as Instant;

function shipment(source: number, bodies: readonly string[]): ReturnType<typeof shipmentOf> {
  const parcels = bodies.map((body, index) => ({
    target: index,
    entryPort: 0,
    exitPort: 1,
    bytes: 10 + index,
    body,
  }));
  return shipmentOf({ exchange: 4, source, sentAt: at(5), header: { of: source } }, parcels);
}

test("parcels and shipments are the same in another host's table, and leave none behind", () => {
  const [here, there] = [new ParcelTable({ keepsHistory: true }), new ParcelTable({ keepsHistory: true })];
  const first = shipment(7, ["a", "b"]);
  const second = shipment(8, ["c"]);
  const [a, b] = here.put(first, at(6));
  const [c] = here.put(second, at(6));
  const slots = [b!, c!, a!];
  for (const [index, slot] of slots.entries()) here.arrive(slot, at(100 + index));
  const packed = here.pack(slots, ["a plan", second]);
  expect(here.count).toBe(0);
  const { slots: arrived, bodies } = there.unpack(packed);
  expect(there.count).toBe(3);
  expect(bodies).toEqual(["a plan", second]);
  const read = arrived.map((slot) => {
    const parcel = {} as ArrivedParcel;
    there.read(slot, parcel);
    const { source, bytes, sentAt, arrivedAt } = parcel;
    return [source, bytes, sentAt, arrivedAt, there.bodyOf(slot), there.headerOf(slot)];
  });
  expect(read).toEqual([
    [7, 11, 5, 100, "b", { of: 7 }],
    [8, 10, 5, 101, "c", { of: 8 }],
    [7, 10, 5, 102, "a", { of: 7 }],
  ]);
});

test("a table grows, and slots are taken again once all of their chunk are free", () => {
  const table = new ParcelTable();
  const shipments = Array.from({ length: 100 }, (_, source) => shipment(source, ["x", "y", "z", "w"]));
  const taken = shipments.flatMap((each) => [...table.put(each, at(0)).subarray(0, 4)]);
  expect(new Set(taken).size).toBe(400);
  const carried = (slots: readonly number[]): string => slots.map((slot) => table.bodyOf(slot)).join("");
  expect(carried(taken)).toBe("xyzw".repeat(100));
  for (const slot of taken.slice(8, 15)) table.free(slot);
  expect(taken).not.toContain(table.put(shipments[0]!, at(0))[0]);
  for (let index = 0; index < 4; index++) table.free(taken[index]!);
  for (const slot of taken.slice(15, 16)) table.free(slot);
  // The chunk that was begun is filled first.
  table.put(shipments[0]!, at(0));
  expect(taken.slice(8, 16)).toContain(table.put(shipments[0]!, at(0))[0]);
  expect(carried([...taken.slice(4, 8), ...taken.slice(16)])).toBe("xyzw".repeat(97));
  expect(table.count).toBe(400);
});

test("slots of a stream lie side by side", () => {
  const { memory, slots, kernel } = new ParcelTable();
  const streams = slotStreams(memory, 2);
  const taken = Array.from({ length: 8 }, () =>
    [0, 4].map((stream) => kernel.functions.takeSlot(slots.address, streams + stream)),
  );
  for (const stream of [0, 1]) {
    const first = taken[0]![stream]!;
    expect(taken.map((both) => both[stream])).toEqual(taken.map((_, index) => first + index));
  }
});

test("rounds of any number of parcels take no more memory than the largest", () => {
  const [here, there] = [new ParcelTable(), new ParcelTable()];
  const random = new RandomStream(4, "rounds");
  const most = 40;
  const each = shipment(
    1,
    Array.from({ length: 136 }, (_, index) => `${index}`),
  );
  for (let round = 0; round < 500; round++) {
    const slots = Array.from({ length: 1 + random.below(most) }, () => [
      ...here.put(each, at(0)).subarray(0, each.targets.length),
    ]).flat();
    const sent = slots.slice(random.below(136));
    for (const slot of slots.slice(0, slots.length - sent.length)) here.free(slot);
    const arrived = there.unpack(here.pack(sent, [])).slots;
    expect([here.count, there.count]).toEqual([0, sent.length]);
    for (const slot of arrived) there.free(slot);
  }
  const limit = 4 * most * 136 * ROW_BYTES;
  expect(here.memory.byteLength).toBeLessThanOrEqual(limit);
  expect(there.memory.byteLength).toBeLessThanOrEqual(limit);
});
