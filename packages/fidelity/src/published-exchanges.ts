// All-to-alls that DeepEP published, as data: its low-latency and its normal kernels on H800 with ConnectX-7, hidden
// 7168, top-8, FP8 dispatch, BF16 combine. Eight numbers are for the calibration; the others are never fitted to.

/** As published: a time, or DeepEP's logical bandwidth. */
export type PublishedPhase = { readonly us: number } | { readonly logicalGBps: number };

export interface PublishedExchange {
  /** Its name in tables: "P2". */
  readonly id: string;
  readonly pattern: "normal" | "low-latency";
  readonly ranks: number;
  /** Whether ranks of a node reach each other over NVLink; always so in normal mode. */
  readonly nvlink: boolean;
  readonly dispatch: PublishedPhase;
  readonly combine: PublishedPhase;
  readonly source: string;
  /** Why ours differs, or what the publication leaves open. */
  readonly notes?: { readonly dispatch?: string; readonly combine?: string };
}

const LEGACY = "DeepEP 0297fc80, docs/legacy.md";
const FIRST_RELEASE = "DeepEP, README of the first release, February 2025";

/**
 * The calibration's eight numbers. Of normal mode bandwidths are published: 153 and 158 GB/s for EP8, 58 and 57 for EP32.
 * The times follow by the copies that DeepEP counts for a token, 5.295 ranks inside a node and 3.614 nodes of four.
 */
export const CALIBRATION_EXCHANGES: readonly PublishedExchange[] = [
  lowLatency("LL16", 16, [118, 195]),
  lowLatency("LL32", 32, [155, 273]),
  normal("N8", 8, { us: 1048 }, { us: 1968 }),
  normal("N32", 32, { us: 1887 }, { us: 3723 }),
];

const RATE_OF_NIC =
  "The emulated NIC runs at its full 50 GB/s whenever it has a message. Where everything crosses it, the published runs " +
  "get 39 to 41 GB/s out of it, fixed times included, and ours up to 44; what they lose is not published.";
const ONE_MEASUREMENT =
  "The table of June 2025, after NVLink was put to use, repeats this row of the first release to the microsecond: it may " +
  "be the older measurement.";
const COPYING_FORWARDERS =
  "Ours is bound by the SMs that forward, at the rate that is fitted to EP8 and EP32. The published run does not get " +
  "there; what its two hops cost each other is not published, and its buffers are tuned for each degree.";
const SENT_WHOLE =
  "Ours sends over NVLink when its sending kernel has ended; the real one stores to its peers while it still reads.";

const WHOLE_MESSAGES =
  "A message is all rows of a rank pair here, and messages queue whole at a NIC, first in, first out: about 6 µs beyond " +
  "the bytes. Published rows travel one by one and pass between each other.";

/**
 * Rows of the prediction, never fitted to. The kernels of the first release sent everything over the NICs, also inside a
 * node; the later ones use NVLink there (DeepEP, pull request 173).
 */
export const PREDICTION_EXCHANGES: readonly PublishedExchange[] = [
  { ...lowLatency("P2", 8, [77, 114]), notes: { combine: SENT_WHOLE } },
  // 43 and 43 GB/s, 1.993 nodes.
  {
    ...normal("P4", 16, { us: 1403 }, { us: 2722 }),
    notes: { dispatch: COPYING_FORWARDERS, combine: COPYING_FORWARDERS },
  },
  normal("N64", 64, { logicalGBps: 51 }, { logicalGBps: 50 }),
  lowLatency("LL64", 64, [173, 314]),
  {
    ...lowLatency("LL128", 128, [192, 369]),
    notes: { dispatch: ONE_MEASUREMENT, combine: `${RATE_OF_NIC} ${ONE_MEASUREMENT}` },
  },
  { ...lowLatency("LL256", 256, [194, 360]), notes: { dispatch: ONE_MEASUREMENT, combine: ONE_MEASUREMENT } },
  { ...overNics(8, [163, 318]), notes: { combine: RATE_OF_NIC } },
  {
    ...overNics(16, [173, 329]),
    notes: { dispatch: WHOLE_MESSAGES },
  },
  overNics(32, [182, 350]),
  overNics(64, [186, 353]),
  { ...overNics(128, [192, 369]), notes: { combine: RATE_OF_NIC } },
  { ...overNics(256, [194, 360]), notes: { combine: RATE_OF_NIC } },
];

type Times = readonly [dispatchUs: number, combineUs: number];

function lowLatency(id: string, ranks: number, [dispatch, combine]: Times): PublishedExchange {
  const times = { dispatch: { us: dispatch }, combine: { us: combine } };
  return { id, pattern: "low-latency", ranks, nvlink: true, ...times, source: LEGACY };
}

function overNics(ranks: number, times: Times): PublishedExchange {
  return { ...lowLatency(`RDMA${ranks}`, ranks, times), nvlink: false, source: FIRST_RELEASE };
}

function normal(
  id: string,
  ranks: number,
  dispatch: PublishedPhase,
  combine: PublishedPhase,
): PublishedExchange {
  return { id, pattern: "normal", ranks, nvlink: true, dispatch, combine, source: LEGACY };
}
