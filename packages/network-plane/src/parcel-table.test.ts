import type { Instant } from "@windtunnel/base";
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
  const [here, there] = [new ParcelTable(), new ParcelTable()];
  const first = shipment(7, ["a", "b"]);
  const second = shipment(8, ["c"]);
  const slots = [here.put(first, 1, at(6)), here.put(second, 0, at(6)), here.put(first, 0, at(6))];
  for (const [index, slot] of slots.entries()) here.arrive(slot, at(100 + index));
  const packed = here.pack(slots, ["a plan", second]);
  expect(here.count).toBe(0);
  const { slots: arrived, bodies } = there.unpack(packed);
  expect(there.count).toBe(3);
  expect(bodies).toEqual(["a plan", second]);
  const read = arrived.map((slot) => {
    const parcel = {} as ArrivedParcel;
    there.read(slot, parcel);
    const { source, bytes, arrivedAt } = parcel;
    return [source, bytes, arrivedAt, there.bodyOf(slot), there.headerOf(slot)];
  });
  expect(read).toEqual([
    [7, 11, 100, "b", { of: 7 }],
    [8, 10, 101, "c", { of: 8 }],
    [7, 10, 102, "a", { of: 7 }],
  ]);
});

test("a table grows, and slots that are free are taken again", () => {
  const table = new ParcelTable();
  const one = shipment(1, ["x"]);
  const slots = Array.from({ length: 1000 }, () => table.put(one, 0, at(0)));
  expect(new Set(slots).size).toBe(1000);
  for (const slot of slots.slice(0, 500)) table.free(slot);
  const again = Array.from({ length: 500 }, () => table.put(one, 0, at(0)));
  expect(new Set([...again, ...slots.slice(500)]).size).toBe(1000);
  expect(table.count).toBe(1000);
});
