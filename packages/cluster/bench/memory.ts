// What memory a run takes beyond its model: the most that its processes held, less what the same processes and threads
// hold that have loaded the same libraries and do nothing, less weights and KV caches. Each run is a process of its own,
// so that each peak is its own. Two sizes on the same hosts tell what of it grows with the GPUs, and what is the hosts'.

import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { invariant } from "@windtunnel/base";
import { hostCount, parsePlacement } from "../src/scenario/placement.ts";
import type { BenchRow } from "./bench-row.ts";
import type { MemoryFigures, MemoryTask } from "./memory-program.ts";
import { DECODE_RUN } from "./timed-model.ts";

const PROGRAM = fileURLToPath(new URL("./memory-program.ts", import.meta.url));
const MEGABYTE = 1e6;
const MOST_PER_GPU_MB = 12;
const MOST_PER_HOST_MB = 40;
const GPUS_PER_NODE = 8;

interface Size {
  readonly math: "skip" | "real";
  readonly nodes: number;
  readonly placement: string;
}

/** Pairs: two sizes on the same hosts. */
const SIZES: readonly Size[] = [
  { math: "skip", nodes: 2, placement: "inline" },
  { math: "skip", nodes: 8, placement: "inline" },
  { math: "skip", nodes: 2, placement: "threads:2" },
  { math: "skip", nodes: 8, placement: "threads:2" },
  { math: "skip", nodes: 4, placement: "threads:4" },
  { math: "skip", nodes: 8, placement: "threads:4" },
  { math: "skip", nodes: 2, placement: "processes:2" },
  { math: "skip", nodes: 8, placement: "processes:2" },
  { math: "real", nodes: 2, placement: "inline" },
  { math: "real", nodes: 4, placement: "inline" },
  { math: "real", nodes: 2, placement: "threads:2" },
  { math: "real", nodes: 4, placement: "threads:2" },
];

interface Measured extends Size, MemoryFigures {
  /** Of the same processes and threads, empty. */
  readonly emptyBytes: number;
  readonly seconds: number;
}

export async function benchMemory(sizes: readonly Size[] = SIZES): Promise<BenchRow[]> {
  const folder = mkdtempSync(path.join(tmpdir(), "windtunnel-bench-"));
  try {
    const measured: Measured[] = [];
    for (const size of sizes) measured.push(await measure(size, folder));
    return [...measured.map(rowOf), ...shares(measured)];
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function measure(size: Size, folder: string): Promise<Measured> {
  const { kind, hosts } = hostsOf(size);
  const empty = await figuresOf({ kind: "empty", workers: kind === "threads" ? hosts : 0 }, folder);
  const start = performance.now();
  const figures = await figuresOf({ kind: "run", fields: fieldsOf(size) }, folder);
  const seconds = (performance.now() - start) / 1000;
  return { ...size, ...figures, seconds, emptyBytes: empty.peakBytes * (kind === "processes" ? hosts : 1) };
}

function hostsOf({ placement }: Size): { readonly kind: string; readonly hosts: number } {
  const parsed = parsePlacement(placement);
  invariant(parsed !== undefined, `${placement} is no placement`);
  return { kind: parsed.kind, hosts: hostCount(parsed) };
}

async function figuresOf(task: MemoryTask, folder: string): Promise<MemoryFigures> {
  const given = [PROGRAM, JSON.stringify(task), folder];
  return JSON.parse((await promisify(execFile)(process.execPath, given)).stdout) as MemoryFigures;
}

/** A decode step of 61 layers: what is kept from layer to layer has grown to its size long before the end. */
function fieldsOf({ math, nodes, placement }: Size): Record<string, unknown> {
  return {
    model: { preset: "v3-scale" },
    math,
    timing: { model: "deepseek-v3", kvLength: 1024 },
    cluster: { nodes },
    run: DECODE_RUN,
    workload: { drawn: { requestsPerGpu: 128, promptTokens: 16, steps: 1 } },
    allowOversubscription: true,
    placement,
  };
}

function beyondBytes({ peakBytes, emptyBytes, weightBytes, cacheBytes }: Measured): number {
  return peakBytes - emptyBytes - weightBytes - cacheBytes;
}

function gpusOf({ nodes }: Size): number {
  return nodes * GPUS_PER_NODE;
}

function nameOf(size: Size): string {
  return `EP${gpusOf(size)} ${size.math}, ${size.placement}`;
}

function rowOf(measured: Measured): BenchRow {
  const { peakBytes, emptyBytes, weightBytes, cacheBytes, seconds } = measured;
  const allowed = MOST_PER_GPU_MB * gpusOf(measured) + MOST_PER_HOST_MB * hostsOf(measured).hosts;
  return {
    name: `Memory in MB: ${nameOf(measured)}`,
    work: {
      model: (weightBytes + cacheBytes) / MEGABYTE,
      empty: emptyBytes / MEGABYTE,
      peak: peakBytes / MEGABYTE,
    },
    seconds,
    rates: { beyond: beyondBytes(measured) / MEGABYTE, allowed },
    notes: [
      "model: weights and KV caches; empty: the same processes and threads with",
      "the same libraries, doing nothing; beyond: peak - model - empty;",
      `allowed: ${MOST_PER_GPU_MB} MB for each GPU and ${MOST_PER_HOST_MB} for each host`,
    ],
  };
}

/** What is beyond, on the same hosts: a share that grows with the GPUs, and the rest, which is the hosts'. */
function shares(measured: readonly Measured[]): BenchRow[] {
  return measured.flatMap((large, index): BenchRow[] => {
    const small = measured[index - 1];
    if (small === undefined || small.math !== large.math || small.placement !== large.placement) return [];
    const gpus = gpusOf(large) - gpusOf(small);
    const perGpu = (beyondBytes(large) - beyondBytes(small)) / gpus;
    const perHost = (beyondBytes(small) - perGpu * gpusOf(small)) / hostsOf(small).hosts;
    const { math, placement } = small;
    return [
      {
        name: `Of it, MB for each: ${math}, ${placement}, EP${gpusOf(small)} and EP${gpusOf(large)}`,
        work: { "GPUs between": gpus },
        seconds: small.seconds + large.seconds,
        rates: { GPU: perGpu / MEGABYTE, host: perHost / MEGABYTE },
        notes: [
          "GPU: the difference of what is beyond, for each GPU between the two sizes;",
          `host: what that leaves of the smaller one; allowed: ${MOST_PER_GPU_MB} and ${MOST_PER_HOST_MB}`,
        ],
      },
    ];
  });
}
