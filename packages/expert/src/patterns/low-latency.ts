// DeepEP's low-latency mode (mechanics §2.3): one row for each token and expert, straight to the owner, counts behind the
// payload on the same queue pair; no layout, no host wait. A short kernel sends; another, launched when the data is
// needed, packs what arrived. In between the network moves bytes and no SM is held (the receive hook). Two buffers are
// used in turn: at most two results of a rank are outstanding, and a third call waits for the one before the last.
//
// Steps, messages and bytes are those of `direct`: dispatch r · (16 + row(H)) + 4 e, combine r · row(H) + 4 e for each
// ordered pair of ranks. At H = 7168, FP8 out and BF16 back: 7,408 and 14,336 bytes a row. Weights are applied at the
// source, in the order of a token's choices. Inside a node rows take NVLink, or with NVLink off a NIC and a leaf.

import { WorldError } from "@windtunnel/base";
import { ACTIVATION_BYTES, type Dependency, exchangeKernel } from "@windtunnel/gpu";
import type { DispatchPattern } from "../pattern.ts";
import type { RankExchange } from "../rank-exchange.ts";
import { rowMessageBytes, rowReturnBytes } from "../row-message.ts";
import { type Buffers, rowExchangeSteps } from "./row-exchange.ts";

/** Buffers are laid out for a fixed number of tokens per rank; DeepEP recommends less than 256. */
export const LOW_LATENCY_TOKEN_LIMIT = 256;

const BUFFERS = 2;

const kernels: NonNullable<DispatchPattern["least"]> = {
  send: (phase, shape, { tokens, rows }) =>
    phase === "dispatch"
      ? [
          exchangeKernel(
            "low-latency-dispatch",
            tokens * shape.hiddenSize * ACTIVATION_BYTES + rowMessageBytes(shape, rows),
          ),
        ]
      : [exchangeKernel("low-latency-combine", 2 * rowReturnBytes(shape, rows))],
  receive: (phase, shape, { tokens, rows }) =>
    phase === "dispatch"
      ? [exchangeKernel("low-latency-dispatch", 2 * rowMessageBytes(shape, rows))]
      : [
          exchangeKernel(
            "low-latency-combine",
            rowReturnBytes(shape, rows) + tokens * shape.hiddenSize * ACTIVATION_BYTES,
          ),
        ],
};

/** A rank's calls so far, and for either buffer whether it is free again. */
interface Calls {
  count: number;
  readonly buffers: { free: Dependency | undefined }[];
}

const KEY = "low-latency buffers";

function callsOf({ memory }: RankExchange): Calls {
  let calls = memory.get(KEY) as Calls | undefined;
  if (calls === undefined) memory.set(KEY, (calls = { count: 0, buffers: [] }));
  return calls;
}

/** The buffer of an exchange's latest call. */
const bufferOf = new WeakMap<RankExchange, { free: Dependency | undefined }>();

const twoBuffers: Buffers = {
  take(exchange) {
    const calls = callsOf(exchange);
    const call = calls.count++;
    const before = calls.buffers[call % BUFFERS];
    if (before !== undefined && before.free === undefined) {
      throw new WorldError(
        "pattern",
        `low-latency has ${BUFFERS} buffers: rank ${exchange.unit.ranks[exchange.rank]!} begins call ${call} before ` +
          `call ${call - BUFFERS} is received; the schedule keeps more than ${BUFFERS} results outstanding`,
      );
    }
    const buffer = { free: undefined };
    calls.buffers[call % BUFFERS] = buffer;
    bufferOf.set(exchange, buffer);
    return before?.free === undefined ? [] : [heldBy(before.free)];
  },
  release(exchange, done) {
    bufferOf.get(exchange)!.free = done;
  },
};

/** What waits for it waits for a buffer. */
function heldBy({ at, cause }: Dependency): Dependency {
  return { at, cause: cause.kind === "event" ? { kind: "buffer", span: cause.span } : cause };
}

export const lowLatency: DispatchPattern = {
  name: "low-latency",
  receivesOnly: true,
  sms: null,
  tokenLimit: LOW_LATENCY_TOKEN_LIMIT,
  least: kernels,
  open: (exchange) => rowExchangeSteps(exchange, kernels, twoBuffers),
};
