// The NVLink domain of a node: every GPU reaches every other through one non-blocking switch; what contends is each
// GPU's egress and ingress. The published 64-byte latency of 3.33 µs (ISCA'25 paper, table 5) is split over the two
// ends and the two links.

import { type Duration, microseconds } from "@windtunnel/base";
import { createSwitch, type Topology } from "@windtunnel/network-plane";

export const NVLINK_END_LATENCY: Duration = microseconds(1);
export const NVLINK_LINK_LATENCY: Duration = microseconds(0.665);

export function createNvlinkDomain(node: number, gpusPerNode: number, bytesPerSecond: number): Topology {
  const ports = Array.from({ length: gpusPerNode }, (_, gpu) => `gpu ${gpu}`);
  return createSwitch(ports, (port) => ({
    prefix: `node ${node} nvlink`,
    cable: `node ${node} nvlink / ${port}`,
    bytesPerSecond,
    latency: NVLINK_LINK_LATENCY,
  }));
}
