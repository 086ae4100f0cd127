// Steps and layers that others measured on real clusters, as data: what was run, what was published, and what is known of
// the rest. None is ever fitted to. Which of them are gated was written down before the first comparison: those whose
// configuration is complete but for the gate's unevenness. `open` says what a publication leaves open.

import type { StepConditions } from "./step-scenario.ts";

/** What a row compares: time of a layer or of a step, or tokens per second of a GPU or a node of 8. */
export type StepMeasure = "layer" | "step" | "perGpu" | "perNode";

export interface PublishedStep {
  /** Its part in tables: "P8". Rows of one part have the same. */
  readonly id: string;
  readonly quantity: string;
  readonly conditions: StepConditions;
  readonly measure: StepMeasure;
  readonly published: number;
  /** Tokens that a step gives a request: 1.6 with multi-token prediction; absent: one for each position. */
  readonly acceptedPerStep?: number;
  readonly isGated: boolean;
  readonly source: string;
  readonly note?: string;
  /** What the publication says of parts of a layer, in microseconds. Shown, never gated. */
  readonly parts?: readonly PublishedPart[];
}

/**
 * `dispatch` and `combine`: from the sending kernel's start to the receiving one's end, of one micro-batch (`each`) or of
 * both; `experts`: their span; `core`: the attention cores' kernels; `products`: all other matrix products.
 */
export interface PublishedPart {
  readonly part: "dispatch" | "combine" | "experts" | "core" | "products";
  readonly of: "each" | "both";
  readonly us: number;
  readonly note: string;
}

/** The ratio of two steps' throughputs, the first over the second. */
export interface PublishedRatio extends Omit<
  PublishedStep,
  "conditions" | "measure" | "published" | "acceptedPerStep" | "parts"
> {
  readonly over: StepConditions;
  readonly under: StepConditions;
  /** Two numbers: a range. */
  readonly published: number | readonly [number, number];
}

const PROFILE = "deepseek-ai/profile-data, decode and prefill";
const SGLANG = "lm-sys/lm-sys.github.io, blog/2025-05-05-large-scale-ep.md";
const SGLANG_MTP = "lm-sys/lm-sys.github.io, blog/2025-07-17-mtp.md";
const RTP_LLM = "rtp-llm.ai, DeepSeek Replay Tech Report";

const OLDER_KERNELS =
  "GEMMs are fitted to DeepGEMM's table of April 2025; those of the training trace, two months older and beside " +
  "communication, take 14 % longer in the median (calibration). Of the trace's forward kernels, 4 % have no name in the " +
  "publication and 5 % are casts that training alone may need: neither are in ours.";
const SMALL_KERNELS =
  "Two cores of 128 query positions at 4,096 take 584 µs by the kernel table that ours is fitted to and 502 µs in the " +
  "profile; its experts take a third longer than DeepGEMM's own table says.";
const SCHEDULER =
  "What SGLang does between two steps on the host is not in the model. For one batch of a much smaller deployment it is " +
  "published as 6 ms (H200 below); how much it is here is not.";
const REAL_GATE =
  "The real gate with EPLB fitted to its loads is drawn here as even in expectation; how uneven it stayed is published as a " +
  "picture only. In prefill the same engine loses 15 % to it.";
const ENGINE_KERNELS =
  "SGLang's activation and cast are two kernels here too (timing.fusedActivation: false). It has more that ours has not: " +
  "scales aligned for TMA; and its authors see kernels slow down beside communication more than by the SMs that they lose.";

/** H800, EP128, 2 × 64 requests with 2 positions each; no NVLink in the low-latency kernels of early 2025. */
const P8: StepConditions = {
  kind: "decode",
  gpu: "h800",
  nodes: 16,
  redundantExperts: 0,
  gate: "balanced",
  schedule: "five-stage",
  requestsPerGpu: 128,
  positions: 4096,
  positionsPerRequest: 2,
  nvlink: false,
};

/** H800, EP32, 4 prompts of 4,096, 108 + 24 SMs. */
const P11: StepConditions = {
  kind: "prefill",
  gpu: "h800",
  nodes: 4,
  redundantExperts: 0,
  gate: "balanced",
  schedule: "dual-batch",
  requestsPerGpu: 4,
  positions: 4096,
};

/** H100, EP72, 4 experts of 288 on a GPU; May 2025. */
export function sglangDecode(
  schedule: "two-batch-sglang" | "sequential",
  requestsPerGpu: number,
): StepConditions {
  return {
    kind: "decode",
    gpu: "h100",
    nodes: 9,
    redundantExperts: 32,
    gate: "gate-like",
    schedule,
    requestsPerGpu,
    positions: 2000,
    nvlink: false,
  };
}

