// How far the kernels of a profiler's trace hide communication (mechanics §11), as HolisticTraceAnalysis defines it.
// For each GPU: C is the union of the kernels that compute, M the union of those that communicate; overlap = |C ∩ M|,
// exposed = |M \ C|. Kernels communicate whose name matches a pattern; all others compute. Only kernels are seen: bytes
// that fly while no kernel runs for them, as in DeepEP's low-latency mode, count as nothing, and a kernel that only
// waits for a slower rank counts as communication.

import { inputError, toMicroseconds } from "@windtunnel/base";
import { differenceOf, intersectionOf, type Intervals, lengthOf, unionOf, unionOfSets } from "./intervals.ts";
import type { KinetoDevice, KinetoKernel, KinetoTrace } from "./kineto-read.ts";

/**
 * Regular expressions, anywhere in a kernel's name, as they stand unless others are given.
 *
 * NCCL's and RCCL's kernels (`ncclKernel_…`, `ncclDevKernel_…`, `ncclSymkDevKernel_…`), and everything in DeepEP's
 * namespaces: `deep_ep` with `legacy` and `elastic`, `hybrid_ep`, and `dpsk::ep`, its name in the traces that DeepSeek
 * published. So `get_dispatch_layout` counts, though it sends nothing: it is a part of each dispatch, on its stream, and
 * the published 113,440 µs of communication contain it. The word's border matters: `at_cuda_detail::cdpsk::ep::…` in
 * the published prefill trace is a scan of CUB's, which computes.
 */
export const KINETO_COMMUNICATION: readonly string[] = [
  String.raw`nccl\w*Kernel`,
  String.raw`\b(?:deep_ep|hybrid_ep|dpsk::ep)::`,
];

export interface KinetoOverlapOptions {
  /** Regular expressions instead of KINETO_COMMUNICATION. */
  readonly communication?: readonly string[];
}

/** All kernels of one name on one GPU. */
export interface KinetoKernelTotal {
  readonly name: string;
  readonly count: number;
  /** The sum of their times: more than the time that they cover where they overlap each other. */
  readonly totalUs: number;
  readonly meanUs: number;
}

export interface KinetoCommunicationTotal extends KinetoKernelTotal {
  /** The length of what they cover while nothing computes. */
  readonly exposedUs: number;
}

export interface KinetoDeviceOverlap {
  readonly device: string;
  readonly kernelCount: number;
  /** From the first kernel's start to the last one's end. */
  readonly spanUs: number;
  /** |C| */
  readonly computeUs: number;
  /** |M| */
  readonly communicationUs: number;
  /** |C ∩ M|, and its part of |M|; null where nothing communicates. HTA's percentage is a hundred times this. */
  readonly overlapUs: number;
  readonly overlapFraction: number | null;
  /** |M \ C|, and its part of the span; null where the span is empty. */
  readonly exposedUs: number;
  readonly exposedFraction: number | null;
  /** The span without C ∪ M. */
  readonly idleUs: number;
  /** Longest in total first. */
  readonly communication: readonly KinetoCommunicationTotal[];
  readonly compute: readonly KinetoKernelTotal[];
}

export interface KinetoOverlap {
  readonly file: string;
  readonly rank: number | null;
  readonly worldSize: number | null;
  readonly skippedKernels: number;
  /** The patterns that told communication. */
  readonly patterns: readonly string[];
  readonly devices: readonly KinetoDeviceOverlap[];
}

/** Throws an input error for a pattern that is no regular expression, and where no kernel at all communicates. */
export function kinetoOverlap(trace: KinetoTrace, options: KinetoOverlapOptions = {}): KinetoOverlap {
  const patterns = options.communication ?? KINETO_COMMUNICATION;
  const communicates = matcherOf(patterns);
  const devices = trace.devices.map((device) => overlapOfDevice(device, communicates));
  if (devices.every(({ communication }) => communication.length === 0)) {
    throw noCommunication(trace.file, patterns, devices);
  }
  const { file, rank, worldSize, skippedKernels } = trace;
  return { file, rank, worldSize, skippedKernels, patterns, devices };
}

