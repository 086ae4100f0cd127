// The identity table: arithmetic that tests bookkeeping, not fidelity. Each part is computed by the product's own
// functions where it has them.

import type { FidelityRow, RowPart } from "../row.ts";
import { bubbleRows } from "./bubble-rows.ts";
import { infinibandFloorRows, nvlinkFloorRows } from "./communication-floor.ts";
import { economicsRows } from "./economics-rows.ts";
import { eplbRows } from "./eplb-rows.ts";
import { cacheRows, trainingRows, weightRows } from "./model-rows.ts";
import { topologyRows } from "./topology-rows.ts";

const TOPOLOGY_COMMAND = "windtunnel topology --compare --radix 64";

export function identityParts(): RowPart[] {
  return [
    part("I1", "Bytes of a token in the KV cache", cacheRows),
    part("I2", "Operations of training (shown only)", trainingRows),
    part("I3", "Least time of communication in decoding, InfiniBand of 400 Gb/s", infinibandFloorRows),
    part("I4", "The same on NVLink of 900 GB/s", nvlinkFloorRows),
    {
      ...part("I5", "Compared topologies of 64-port switches (costs shown only)", topologyRows),
      command: TOPOLOGY_COMMAND,
    },
    part("I6", "EPLB's example: 12 experts, 16 replicas, 8 GPUs of two nodes", eplbRows),
    part("I7", "A day of the published deployment (shown only)", economicsRows),
    part("I8", "Bubbles of pipelined training", bubbleRows),
    part("I9", "Bytes of the weights, and what they fit into", weightRows),
  ];
}

function part(id: string, title: string, rows: () => readonly FidelityRow[]): RowPart {
  return {
    table: "identity",
    section: "Arithmetic",
    id,
    title,
    command: `windtunnel validate --only ${id}`,
    rows,
  };
}
