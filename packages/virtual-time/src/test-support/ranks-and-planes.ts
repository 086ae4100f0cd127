// Processes of two classes, and what it takes at least from one to the other.

import { picoseconds } from "@windtunnel/base";
import type { ClassGraph } from "../index.ts";

export const RANKS = 6;
export const PLANES = 3;

export const RANKS_AND_PLANES: ClassGraph = {
  names: ["rank", "plane"],
  latency: [
    [undefined, picoseconds(700)],
    [picoseconds(500), undefined],
  ],
};

export function classOf(process: number): number {
  return process < RANKS ? 0 : 1;
}
