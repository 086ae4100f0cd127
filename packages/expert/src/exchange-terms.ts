// What a pattern and an exchange tell each other: contents of messages, kernels, sending, receiving, relays. Types, and the
// number of parts that a phase may have.

import type { Duration, Instant, Payload } from "@windtunnel/base";
import type { Completion, CostSequence, Dependency } from "@windtunnel/gpu";
import type { SpanName, StreamName } from "@windtunnel/trace";
import type { Program } from "@windtunnel/virtual-time";
import type { ArrivedRows } from "./dispatch-rows.ts";
import type { TokenPayload, TokenSet } from "./token-set.ts";

/** The arithmetic of an executed layer; absent where only time passes. */
export interface ExchangeMath {
  /** Rows for each rank of the unit. */
  packRows(): readonly Payload[];
  packTokens(): TokenPayload;
  runRows(arrived: readonly ArrivedRows[]): readonly Payload[];
  runTokens(arrived: readonly TokenSet[]): readonly TokenSet[];
  sumTokens(sets: readonly TokenSet[]): TokenSet;
  combineRows(returned: readonly Payload[]): void;
  combineTokens(sets: readonly TokenSet[]): void;
}

/** Exchanges of one phase that a pattern may tell apart: stages, slices. */
export const PARTS = 64;

export interface Kernel {
  readonly name: SpanName;
  readonly cost: CostSequence;
  readonly after: readonly Dependency[];
  readonly stream?: StreamName;
  readonly sms?: number;
  /** Part of a kernel that runs already: no launch. */
  readonly resident?: true;
  /** It runs at least so long, whatever it costs. */
  readonly lasts?: Duration;
}

export interface Message<Content> {
  /** Rank of the unit. */
  readonly to: number;
  /** Timed bytes. */
  readonly bytes: number;
  readonly content: Content;
}

export interface Sending<Content> {
  /** The kernel that made the data, … */
  readonly after: Completion;
  /** … and when it hands it over, where that is not its end. */
  readonly at?: Instant;
  readonly part?: number;
  readonly messages: readonly Message<Content>[];
}

export interface Receiving {
  readonly from: readonly number[];
  readonly part?: number;
  /** Kernels that run at least before this program sends again; on so many SMs at most where they are a pattern's, all unless given. */
  readonly least?: CostSequence;
  readonly sms?: number;
  /** Ranks that it sends to first: `least` holds for those. All unless given. */
  readonly to?: readonly number[];
  /** Kernels that run at least before it sends to any others. Absent: it sends to no others. */
  readonly leastBeyond?: CostSequence;
  /** Of a relay: kernels that it still runs at least. What its rank sends after the relay's end comes behind them. */
  readonly leastToEnd?: CostSequence;
}

/**
 * What follows a step on its rank: kernels that run at least before it sends again, or a report. Then it sends to no other rank
 * before it has a new plan.
 */
export type FollowedBy = CostSequence | "report";

export interface Arrived<Content> extends Dependency {
  /** By source, ascending. */
  readonly messages: readonly { readonly from: number; readonly content: Content }[];
}

/** What a program beside the steps waits with: it promises nothing of what follows a step. */
export interface Relay {
  receive<Content>(receiving: Receiving): Program<Arrived<Content>>;
}

/** A program that a pattern runs beside its steps. */
export interface Beside {
  /** Waits for its end. Every one must be waited for before the receiving step of its phase is over. */
  join(least?: CostSequence): Program;
}
