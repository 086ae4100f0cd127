// The plain twin of `FabricProcess`: parcels as objects, one sorted list of what comes next, no chains and no packed rows.
// One fabric, no relays.

import { mix32 } from "@windtunnel/base";
import { LinkTable } from "../links.ts";
import type { Topology } from "../topology.ts";

export interface PlainParcel {
  readonly source: number;
  readonly target: number;
  readonly entryPort: number;
  readonly exitPort: number;
  readonly bytes: number;
  /** When it enters the fabric. */
  readonly entersAt: number;
}

/** What happened to a parcel; times in picoseconds. */
export interface PlainArrival {
  readonly arrivedAt: number;
  readonly queued: number;
  readonly portQueued: number;
  readonly transfer: number;
  readonly slowestLink: number;
  readonly limitingLink: number;
}

interface Next {
  readonly parcel: number;
  readonly at: number;
  readonly tailAt: number;
  readonly hop: number;
  /** Breaks ties: hops in the order in which parcels left their link, before parcels that enter. */
  readonly order: number;
}

/** Parcels that enter at the same instant do so in their order. */
export function plainArrivals(
  topology: Topology,
  parcels: readonly PlainParcel[],
  endLatency: number,
): { readonly arrivals: readonly PlainArrival[]; readonly linkBytes: Float64Array } {
  const links = new LinkTable(topology.links);
  const paths = parcels.map(({ source, target, entryPort, exitPort }) =>
    topology.pathOf(entryPort, exitPort, mix32(source) ^ (target + 1)),
  );
  const queuedAt: number[][] = parcels.map(() => []);
  const arrivals: PlainArrival[] = [];
  let hops = 0;
  let coming = parcels.map(({ entersAt }, parcel): Next => ({
    parcel,
    at: entersAt,
    tailAt: entersAt,
    hop: 0,
    order: 1e9 + parcel,
  }));
  while (coming.length > 0) {
    coming.sort((a, b) => a.at - b.at || a.order - b.order);
    const [{ parcel, at, tailAt, hop }, ...rest] = coming as [Next, ...Next[]];
    coming = rest;
    if (hop === 1 && topology.reroute !== undefined) paths[parcel] = topology.reroute(paths[parcel]!, links);
    const path = paths[parcel]!;
    const link = path[hop]!;
    const start = links.occupy(link, parcels[parcel]!.bytes, at, tailAt);
    queuedAt[parcel]!.push(start - at);
    const latency = links.latency[link]!;
    const leaves = links.freeAt[link]! + latency;
    if (hop + 1 < path.length) {
      coming.push({ parcel, at: start + latency, tailAt: leaves, hop: hop + 1, order: hops++ });
    } else {
      const transfers = path.map((each): number => links.transferTime(each, parcels[parcel]!.bytes));
      const transfer = Math.max(...transfers);
      const slowestLink = path[transfers.indexOf(transfer)]!;
      const [portQueued = 0, ...beyond] = queuedAt[parcel]!;
      const longest = Math.max(0, ...beyond);
      arrivals[parcel] = {
        arrivedAt: leaves + endLatency,
        queued: queuedAt[parcel]!.reduce((sum, queued) => sum + queued, 0),
        portQueued,
        transfer,
        slowestLink,
        limitingLink: longest === 0 ? slowestLink : path[beyond.indexOf(longest) + 1]!,
      };
    }
  }
  return { arrivals, linkBytes: links.bytes };
}
