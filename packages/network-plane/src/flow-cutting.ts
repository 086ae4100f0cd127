// How the flows of a plane are cut into trains, and in which order a source sends them. Pure arithmetic: it knows no
// time and no links but their speed. Invariant: the trains of a flow carry its bytes, no more and no less.

import { nanoseconds, PICOSECONDS_PER_SECOND } from "@windtunnel/base";
import type { LinkDescription } from "./links.ts";
import type { PlaneFlow } from "./plane-flows.ts";

/**
 * Trains that a plane's flows are cut into, beyond one for each flow. Finer trains share links more evenly and take
 * longer to compute. Measured: with 16,384, makespans of all-to-alls and random traffic are within 4 % of fluid's, with
 * 8,192 within 6 %; 128 for each flow are enough where flows are few.
 */
const MOST_TRAINS_OF_A_PLANE = 16_384;
const MOST_TRAINS_FOR_EACH_FLOW = 128;
/** A train takes at least this on the fastest link, so that rounding up to picoseconds is a fifth of a thousandth. */
const SHORTEST_TRAIN = nanoseconds(5);
/** 2^32 divided by the golden ratio. */
const GOLDEN = 0x9e3779b9;

/** Of each flow, the number of its trains: all trains of a plane are about equally large. */
export function trainCounts(flows: readonly PlaneFlow[], links: readonly LinkDescription[]): Int32Array {
  let [total, fastest] = [0, 0];
  for (const { bytes } of flows) total += bytes;
  for (const { bytesPerSecond } of links) fastest = Math.max(fastest, bytesPerSecond);
  const shortest = (SHORTEST_TRAIN / PICOSECONDS_PER_SECOND) * fastest;
  const most = Math.min(MOST_TRAINS_OF_A_PLANE, MOST_TRAINS_FOR_EACH_FLOW * flows.length);
  const largest = Math.ceil(Math.max(total / most, shortest));
  const counts = new Int32Array(flows.length);
  for (let flow = 0; flow < flows.length; flow++) counts[flow] = Math.ceil(flows[flow]!.bytes / largest);
  return counts;
}

/** Bytes of train number `train` of `count`: equal shares, the first ones a byte more where they don't divide. */
export function trainBytes(bytes: number, count: number, train: number): number {
  return Math.floor(bytes / count) + (train < bytes % count ? 1 : 0);
}

/**
 * Places of the flows in the file, in the order in which a source sends them: by the distance from source to target
 * (cyclic) times the golden ratio, modulo 1. At any time the sources of an all-to-all are then at one distance, so that
 * every target hears from one of them, and near and far targets alternate evenly, so that no layer waits for the other.
 */
export function sendingOrder(flows: readonly PlaneFlow[], nodes: number): number[] {
  const byDistance = Array.from({ length: nodes }, (): number[] => []);
  for (const [index, { source, target }] of flows.entries()) {
    byDistance[(target - source + nodes) % nodes]!.push(index);
  }
  // The file's order decides between flows of one pair only.
  for (const places of byDistance) places.sort((a, b) => flows[a]!.source - flows[b]!.source || a - b);
  const turnOf = (distance: number): number => Math.imul(distance, GOLDEN) >>> 0;
  const distances = byDistance.map((_, distance) => distance);
  return distances.sort((a, b) => turnOf(a) - turnOf(b)).flatMap((distance) => byDistance[distance]!);
}