function sglangMtp(schedule: "two-batch-sglang" | "sequential"): StepConditions {
  return { ...sglangDecode(schedule, 128), positions: 4000, positionsPerRequest: 2 };
}

/** H100, EP32, 9 experts of 288 on a GPU. */
function sglangPrefill(
  schedule: "two-batch-sglang" | "sequential",
  requestsPerGpu: number,
  positions: number,
): StepConditions {
  return {
    kind: "prefill",
    gpu: "h100",
    nodes: 4,
    redundantExperts: 32,
    gate: "gate-like",
    schedule,
    requestsPerGpu,
    positions,
    fusedActivation: false,
  };
}

/** EP16 on H200, 2 requests of 65,536 tokens that grow by 4,096: 67,584 cached on average. */
const H200: StepConditions = {
  kind: "decode",
  gpu: "h200",
  nodes: 2,
  redundantExperts: 32,
  gate: "gate-like",
  schedule: "sequential",
  requestsPerGpu: 2,
  positions: 67_584,
};

/** H800 over RoCE. */
const RTP_PREFILL: StepConditions = {
  ...sglangPrefill("two-batch-sglang", 2, 4096),
  gpu: "h800",
  schedule: "dual-batch",
  network: "roce",
};
const RTP_DECODE: StepConditions = {
  ...sglangDecode("two-batch-sglang", 92),
  gpu: "h800",
  nodes: 18,
  schedule: "five-stage",
  positions: 5000,
  launch: "kernels",
  network: "roce",
};

