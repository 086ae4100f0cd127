// DeepEP's low-latency mode (mechanics §2.3): one message for each token and expert, straight to the owner, counts
// behind the payload; no layout, no host wait. A short kernel sends; another, launched when the data is needed, packs
// what arrived. In between the network moves bytes and no SM is held.
// Steps: 1 dispatch, 1 combine. Weights are applied at the source, in the order of a token's choices.

import { type DispatchPattern, rowExchange } from "../pattern.ts";

/** Buffers are laid out for a fixed number of tokens per rank; DeepEP recommends less than 256. */
export const LOW_LATENCY_TOKEN_LIMIT = 256;

export const lowLatency: DispatchPattern = {
  ...rowExchange,
  name: "low-latency",
  stream: "compute",
  sms: null,
};
