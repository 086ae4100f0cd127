// The baseline: a copy for each token and expert, straight to the owner. Copy kernels on 20 SMs of the communication
// stream write the rows out and gather what arrives; the same on the way back.
//
// Steps: dispatch, combine. Messages: one for each ordered pair of ranks and phase. Bytes of one, for r rows to a rank
// with e experts at hidden size H: dispatch r · (16 + row(H)) + 4 e, combine r · row(H) + 4 e. Over a unit of R ranks
// with T tokens each and k choices, the rows are R · T · k, of which balanced routing leaves 1 / R at home.

import { ACTIVATION_BYTES, exchangeKernel } from "@windtunnel/gpu";
import type { DispatchPattern } from "../pattern.ts";
import { rowMessageBytes, rowReturnBytes } from "../row-message.ts";
import { rowExchangeSteps } from "./row-exchange.ts";

export interface DirectOptions {
  /** SMs of its copy kernels: 20, as DeepEP's normal kernels have (mechanics §2.2). */
  readonly sms: number;
}

/** The source reads its tokens once and writes every row; the owner gathers rows; outputs are copied out and summed. */
const kernels: NonNullable<DispatchPattern["least"]> = {
  send: (phase, shape, { tokens, rows }) =>
    phase === "dispatch"
      ? [exchangeKernel("copy", tokens * shape.hiddenSize * ACTIVATION_BYTES + rowMessageBytes(shape, rows))]
      : [exchangeKernel("copy", rowReturnBytes(shape, rows))],
  receive: (phase, shape, { tokens, rows }) =>
    phase === "dispatch"
      ? [exchangeKernel("copy", rowMessageBytes(shape, rows))]
      : [exchangeKernel("copy", rowReturnBytes(shape, rows) + tokens * shape.hiddenSize * ACTIVATION_BYTES)],
};

export function createDirect({ sms }: DirectOptions): DispatchPattern {
  return {
    name: "direct",
    sms,
    receivesOnly: true,
    least: kernels,
    open: (exchange) => rowExchangeSteps(exchange, kernels),
  };
}