export const PUBLISHED_STEPS: readonly (PublishedStep | PublishedRatio)[] = [
  {
    id: "P8",
    quantity: "decode, one layer, both micro-batches",
    conditions: P8,
    measure: "layer",
    published: 1422,
    isGated: true,
    source: PROFILE,
    note: `${SMALL_KERNELS} ${OLDER_KERNELS}`,
    parts: [
      { part: "dispatch", of: "each", us: 187, note: "Shown. The other micro-batch's projections fill it." },
      {
        part: "combine",
        of: "each",
        us: 394,
        note:
          "Shown. Ours ends with the receiving kernel, which this schedule launches after the other micro-batch's dispatch " +
          "and shared experts; up to that dispatch it is some 0.4 ms.",
      },
      { part: "core", of: "both", us: 502, note: `Shown. ${SMALL_KERNELS}` },
      { part: "experts", of: "both", us: 242.5, note: `Shown. ${SMALL_KERNELS}` },
    ],
  },
  {
    id: "P9",
    quantity: "decode, 61 layers",
    conditions: P8,
    measure: "step",
    published: 87_300,
    isGated: true,
    source: PROFILE,
    note:
      "The 61 layers of the model, embedding and head. The layer that predicts the second position is not modelled, and is " +
      `not in the published figure either: 61 of its layers are 86.7 ms. ${SMALL_KERNELS}`,
  },
  {
    id: "P11",
    quantity: "prefill, one layer, 16,384 tokens",
    conditions: P11,
    measure: "layer",
    published: 34_630,
    isGated: true,
    source: PROFILE,
    note: OLDER_KERNELS,
    parts: [
      {
        part: "dispatch",
        of: "both",
        us: 9470,
        note: "Shown. The published kernels wait for each other while they hold their SMs; ours begin when all may.",
      },
      {
        part: "combine",
        of: "both",
        us: 17_250,
        note: "Shown. The published kernels wait for each other while they hold their SMs; ours begin when all may.",
      },
      {
        part: "experts",
        of: "both",
        us: 12_390,
        note: "Shown. Ours contains expanding and summing tokens; whether the published one does is not said.",
      },
      { part: "core", of: "both", us: 5640, note: "Shown." },
      { part: "products", of: "both", us: 8430, note: `Shown. ${OLDER_KERNELS}` },
    ],
  },
  {
    id: "P12",
    quantity: "prefill, tokens per second and GPU",
    conditions: P11,
    measure: "perGpu",
    published: 7839,
    isGated: true,
    source: PROFILE,
    note: OLDER_KERNELS,
  },
  {
    id: "P13",
    quantity: "decode, tokens per second and GPU at 1.6 tokens a step",
    conditions: P8,
    measure: "perGpu",
    published: 2324,
    acceptedPerStep: 1.6,
    isGated: true,
    source: PROFILE,
    note:
      "Published is 128 · 1.6 tokens in 88.1 ms: the 87.3 ms of P9 and 0.8 ms for everything else, less than the layer that " +
      `predicts would take. ${SMALL_KERNELS}`,
  },
  {
    id: "T1",
    quantity: "decode, EP72, two batches of 128, tokens per second and node",
    conditions: sglangDecode("two-batch-sglang", 256),
    measure: "perNode",
    published: 22_310,
    isGated: true,
    source: SGLANG,
    note: `${SCHEDULER} ${REAL_GATE}`,
  },
  {
    id: "T1",
    quantity: "decode, EP72, 256 requests, gain of two batches over one",
    over: sglangDecode("two-batch-sglang", 256),
    under: sglangDecode("sequential", 256),
    published: 1.255,
    isGated: true,
    source: SGLANG,
    note: `${SCHEDULER} It shortens every gain. ${REAL_GATE}`,
  },
  {
    id: "T2",
    quantity: "decode with two positions, EP72, two batches of 64, tokens per second and node",
    conditions: sglangMtp("two-batch-sglang"),
    measure: "perNode",
    published: 17_552,
    acceptedPerStep: 1.6,
    isGated: true,
    source: SGLANG,
    note: `${SCHEDULER} ${REAL_GATE}`,
  },
  {
    id: "T2",
    quantity: "decode with two positions, EP72, one batch of 128, tokens per second and node",
    conditions: sglangMtp("sequential"),
    measure: "perNode",
    published: 12_929,
    acceptedPerStep: 1.6,
    isGated: true,
    source: SGLANG,
    note: `${SCHEDULER} ${REAL_GATE}`,
  },
  {
    id: "T3",
    quantity: "decode, EP72, 32 requests, gain of two batches over one",
    over: sglangDecode("two-batch-sglang", 32),
    under: sglangDecode("sequential", 32),
    published: 0.73,
    isGated: true,
    source: SGLANG,
  },
  {
    id: "T4",
    quantity: "prefill, EP32, even experts, tokens per second and node",
    conditions: sglangPrefill("two-batch-sglang", 4, 4096),
    measure: "perNode",
    published: 59_337,
    isGated: true,
    source: SGLANG,
    note: ENGINE_KERNELS,
  },
  ...(
    [
      [1024, 57_674],
      [2048, 54_543],
      [4096, 50_302],
    ] as const
  ).map(([positions, published]): PublishedStep => ({
    id: "T5",
    quantity: `prefill, EP32, real gate, prompts of ${positions}, tokens per second and node`,
    conditions: sglangPrefill("two-batch-sglang", 16_384 / positions, positions),
    measure: "perNode",
    published,
    isGated: false,
    source: SGLANG,
    note: `Shown: how uneven the real gate left the experts is not published. Ours is drawn even in expectation. ${ENGINE_KERNELS}`,
  })),
  {
    id: "T6",
    quantity: "prefill, EP32, 8,192 tokens, gain of two batches over one",
    over: sglangPrefill("two-batch-sglang", 2, 4096),
    under: sglangPrefill("sequential", 2, 4096),
    published: [1.27, 1.35],
    isGated: false,
    source: SGLANG,
    note: "Shown: published as a range over prompts that are not named, with the real gate.",
  },
  {
    id: "T8",
    quantity: "prefill, EP32 over RoCE, 2 prompts of 4,096, tokens per second and node",
    conditions: RTP_PREFILL,
    measure: "perNode",
    published: 42_600,
    isGated: false,
    source: RTP_LLM,
    note:
      "Shown: schedule, SMs of communication, gate and redundant experts are not published; 42,600 is of a service that " +
      "keeps its first token within 1.6 s.",
  },
  {
    id: "T9",
    quantity: "decode, EP144 over RoCE, 92 requests at 5,000, tokens per second and node",
    conditions: RTP_DECODE,
    measure: "perNode",
    published: 14_700,
    isGated: false,
    source: RTP_LLM,
    note:
      "Shown: schedule, gate and launches are not published. Its host launches kernel by kernel, at a pace that is not known; " +
      "the report blames RoCE, the lack of graphs and slower kernels.",
  },
  {
    id: "H200",
    quantity: "decode, EP16, 2 requests at 67,584, scheduler beside the step",
    conditions: H200,
    measure: "step",
    published: 33_100,
    isGated: true,
    source: SGLANG_MTP,
    note:
      "Published as 60.4 tokens per second and rank. A step of kernels that take 2 to 5 µs each: what they are exactly, and " +
      "how the real gate's 32 tokens fall on 288 experts, decides.",
  },
  {
    id: "H200",
    quantity: "decode, EP16, 2 requests at 67,584, scheduler between steps",
    conditions: H200,
    measure: "step",
    published: 39_200,
    isGated: false,
    source: SGLANG_MTP,
    note: "Shown: published as 51.0 tokens per second and rank; the scheduler's time is not in the model.",
  },
];