function matcherOf(patterns: readonly string[]): (name: string) => boolean {
  const expressions = patterns.map((pattern) => {
    try {
      return new RegExp(pattern);
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
      throw inputError(`--communication: found ${pattern}: ${error.message}; allowed: a regular expression`, {
        path: "--communication",
        found: pattern,
        allowed: "a regular expression",
      });
    }
  });
  const known = new Map<string, boolean>();
  return (name) => {
    let result = known.get(name);
    if (result === undefined) {
      result = expressions.some((expression) => expression.test(name));
      known.set(name, result);
    }
    return result;
  };
}

function overlapOfDevice(
  { name: device, kernels }: KinetoDevice,
  communicates: (name: string) => boolean,
): KinetoDeviceOverlap {
  const computeByName = new Map<string, number[]>();
  const communicationByName = new Map<string, number[]>();
  for (const kernel of kernels) {
    addTimes(communicates(kernel.name) ? communicationByName : computeByName, kernel);
  }
  const compute = unionOfAll(computeByName);
  const communication = unionOfAll(communicationByName);
  const overlap = lengthOf(intersectionOf(compute, communication));
  const busy = lengthOf(unionOfSets([compute, communication]));
  const span = spanOf(kernels);
  const communicationLength = lengthOf(communication);
  const exposed = communicationLength - overlap;
  return {
    device,
    kernelCount: kernels.length,
    spanUs: toMicroseconds(span),
    computeUs: toMicroseconds(lengthOf(compute)),
    communicationUs: toMicroseconds(communicationLength),
    overlapUs: toMicroseconds(overlap),
    overlapFraction: communicationLength === 0 ? null : overlap / communicationLength,
    exposedUs: toMicroseconds(exposed),
    exposedFraction: span === 0 ? null : exposed / span,
    idleUs: toMicroseconds(span - busy),
    communication: [...communicationByName]
      .map(([name, pairs]) => ({
        ...totalOf(name, pairs),
        exposedUs: toMicroseconds(lengthOf(differenceOf(unionOf(pairs), compute))),
      }))
      .sort(longestFirst),
    compute: [...computeByName].map(([name, pairs]) => totalOf(name, pairs)).sort(longestFirst),
  };
}

function addTimes(byName: Map<string, number[]>, { name, start, end }: KinetoKernel): void {
  const pairs = byName.get(name);
  if (pairs === undefined) byName.set(name, [start, end]);
  else pairs.push(start, end);
}

function unionOfAll(byName: ReadonlyMap<string, readonly number[]>): Intervals {
  return unionOf([...byName.values()].flat());
}

function spanOf(kernels: readonly KinetoKernel[]): number {
  let first = Infinity;
  let last = -Infinity;
  for (const { start, end } of kernels) {
    first = Math.min(first, start);
    last = Math.max(last, end);
  }
  return last - first;
}

function totalOf(name: string, pairs: readonly number[]): KinetoKernelTotal {
  const count = pairs.length / 2;
  let total = 0;
  for (let i = 0; i < pairs.length; i += 2) total += pairs[i + 1]! - pairs[i]!;
  return { name, count, totalUs: toMicroseconds(total), meanUs: toMicroseconds(total / count) };
}

function longestFirst(a: KinetoKernelTotal, b: KinetoKernelTotal): number {
  return b.totalUs - a.totalUs || (a.name < b.name ? -1 : 1);
}

const NAMES_SHOWN = 6;
const NAME_LENGTH = 100;

function noCommunication(
  file: string,
  patterns: readonly string[],
  devices: readonly KinetoDeviceOverlap[],
): Error {
  const names = [...new Set(devices.flatMap(({ compute }) => compute.map(({ name }) => name)))];
  const shown = names.slice(0, NAMES_SHOWN).map((name) => `\n    ${name.slice(0, NAME_LENGTH)}`);
  const more = names.length > NAMES_SHOWN ? `\n    and ${names.length - NAMES_SHOWN} more` : "";
  return inputError(
    `${file}: no kernel communicates: no name matches ${patterns.join(" or ")}. ` +
      `Kernels, longest in total first:${shown.join("")}${more}\n` +
      "  Name what communicates there by regular expressions, each with its own --communication",
    { file, patterns },
  );
}
