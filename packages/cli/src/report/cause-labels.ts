// What people read for the causes of a step's time.

import type { StepCause } from "@windtunnel/trace";

/** In the order of reports. */
export const CAUSE_LABELS: Readonly<Record<StepCause, string>> = {
  computing: "computing",
  "communication-sms": "SMs for communication",
  launching: "launching",
  "host-wait": "host waits",
  "transfer-nvlink": "transfer over NVLink",
  "transfer-pcie": "transfer over PCIe",
  "transfer-nic": "transfer over NICs",
  queueing: "queueing at links",
  relay: "relay",
  "buffer-limit": "buffer limit",
  "slower-rank": "waits for slower rank",
  "fill-and-drain": "fill and drain",
  idle: "idle",
};
