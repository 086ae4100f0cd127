// Bodies of events for another host: shipments without what they carry, and all others as they are.

import { SharedBody, type Shipment } from "./parcels.ts";

export interface PackedShipments {
  readonly shipments: readonly (Omit<Shipment, "bodies" | "bytes" | "places"> & {
    readonly bytes: Float64Array;
    readonly isShared: boolean;
    readonly bodyCount: number;
  })[];
  readonly others: readonly unknown[];
  /** For each event. */
  readonly isShipment: readonly boolean[];
}

/** What the shipments carry goes to the end of `carried`. */
export function packShipments(eventBodies: readonly unknown[], carried: unknown[]): PackedShipments {
  const shipments: PackedShipments["shipments"][number][] = [];
  const others: unknown[] = [];
  const isShipment = eventBodies.map(isShipmentBody);
  for (const [index, event] of eventBodies.entries()) {
    if (!isShipment[index]!) {
      others.push(event);
      continue;
    }
    const { bodies, bytes, places, ...shipment } = event as Shipment;
    const isShared = bodies instanceof SharedBody;
    const each = isShared ? [bodies.body] : bodies;
    shipments.push({
      ...shipment,
      bytes: Float64Array.from(shipment.targets, (_, index) => bytes[places?.[index] ?? index]!),
      isShared,
      bodyCount: each.length,
    });
    for (const body of each) carried.push(body);
  }
  return { shipments, others, isShipment };
}

/** The bodies of the events, in their order; `carried` is what all shipments carry. */
export function unpackShipments(
  { shipments, others, isShipment }: PackedShipments,
  carried: readonly unknown[],
): unknown[] {
  let taken = 0;
  const whole = shipments.map(({ isShared, bodyCount, ...shipment }): Shipment => {
    taken += bodyCount;
    const bodies = isShared ? new SharedBody(carried[taken - 1]) : carried.slice(taken - bodyCount, taken);
    return { ...shipment, bodies };
  });
  let [nextShipment, nextOther] = [0, 0];
  return isShipment.map((is) => (is ? whole[nextShipment++] : others[nextOther++]));
}

function isShipmentBody(body: unknown): boolean {
  return typeof body === "object" && body !== null && "targets" in body && "entryPorts" in body;
}
