// An NVLink domain: every GPU reaches every other through one non-blocking switch; what contends is each GPU's egress
// and ingress. It spans a node, or all nodes of a rack (GB200 NVL72). The published 64-byte latency of 3.33 µs (ISCA'25
// paper, table 5) is split over the two ends and the two links.

import type { Duration } from "@windtunnel/base";
import { createSwitch, NVLINK_LATENCIES, type Topology } from "@windtunnel/network-plane";

export const NVLINK_END_LATENCY: Duration = NVLINK_LATENCIES.endLatency;
export const NVLINK_LINK_LATENCY: Duration = NVLINK_LATENCIES.linkLatency;

/** The domain of one node; GPU i is port i. */
export function createNvlinkDomain(node: number, gpusPerNode: number, bytesPerSecond: number): Topology {
  const ports = Array.from({ length: gpusPerNode }, (_, gpu) => `gpu ${gpu}`);
  return createDomain(`node ${node} nvlink`, ports, bytesPerSecond);
}

/** One domain for the GPUs of all nodes; a rank is a port. */
export function createSharedNvlinkDomain(
  nodes: number,
  gpusPerNode: number,
  bytesPerSecond: number,
): Topology {
  const ports = Array.from({ length: nodes * gpusPerNode }, (_, rank) => {
    return `node ${Math.floor(rank / gpusPerNode)} gpu ${rank % gpusPerNode}`;
  });
  return createDomain("nvlink", ports, bytesPerSecond);
}

function createDomain(prefix: string, ports: readonly string[], bytesPerSecond: number): Topology {
  return createSwitch(ports, (port) => ({
    prefix,
    cable: `${prefix} / ${port}`,
    bytesPerSecond,
    latency: NVLINK_LINK_LATENCY,
  }));
}
