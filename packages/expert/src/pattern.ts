// The interface of dispatch patterns. A pattern is a program for one exchange on one rank, in four steps that a schedule
// calls in this order: rows leave, rows arrive, outputs leave, outputs arrive. It decides what travels where, over which
// relays, and what its kernels cost; the exchange (`rank-exchange.ts`) carries it out. Bytes and kernels are of the timed
// model; what is executed rides along. It knows no schedule and no layer.

import { inputError } from "@windtunnel/base";
import type { CostSequence, Dependency } from "@windtunnel/gpu";
import type { WirePrecision } from "@windtunnel/model";
import type { Program } from "@windtunnel/virtual-time";
import type { RankExchange } from "./rank-exchange.ts";

export interface ExchangeShape {
  /** Hidden size of the timed model. */
  readonly hiddenSize: number;
  readonly wire: WirePrecision;
  /** Physical experts on each rank. */
  readonly expertsPerRank: number;
  readonly choicesPerToken: number;
}

/** What one rank sends or receives in one exchange. */
export interface ExchangeLoad {
  /** Tokens of the rank's micro-batch; 0 where only rows count. */
  readonly tokens: number;
  readonly rows: number;
}

export interface DispatchPattern {
  /** Shown in traces, summaries and errors. */
  readonly name: string;
  /**
   * SMs that its kernels hold while they run; a schedule that overlaps takes them from computing kernels. Null: its
   * kernels are short and take the whole GPU.
   */
  readonly sms: number | null;
  /** Most tokens of a rank in one exchange; absent: any number. */
  readonly tokenLimit?: number;
  /**
   * Whether it sends to other nodes along rails only: to the rank there that `Unit.relayOf` gives for this one, and back. Then no
   * plane hands on to NVLink where nodes have as many ranks, and hosts need not wait for each other where it might.
   */
  readonly alongRails?: true;
  /**
   * Whether its receiving steps send nothing themselves, as where relays do. Then a rank whose last combine is under way is
   * known to send nothing to others before its next plan.
   */
  readonly receivesOnly?: true;
  /** Whether the host waits for something in an exchange, which no captured graph can hold. */
  readonly hostWaits?: true;
  /** Opens one exchange on one rank. Called once for each layer and micro-batch. */
  open(exchange: RankExchange): ExchangeSteps;
  /**
   * Kernels that run at least between having data and handing over the first message, and between the last arrival and
   * what follows. They lengthen the windows in which hosts run apart; absent: nothing is promised.
   */
  readonly least?: {
    readonly send: (phase: "dispatch" | "combine", shape: ExchangeShape, load: ExchangeLoad) => CostSequence;
    readonly receive: (
      phase: "dispatch" | "combine",
      shape: ExchangeShape,
      load: ExchangeLoad,
    ) => CostSequence;
  };
}

/** Each step may issue kernels, send, and wait; a wait blocks the rank's host program. */
export interface ExchangeSteps {
  /** `after`: the gate. */
  sendDispatch(after: Dependency): Program;
  /** Ends when every row for this rank's experts is kept; gives what the experts wait for. */
  receiveDispatch(): Program<Dependency>;
  /** `after`: the experts. */
  sendCombine(after: Dependency): Program;
  /** Kernels that run at least before `sendCombine` sends, as is known once experts are issued; in place of `least.send`. */
  leastOfCombine?(): CostSequence;
  /** Ends when every output for this rank's tokens is accepted; gives what the residual waits for. */
  receiveCombine(): Program<Dependency>;
}

/** Refuses micro-batches above a pattern's fixed buffers. */
export function checkTokenLimit(tokens: number, { name, tokenLimit }: DispatchPattern): void {
  if (tokenLimit === undefined || tokens <= tokenLimit) return;
  throw inputError(`${name} takes at most ${tokenLimit} tokens per rank and exchange, not ${tokens}`, {
    found: tokens,
    path: "run",
    allowed: `at most ${tokenLimit} in a micro-batch: fewer requests per GPU, decode in five stages, or another pattern`,
  });
}

export const STEPS = ["sendDispatch", "receiveDispatch", "sendCombine", "receiveCombine"] as const;

/** Checks what a pattern's `open` gave. */
export function checkSteps(steps: unknown, pattern: string, file?: string): ExchangeSteps {
  for (const step of STEPS) {
    const found = (steps as Record<string, unknown> | null | undefined)?.[step];
    if (typeof found === "function") continue;
    throw inputError(`pattern ${pattern}: open() gives no step ${step}`, {
      ...(file === undefined ? {} : { file }),
      path: step,
      found: found === undefined ? "nothing" : typeof found,
      allowed: `generator functions ${STEPS.join(", ")}`,
    });
  }
  return steps as ExchangeSteps;
}
