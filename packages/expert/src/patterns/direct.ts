// The baseline: a copy for each token and expert, straight to the owner. Copy kernels on 20 SMs of the communication
// stream write the rows out and gather what arrives; the same on the way back.
// Steps: 1 dispatch, 1 combine. Messages: one for each ordered rank pair and phase.

import { ACTIVATION_BYTES, memoryKernel } from "@windtunnel/gpu";
import { type DispatchPattern, rowMessageBytes, rowReturnBytes } from "../pattern.ts";

/** As DeepEP's normal kernels (mechanics §2.2). */
const COMMUNICATION_SMS = 20;

export const direct: DispatchPattern = {
  name: "direct",
  stream: "communication",
  sms: COMMUNICATION_SMS,
  dispatchBytes: rowMessageBytes,
  combineBytes: rowReturnBytes,
  dispatchSend: (shape, { tokens, rows }) => [
    memoryKernel(tokens * shape.hiddenSize * ACTIVATION_BYTES + rowMessageBytes(shape, rows)),
  ],
  dispatchReceive: (shape, { rows }) => [memoryKernel(2 * rowMessageBytes(shape, rows))],
  combineSend: (shape, { rows }) => [memoryKernel(2 * rowReturnBytes(shape, rows))],
  combineReceive: (shape, { tokens, rows }) => [
    memoryKernel(rowReturnBytes(shape, rows) + tokens * shape.hiddenSize * ACTIVATION_BYTES),
  ],
};
