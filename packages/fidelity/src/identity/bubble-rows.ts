// I8: bubbles of pipelined training. The published formulas are evaluated for the drawn example; ours is what the
// schedules' own operations leave idle when they are run.

import { exactRow, type FidelityRow } from "../row.ts";
import { type ChunkTimes, idleTimes, type ScheduleName } from "./pipeline-schedules.ts";

/** The drawn example: 8 stages, 20 micro-batches; a backward is two forwards, half of it for the weights. */
const EXAMPLE = { stages: 8, chunks: 20 };
const TIMES: ChunkTimes = { forward: 1, backward: 2, weights: 1, overlapped: 3 };

export interface PublishedPipeline {
  readonly formula: string;
  readonly bubble: (stages: number, times: ChunkTimes) => number;
}

const DUAL_PIPE: PublishedPipeline = {
  formula: "(PP/2-1)(F&B+B-3W)",
  bubble: (stages, { backward, weights, overlapped }) =>
    (stages / 2 - 1) * (overlapped + backward - 3 * weights),
};

export const PUBLISHED_PIPELINES: Readonly<Record<ScheduleName, PublishedPipeline>> = {
  "1F1B": {
    formula: "(PP-1)(F+B)",
    bubble: (stages, { forward, backward }) => (stages - 1) * (forward + backward),
  },
  ZB1P: {
    formula: "(PP-1)(F+B-2W)",
    bubble: (stages, { forward, backward, weights }) => (stages - 1) * (forward + backward - 2 * weights),
  },
  DualPipe: DUAL_PIPE,
  DualPipeV: DUAL_PIPE,
};

export function bubbleRows(): FidelityRow[] {
  return Object.entries(PUBLISHED_PIPELINES).map(([name, { formula, bubble }]) => {
    const idle = idleTimes(name as ScheduleName, EXAMPLE, TIMES);
    return exactRow({
      quantity: `${name}, ${formula}: PP 8, 20 micro-batches`,
      published: bubble(EXAMPLE.stages, TIMES),
      ours: idle.reduce((most, time) => Math.max(most, time), 0),
      unit: "F",
      decimals: 0,
      source: "deepseek-ai/DualPipe, README",
      note: "Times: F 1, B 2, W 1, F&B 3. Ours is the most idle rank of the schedule, run operation by operation.",
    });
  });
}
