// Bodies of events for another host: shipments as columns, without what they carry, and all others as they are.

import { floatsOf, type Instant, integersOf, type Payload, payloadOf } from "@windtunnel/base";
import { SharedBody, type Shipment } from "./parcels.ts";

export interface PackedShipments {
  /** [shipments · SHIPMENT_NUMBERS] */
  readonly numbers: Payload;
  readonly headers: readonly unknown[];
  /** Of all shipments one behind the other: targets, entry ports and exit ports of each; and the bytes of its parcels. */
  readonly ports: Payload;
  readonly bytes: Payload;
  readonly others: readonly unknown[];
  /** For each event, in their order: 1 for a shipment. */
  readonly isShipment: Payload;
}

/** Of a shipment: exchange, source, sentAt, its parcels, its bodies, and whether one body is for all. */
const SHIPMENT_NUMBERS = 6;

/** What the shipments carry goes to the end of `carried`. */
export function packShipments(eventBodies: readonly unknown[], carried: unknown[]): PackedShipments {
  const isShipment = Uint8Array.from(eventBodies, (body) => (isShipmentBody(body) ? 1 : 0));
  const shipments = eventBodies.filter((_, index) => isShipment[index] === 1) as Shipment[];
  const numbers = new Float64Array(shipments.length * SHIPMENT_NUMBERS);
  const parcelCount = shipments.reduce((sum, { targets }) => sum + targets.length, 0);
  const ports = new Int32Array(3 * parcelCount);
  const bytes = new Float64Array(parcelCount);
  let parcels = 0;
  for (const [index, shipment] of shipments.entries()) {
    const { exchange, source, sentAt, targets, entryPorts, exitPorts, places, bodies } = shipment;
    const count = targets.length;
    ports.set(targets, 3 * parcels);
    ports.set(entryPorts, 3 * parcels + count);
    ports.set(exitPorts, 3 * parcels + 2 * count);
    for (let parcel = 0; parcel < count; parcel++)
      bytes[parcels + parcel] = shipment.bytes[places?.[parcel] ?? parcel]!;
    parcels += count;
    const isShared = bodies instanceof SharedBody;
    const each = isShared ? [bodies.body] : bodies;
    for (const body of each) carried.push(body);
    numbers.set([exchange, source, sentAt, count, each.length, isShared ? 1 : 0], index * SHIPMENT_NUMBERS);
  }
  return {
    numbers: payloadOf(numbers),
    headers: shipments.map(({ header }) => header),
    ports: payloadOf(ports),
    bytes: payloadOf(bytes),
    others: eventBodies.filter((_, index) => isShipment[index] === 0),
    isShipment: payloadOf(isShipment),
  };
}

/** The bodies of the events, in their order; `carried` is what all shipments carry. */
export function unpackShipments(packed: PackedShipments, carried: readonly unknown[]): unknown[] {
  const numbers = floatsOf(packed.numbers);
  const [ports, bytes] = [integersOf(packed.ports), floatsOf(packed.bytes)];
  let [parcels, taken] = [0, 0];
  const shipments = packed.headers.map((header, index): Shipment => {
    const at = index * SHIPMENT_NUMBERS;
    const [exchange, source, sentAt, count, bodyCount, isShared] = numbers.subarray(
      at,
      at + SHIPMENT_NUMBERS,
    );
    const column = (which: number): Int32Array =>
      ports.subarray(3 * parcels + which * count!, 3 * parcels + (which + 1) * count!);
    const [targets, entryPorts, exitPorts] = [column(0), column(1), column(2)];
    const ownBytes = bytes.subarray(parcels, parcels + count!);
    parcels += count!;
    taken += bodyCount!;
    const bodies =
      isShared === 1 ? new SharedBody(carried[taken - 1]) : carried.slice(taken - bodyCount!, taken);
    return {
      exchange: exchange!,
      source: source!,
      sentAt: sentAt! as Instant,
      header,
      targets,
      entryPorts,
      exitPorts,
      bytes: ownBytes,
      bodies,
    };
  });
  let [nextShipment, nextOther] = [0, 0];
  return Array.from(packed.isShipment.bytes, (is) =>
    is === 1 ? shipments[nextShipment++] : packed.others[nextOther++],
  );
}

function isShipmentBody(body: unknown): boolean {
  return typeof body === "object" && body !== null && "targets" in body && "entryPorts" in body;
}
