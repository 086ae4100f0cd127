// What a rank's program needs besides time: rows of micro-batches with their routing, and new tokens. Either a model is
// executed (`executed-work.ts`) or routing is drawn and nothing is computed (`drawn-work.ts`, `math: skip`).

import type { DispatchLayout } from "@windtunnel/router";
import type { MicroBatchMath } from "./micro-batch-math.ts";
import type { PlannedRequest, StepKind } from "./plan.ts";

/** A request's part in a micro-batch: its tokens of this step, or some of them. */
export interface BatchPart extends Pick<PlannedRequest, "request" | "tokens"> {
  /** Tokens of the request that come before these in the same step, in the other micro-batch. */
  readonly before?: number;
}

export interface MicroBatchRows {
  readonly rowCount: number;
  /** Which experts the rows go to, by the layer that routes. */
  layoutOf(layer: number): DispatchLayout;
  /** Undefined where nothing is executed. */
  readonly math: MicroBatchMath | undefined;
}

export interface RowsPlace {
  readonly step: number;
  readonly kind: StepKind;
  readonly microBatch: number;
  /** Rows of the step that stand before these. */
  readonly firstRow: number;
}

export interface RankWork {
  /** A request comes to live on the rank. */
  admit(request: PlannedRequest): void;
  release(request: number): void;
  /** Positions of a request that are cached when a step begins. */
  cachedPositions(request: number): number;
  rowsOf(parts: readonly BatchPart[], place: RowsPlace): MicroBatchRows;
  /** Puts the embeddings of a step's tokens in place. */
  embed(tokens: readonly number[]): void;
  /** The new token of each request, after all layers. */
  newTokens(requests: readonly PlannedRequest[]): number[];
}
