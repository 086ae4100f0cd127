// Latencies of InfiniBand and RoCE from the published 64-byte end-to-end figures (ISCA'25 paper, table 5):
// two more hops cost 0.9 µs on InfiniBand (3.7 - 2.8) and 2.0 µs on RoCE (5.6 - 3.6); half of that is one link with
// its switch. What remains of the same-leaf figure after its two links is shared by the two ends.

import { type Duration, microseconds } from "@windtunnel/base";

export interface NetworkProfile {
  readonly name: "infiniband" | "roce";
  /** One link and the switch behind it. */
  readonly linkLatency: Duration;
  /** Either end: GPU to NIC, or NIC to GPU memory and its notice. */
  readonly endLatency: Duration;
}

export const NETWORK_PROFILES: Readonly<Record<NetworkProfile["name"], NetworkProfile>> = {
  infiniband: { name: "infiniband", linkLatency: microseconds(0.45), endLatency: microseconds(0.95) },
  roce: { name: "roce", linkLatency: microseconds(1), endLatency: microseconds(0.8) },
};
