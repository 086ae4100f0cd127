// DeepEP's low-latency mode (mechanics §2.3): one message for each token and expert, straight to the owner, counts
// behind the payload; no layout, no host wait. A short kernel sends; another, launched when the data is needed, packs
// what arrived. In between the network moves bytes and no SM is held.
// Steps: 1 dispatch, 1 combine. Weights are applied at the source, in the order of a token's choices.

import { ACTIVATION_BYTES, memoryKernel } from "@windtunnel/gpu";
import { type DispatchPattern, rowMessageBytes, rowReturnBytes } from "../pattern.ts";

/** Buffers are laid out for a fixed number of tokens per rank; DeepEP recommends less than 256. */
export const LOW_LATENCY_TOKEN_LIMIT = 256;

export const lowLatency: DispatchPattern = {
  name: "low-latency",
  stream: "compute",
  sms: null,
  dispatchBytes: rowMessageBytes,
  combineBytes: rowReturnBytes,
  // The cast to FP8 is fused: each token is read once and written to its experts' messages.
  dispatchSend: (shape, { tokens, rows }) => [
    memoryKernel(tokens * shape.hiddenSize * ACTIVATION_BYTES + rowMessageBytes(shape, rows)),
  ],
  dispatchReceive: (shape, { rows }) => [memoryKernel(2 * rowMessageBytes(shape, rows))],
  combineSend: (shape, { rows }) => [memoryKernel(2 * rowReturnBytes(shape, rows))],
  combineReceive: (shape, { tokens, rows }) => [
    memoryKernel(rowReturnBytes(shape, rows) + tokens * shape.hiddenSize * ACTIVATION_BYTES),
  ],
};
