// The message that carries one token row, as DeepEP's low-latency kernels lay it out (mechanics §2.3).

import { wireRowBytes } from "@windtunnel/model";
import type { ExchangeShape } from "./pattern.ts";

/** Source token index and padding, in front of each dispatched row. */
export const ROW_HEADER_BYTES = 16;
/** A count of rows for each expert of the target, also when it is zero. */
const COUNT_BYTES = 4;

/** A message of `rows` rows on their way to a rank's experts. */
export function rowMessageBytes(shape: ExchangeShape, rows: number): number {
  const row = ROW_HEADER_BYTES + wireRowBytes(shape.wire.dispatch, shape.hiddenSize);
  return rows * row + COUNT_BYTES * shape.expertsPerRank;
}

/** A message of `rows` outputs on their way back. */
export function rowReturnBytes(shape: ExchangeShape, rows: number): number {
  return rows * wireRowBytes(shape.wire.combine, shape.hiddenSize) + COUNT_BYTES * shape.expertsPerRank;
}
