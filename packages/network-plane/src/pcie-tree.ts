// PCIe inside a node, for fabrics that show it: GPUs, NICs and host memory on one root, each by a link up and a link
// down, beside the node's NVLink switch. RDMA messages cross it at both ends, and whatever else goes between a GPU and
// host memory contends with them. Without it, PCIe's time is part of the network's end latency.
//
// Its latency is taken out of that end latency, so that the published 64-byte figures stay the sum. The rate is that of
// PCIe Gen5 x16 in effect (63 GB/s nominal); the latency of a link with its share of the root is an estimate.

import { type Duration, microseconds } from "@windtunnel/base";
import type { LinkDescription } from "./links.ts";
import { type LinkLatencies, NVLINK_LATENCIES } from "./network-profile.ts";
import type { Topology } from "./topology.ts";

const PCIE_BYTES_PER_SECOND = 55e9;
const PCIE_LINK_LATENCY: Duration = microseconds(0.2);
/** Between a node's process and a plane's, each way. */
const BOUNDARY_LATENCY: Duration = microseconds(0.1);

/** Ports of a node that shows PCIe. NVLink ports have the numbers that they have without it. */
export interface NodePorts {
  readonly nvlink: (gpu: number) => number;
  /** A GPU as PCIe sees it. */
  readonly gpu: (gpu: number) => number;
  readonly nic: (nic: number) => number;
  readonly hostMemory: number;
  /** Where a parcel from NIC p to another GPU leaves: over PCIe to GPU p, then over NVLink. */
  readonly relayed: (gpu: number) => number;
}

export function nodePorts(gpus: number, nics: number): NodePorts {
  return {
    nvlink: (gpu) => gpu,
    gpu: (gpu) => gpus + gpu,
    nic: (nic) => 2 * gpus + nic,
    hostMemory: 2 * gpus + nics,
    relayed: (gpu) => 2 * gpus + nics + 1 + gpu,
  };
}

/** How the ends' latencies are divided where PCIe is shown. Every part is above zero. */
export interface PcieLatencies {
  /** From a GPU to its node's process, whatever it sends: one shipment may hold both kinds of parcels. */
  readonly entry: Duration;
  readonly boundary: Duration;
  /** From the last PCIe link to the GPU's notice. */
  readonly notice: Duration;
  /** The same after an NVLink link, for what came from a GPU of the node, and for what came from a NIC. */
  readonly nvlinkNotice: Duration;
  readonly relayNotice: Duration;
  /** The least time from a node's process to a plane's, to a GPU, and from a plane's last link to the node's. */
  readonly leastToPlane: Duration;
  readonly leastToRank: Duration;
}

export function pcieLatencies({ endLatency }: LinkLatencies): PcieLatencies {
  const nvlink = NVLINK_LATENCIES;
  const notice = (endLatency - 2 * PCIE_LINK_LATENCY - BOUNDARY_LATENCY) as Duration;
  return {
    entry: notice,
    boundary: BOUNDARY_LATENCY,
    notice,
    nvlinkNotice: (2 * nvlink.endLatency - notice) as Duration,
    relayNotice: (nvlink.endLatency + notice) as Duration,
    leastToPlane: (PCIE_LINK_LATENCY + BOUNDARY_LATENCY) as Duration,
    leastToRank: (PCIE_LINK_LATENCY + notice) as Duration,
  };
}

/** A node's NVLink switch, of one port for each GPU, with its PCIe tree beside it. */
export function createNodeWithPcie(nvlink: Topology, node: number, gpus: number, nics: number): Topology {
  const ports = nodePorts(gpus, nics);
  const names = [
    ...Array.from({ length: gpus }, (_, gpu) => `gpu ${gpu}`),
    ...Array.from({ length: nics }, (_, nic) => `nic ${nic}`),
    "host memory",
  ];
  const links = names.flatMap((name): LinkDescription[] => {
    const common = {
      cable: `node ${node} pcie / ${name}`,
      bytesPerSecond: PCIE_BYTES_PER_SECOND,
      latency: PCIE_LINK_LATENCY,
    };
    return [
      { name: `node ${node} pcie / ${name} > root`, ...common },
      { name: `node ${node} pcie / root > ${name}`, ...common },
    ];
  });
  const firstRelayed = ports.relayed(0);
  // Two links for each port, NVLink ports first: up has an even number, down the odd one after it.
  const pathOf = (source: number, target: number): readonly number[] => {
    if (target < firstRelayed) return [2 * source, 2 * target + 1];
    const [relay, gpu] = [source - ports.nic(0), target - firstRelayed];
    return [2 * source, 2 * ports.gpu(relay) + 1, 2 * relay, 2 * gpu + 1];
  };
  // What only crosses PCIe is no traffic of the NVLink domain.
  const carries = (_: number, target: number): boolean => target < gpus || target >= firstRelayed;
  return { links: [...nvlink.links, ...links], pathOf, carries };
}
