import { type Instant, RandomStream } from "@windtunnel/base";
import { expect, test } from "vitest";
import { type ArrivedParcel, ParcelTable, shipmentOf } from "./index.ts";

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
  const [ofFirst, ofSecond] = [here.put(first, at(6)), here.put(second, at(6))];
  const slots = [ofFirst + 1, ofSecond, ofFirst];
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

test("a table grows, and a shipment's slots are taken again once all of them are free", () => {
  const table = new ParcelTable();
  const shipments = Array.from({ length: 100 }, (_, source) => shipment(source, ["x", "y", "z"]));
  const taken = shipments.flatMap((each) => {
    const first = table.put(each, at(0));
    return [first, first + 1, first + 2];
  });
  expect(new Set(taken).size).toBe(300);
  table.free(taken[0]!);
  table.free(taken[2]!);
  expect(taken).not.toContain(table.put(shipments[0]!, at(0)));
  table.free(taken[1]!);
  expect(table.put(shipments[0]!, at(0))).toBe(taken[0]);
  expect(
    taken
      .slice(3)
      .map((slot) => table.bodyOf(slot))
      .join(""),
  ).toBe("xyz".repeat(99));
  expect(table.count).toBe(303);
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
    const slots = Array.from({ length: 1 + random.below(most) }, () => here.put(each, at(0))).flatMap(
      (first) => Array.from(each.targets, (_, index) => first + index),
    );
    const sent = slots.slice(random.below(136));
    for (const slot of slots.slice(0, slots.length - sent.length)) here.free(slot);
    const arrived = there.unpack(here.pack(sent, [])).slots;
    expect([here.count, there.count]).toEqual([0, sent.length]);
    for (const slot of arrived) there.free(slot);
  }
  const limit = 4 * most * 136;
  expect(here.next.length).toBeLessThanOrEqual(limit);
  expect(there.next.length).toBeLessThanOrEqual(limit);
});
