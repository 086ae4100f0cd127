// The steps that `direct` and `low-latency` share: a row for each token and expert, straight to the owner, and an output
// for each row straight back; the source sums them in the order of a token's choices.

import type { Completion, CostSequence, Dependency } from "@windtunnel/gpu";
import type { SpanName } from "@windtunnel/trace";
import type { Program } from "@windtunnel/virtual-time";
import type { DispatchPattern, ExchangeLoad, ExchangeSteps } from "../pattern.ts";
import type { RankExchange } from "../rank-exchange.ts";
import { rowMessageBytes, rowReturnBytes } from "../row-message.ts";

type Least = NonNullable<DispatchPattern["least"]>;

/** Holds a step's first kernel back, as where buffers are taken; gives it back when the step's data has arrived. */
export interface Buffers {
  take(exchange: RankExchange): readonly Dependency[];
  release(exchange: RankExchange, done: Dependency): void;
}

/** `kernels` are the pattern's, for the same loads as its promises. */
export function rowExchangeSteps(exchange: RankExchange, kernels: Least, buffers?: Buffers): ExchangeSteps {
  const { shape } = exchange;
  const kernel = (name: SpanName, cost: CostSequence, after: readonly Dependency[]): Completion =>
    exchange.kernel({ name, cost, after });
  const own: ExchangeLoad = { tokens: exchange.tokens, rows: exchange.tokens * shape.choicesPerToken };
  let arrivedRows = 0;
  return {
    *sendDispatch(after) {
      const free = buffers?.take(exchange) ?? [];
      const sent = kernel("dispatch.send", kernels.send("dispatch", shape, own), [after, ...free]);
      exchange.sendAllRows(sent, (rows) => rowMessageBytes(shape, rows));
    },
    *receiveDispatch() {
      const kept = { tokens: 0, rows: exchange.ownRows };
      const least = kernels.receive("dispatch", shape, kept);
      const arrived = yield* exchange.receiveAllRows(least);
      arrivedRows = arrived.rows;
      const cost = kernels.receive("dispatch", shape, { tokens: 0, rows: arrivedRows });
      const received = kernel("dispatch.receive", cost, [arrived]);
      buffers?.release(exchange, received);
      return received;
    },
    *sendCombine(after) {
      const free = buffers?.take(exchange) ?? [];
      const cost = kernels.send("combine", shape, { tokens: 0, rows: arrivedRows });
      const sent = kernel("combine.send", cost, [after, ...free]);
      exchange.sendAllOutputs(sent, (rows) => rowReturnBytes(shape, rows));
    },
    *receiveCombine(): Program<Dependency> {
      const cost = kernels.receive("combine", shape, own);
      const arrived = yield* exchange.receiveAllOutputs(cost);
      const received = kernel("combine.receive", cost, [arrived]);
      buffers?.release(exchange, received);
      return received;
    },
  };
}
