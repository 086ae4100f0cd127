// The interface of dispatch patterns: what a rank pair's exchange weighs, and what its kernels cost.
// All numbers are of the timed model; what is executed rides along.

import { WorldError } from "@windtunnel/base";
import { ACTIVATION_BYTES, type CostSequence, memoryKernel } from "@windtunnel/gpu";
import { type WirePrecision, wireRowBytes } from "@windtunnel/model";
import type { StreamName } from "@windtunnel/trace";

export interface ExchangeShape {
  /** Hidden size of the timed model. */
  readonly hiddenSize: number;
  readonly wire: WirePrecision;
  /** Experts on each rank. */
  readonly expertsPerRank: number;
}

/** What one rank sends or receives in one exchange. */
export interface ExchangeLoad {
  /** Tokens of the rank's micro-batch; 0 where only rows count. */
  readonly tokens: number;
  readonly rows: number;
}

export interface DispatchPattern {
  readonly name: "direct" | "low-latency";
  /** Where its kernels run. */
  readonly stream: StreamName;
  /** SMs that its kernels hold; null: all of them, for a short time. */
  readonly sms: number | null;
  /** Bytes from one rank to another that get `rows` rows. */
  dispatchBytes(shape: ExchangeShape, rows: number): number;
  combineBytes(shape: ExchangeShape, rows: number): number;
  dispatchSend(shape: ExchangeShape, load: ExchangeLoad): CostSequence;
  dispatchReceive(shape: ExchangeShape, load: ExchangeLoad): CostSequence;
  combineSend(shape: ExchangeShape, load: ExchangeLoad): CostSequence;
  combineReceive(shape: ExchangeShape, load: ExchangeLoad): CostSequence;
}

/** Source token index and padding, in front of each dispatched row (DeepEP's low-latency message). */
export const ROW_HEADER_BYTES = 16;
/** A count of rows for each expert of the target, also when it is zero. */
const COUNT_BYTES = 4;

function rowMessageBytes(shape: ExchangeShape, rows: number): number {
  const row = ROW_HEADER_BYTES + wireRowBytes(shape.wire.dispatch, shape.hiddenSize);
  return rows * row + COUNT_BYTES * shape.expertsPerRank;
}

function rowReturnBytes(shape: ExchangeShape, rows: number): number {
  return rows * wireRowBytes(shape.wire.combine, shape.hiddenSize) + COUNT_BYTES * shape.expertsPerRank;
}

/**
 * Bytes and kernels of patterns that send a row for each token and expert, straight to the owner: the source reads its
 * tokens once and writes every row; the owner gathers rows by expert; outputs are copied out and summed at the source.
 */
export const rowExchange: Omit<DispatchPattern, "name" | "stream" | "sms"> = {
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

/** Refuses micro-batches above a pattern's fixed buffers. */
export function checkTokenLimit(tokens: number, limit: number, pattern: string): void {
  if (tokens > limit) {
    throw new WorldError(
      "input",
      `${pattern} takes at most ${limit} tokens per rank and exchange, not ${tokens}`,
      {
        found: tokens,
        path: "run",
        allowed: `at most ${limit} in a micro-batch: fewer requests per GPU, decode in five stages, or dispatch: direct`,
      },
    );
  }
}
