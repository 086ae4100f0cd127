// What scheduler and ranks tell each other. Plain data, since it crosses hosts.

import type { Instant } from "@windtunnel/base";

export type StepKind = "prefill" | "decode";

export interface PlannedRequest {
  readonly request: number;
  /** The prompt, or the token that the request was given last and those that are guessed to follow it. */
  readonly tokens: readonly number[];
  /** Set when the request comes to its rank: positions that it will have at most. */
  readonly admit?: {
    readonly positions: number;
    /** Positions whose keys and values are drawn instead of prefilled. */
    readonly drawnPositions: number;
    /** Of a decode step's positions, those that stay in the cache, on average; missing: all. */
    readonly acceptedPerStep?: number;
  };
  /** This step is the request's last. */
  readonly last: boolean;
}

/** A step for one rank; all ranks get one for every step. */
export type Plan =
  | { readonly kind: StepKind; readonly step: number; readonly requests: readonly PlannedRequest[] }
  | { readonly kind: "end" };

export interface StepReport {
  readonly rank: number;
  readonly step: number;
  readonly start: Instant;
  readonly end: Instant;
  /** The new token of each planned request, in their order. */
  readonly newTokens: readonly number[];
}
