import { type Instant, RandomStream } from "@windtunnel/base";
import { expect, test } from "vitest";
import { HopQueue } from "./hop-queue.ts";
import { HEAD_AT, ORDER, ParcelTable, shipmentOf, STRIDE } from "./parcel-table.ts";

test("parcels come out by time, then by when they left their link, as from a sorted list (the plain twin)", () => {
  const random = new RandomStream(6, "hops");
  const links = 7;
  const parcels = new ParcelTable();
  const queue = new HopQueue(links, parcels);
  const shipment = shipmentOf({ exchange: 0, source: 0, sentAt: 0 as Instant, header: undefined }, [
    { target: 1, entryPort: 0, exitPort: 1, bytes: 1, body: undefined },
  ]);
  /** What is in the queue: time and number of each parcel's hop, in the order in which they must come. */
  let plain: { slot: number; time: number; sequence: number }[] = [];
  const lastOf = new Float64Array(links);
  let sequence = 0;
  let now = 0;
  for (let step = 0; step < 20_000; step++) {
    if (plain.length > 0 && random.below(2) === 0) {
      const [first, ...rest] = plain;
      plain = rest;
      now = first!.time;
      expect(queue.earliestTime).toBe(now);
      const slot = queue.pop();
      expect([slot, parcels.rows[slot * STRIDE + ORDER]]).toEqual([first!.slot, first!.sequence]);
      parcels.free(slot);
    } else {
      const link = random.below(links);
      // Ties within a link and between links are frequent.
      const time = Math.max(now, lastOf[link]!) + random.below(3);
      lastOf[link] = time;
      const slot = parcels.put(shipment, now as Instant)[0]!;
      parcels.rows[slot * STRIDE + HEAD_AT] = time;
      parcels.rows[slot * STRIDE + ORDER] = sequence;
      queue.append(link, slot);
      plain.push({ slot, time, sequence: sequence++ });
      plain.sort((a, b) => a.time - b.time || a.sequence - b.sequence);
    }
    expect(queue.isEmpty).toBe(plain.length === 0);
  }
});

test("parcels that do not come in the order of their chain come out in order all the same", () => {
  const random = new RandomStream(8, "handovers");
  const parcels = new ParcelTable();
  const queue = new HopQueue(3, parcels);
  const shipment = shipmentOf({ exchange: 0, source: 0, sentAt: 0 as Instant, header: undefined }, [
    { target: 1, entryPort: 0, exitPort: 1, bytes: 1, body: undefined },
  ]);
  const expected = Array.from({ length: 3000 }, (_, index) => {
    const slot = parcels.put(shipment, 0 as Instant)[0]!;
    const [time, order] = [random.below(500), random.below(4) * 1e6 + index];
    parcels.rows[slot * STRIDE + HEAD_AT] = time;
    parcels.rows[slot * STRIDE + ORDER] = order;
    queue.insert(random.below(3), slot);
    return { slot, time, order };
  }).toSorted((a, b) => a.time - b.time || a.order - b.order);
  expect(expected.map(() => queue.pop())).toEqual(expected.map(({ slot }) => slot));
  expect(queue.isEmpty).toBe(true);
});
