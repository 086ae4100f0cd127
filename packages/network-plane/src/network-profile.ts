// Latencies of InfiniBand, RoCE and NVLink from the published 64-byte end-to-end figures (ISCA'25 paper, table 5).
// Two more hops cost 0.9 µs on InfiniBand (3.7 - 2.8) and 2.0 µs on RoCE (5.6 - 3.6); half of that is one link with
// its switch. What remains of the same-leaf figure after its two links is shared by the two ends. NVLink's 3.33 µs are
// split over its two ends and its two links.

import { type Duration, microseconds } from "@windtunnel/base";

/** Where the time of an empty network goes. */
export interface LinkLatencies {
  /** One link and the switch behind it. */
  readonly linkLatency: Duration;
  /** Either end: GPU to NIC, or NIC to GPU memory and its notice. */
  readonly endLatency: Duration;
}

export interface NetworkProfile extends LinkLatencies {
  readonly name: "infiniband" | "roce";
}

export const NETWORK_PROFILES: Readonly<Record<NetworkProfile["name"], NetworkProfile>> = {
  infiniband: { name: "infiniband", linkLatency: microseconds(0.45), endLatency: microseconds(0.95) },
  roce: { name: "roce", linkLatency: microseconds(1), endLatency: microseconds(0.8) },
};

export const NVLINK_LATENCIES: LinkLatencies = {
  linkLatency: microseconds(0.665),
  endLatency: microseconds(1),
};
