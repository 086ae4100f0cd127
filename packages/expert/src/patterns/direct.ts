// The baseline: a copy for each token and expert, straight to the owner. Copy kernels on 20 SMs of the communication
// stream write the rows out and gather what arrives; the same on the way back.
// Steps: 1 dispatch, 1 combine. Messages: one for each ordered rank pair and phase.

import { type DispatchPattern, rowExchange } from "../pattern.ts";

/** As DeepEP's normal kernels (mechanics §2.2). */
const COMMUNICATION_SMS = 20;

export const direct: DispatchPattern = {
  ...rowExchange,
  name: "direct",
  stream: "communication",
  sms: COMMUNICATION_SMS,
};
