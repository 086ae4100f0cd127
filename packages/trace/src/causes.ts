// Why time passes on a rank: the closed list of causes, and sums over them. At each instant of a step exactly one holds,
// that of the operation by which the rank is blocked (`attribution.ts`), so the sum over causes is the step.

/** In the order of reports. */
export const STEP_CAUSES = [
  /** A kernel computes; on s of S SMs this counts s / S of its time. */
  "computing",
  /** SMs that communication takes: the rest of that time, and kernels of exchanges for which computing waits. */
  "communication-sms",
  /** The host has not launched the next kernel yet. */
  "launching",
  /** The host waits for something that it must know, as the counts of normal dispatch. */
  "host-wait",
  /** Bytes are on their way, by the wire that limits them; with the latency of links, and behind what the sender sent before. */
  "transfer-nvlink",
  "transfer-pcie",
  "transfer-nic",
  /** A message waits for a link behind others': incast, colliding routes. */
  "queueing",
  /** Another GPU hands on what is meant for this one. */
  "relay",
  /** Buffers or credits are not free yet. */
  "buffer-limit",
  /** Another rank has not sent yet: more tokens, a slower GPU. */
  "slower-rank",
  /** Of two micro-batches the other one has not begun yet, or has nothing left to do. */
  "fill-and-drain",
  /** Nothing of the step is left to do, or nothing has begun. */
  "idle",
] as const;
export type StepCause = (typeof STEP_CAUSES)[number];

/** A stretch of a rank's time with one cause. */
export interface CauseSegment {
  /** Picoseconds. */
  readonly from: number;
  readonly to: number;
  readonly cause: StepCause;
  /** The rank that is waited for, or that relays. */
  readonly rank?: number;
  /** The link at which a message queues: fabric process and link there. */
  readonly link?: { readonly process: number; readonly link: number };
}

/** Picoseconds by cause. */
export type CauseSums = Record<StepCause, number>;

export function noTime(): CauseSums {
  return Object.fromEntries(STEP_CAUSES.map((cause) => [cause, 0])) as CauseSums;
}

export function addSegments(sums: CauseSums, segments: readonly CauseSegment[]): void {
  for (const { cause, from, to } of segments) sums[cause] += to - from;
}

export function totalOf(sums: CauseSums): number {
  return STEP_CAUSES.reduce((sum, cause) => sum + sums[cause], 0);
}
