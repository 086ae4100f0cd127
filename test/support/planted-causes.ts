// Runs with one thing wrong, planted at a place that a seed draws, and what the analysis of the recording alone should name.

import { rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { RandomStream } from "@windtunnel/base";
import { analyzeRun, openRecording, type Suspect } from "@windtunnel/trace";
import { temporaryFolder } from "./folders.ts";
import { runInto } from "./runs.ts";
import { writeTimedModel } from "./timed-models.ts";

export const CAUSES = ["gpu", "link", "expert", "flows", "wait"] as const;
export type PlantedCause = (typeof CAUSES)[number];

const NODES = 8;
const GPUS_PER_NODE = 2;
const NODES_PER_LEAF = 4;
const SPINES = 2;
const RANKS = NODES * GPUS_PER_NODE;
const EXPERTS = 64;
const LAYERS = 4;

interface Planted {
  readonly fields: Record<string, unknown>;
  /** Whether a suspect is what was planted. */
  readonly isIt: (suspect: Suspect) => boolean;
  /** In words. */
  readonly what: string;
}

export interface PlantedResult {
  readonly what: string;
  readonly isFirst: boolean;
  readonly suspects: readonly Suspect[];
}

/** Plants a cause at the place that `seed` draws, runs, and asks the recording. */
export async function findPlanted(cause: PlantedCause, seed: number): Promise<PlantedResult> {
  const folder = temporaryFolder();
  try {
    const random = new RandomStream(seed, `planted ${cause}`);
    const { fields, isIt, what } = PLANTS[cause](random, folder);
    const { folder: output } = await runInto(
      folder,
      "run",
      {
        model: { preset: "v3-small" },
        seed: 1 + random.below(1000),
        math: "skip",
        routing: { draw: random.below(2) === 0 ? "balanced" : "gate-like" },
        timing: { model: writeTimedModel(folder, LAYERS, EXPERTS), kvLength: 1024 + 256 * random.below(12) },
        cluster: {
          nodes: NODES,
          gpusPerNode: GPUS_PER_NODE,
          fabric: { planes: GPUS_PER_NODE, nodesPerLeaf: NODES_PER_LEAF, spinesPerPlane: SPINES },
        },
        run: decode("five-stage", "low-latency"),
        workload: { drawn: { requestsPerGpu: 32 + 8 * random.below(12), promptTokens: 16, steps: 1 } },
        ...fields,
      },
      { exports: false },
    );
    const recording = openRecording(path.join(output, "recording.bin"));
    try {
      const { suspects } = analyzeRun(recording);
      const [first] = suspects;
      return { what, suspects, isFirst: first !== undefined && isIt(first) };
    } finally {
      recording.close();
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function decode(schedule: string, dispatch: string): Record<string, unknown> {
  return {
    phase: "decode",
    decode: { schedule, dispatch },
    precision: { dispatch: "fp8", combine: "bf16" },
  };
}

const PLANTS: Readonly<Record<PlantedCause, (random: RandomStream, folder: string) => Planted>> = {
  gpu(random) {
    const rank = random.below(RANKS);
    return {
      what: `rank ${rank} is 1.3 times slower`,
      fields: { overrides: { gpus: { [rank]: { speed: 1 / 1.3 } } } },
      isIt: (suspect) => suspect.kind === "slow-gpu" && suspect.rank === rank,
    };
  },
  link(random) {
    const node = random.below(NODES);
    const plane = random.below(GPUS_PER_NODE);
    const leaf = Math.floor(node / NODES_PER_LEAF);
    const cable = [
      `plane ${plane} / node ${node} - leaf ${leaf}`,
      `plane ${plane} / leaf ${leaf} - spine ${random.below(SPINES)}`,
      `node ${node} nvlink / gpu ${plane}`,
    ][random.below(3)]!;
    const ends = cable.split(" / ")[1]!.split(" - ");
    return {
      what: `${cable} has half of its rate`,
      fields: { overrides: { links: { [cable]: { bandwidth: 0.5 } } } },
      isIt: (suspect) =>
        suspect.kind === "slow-link" &&
        suspect.link.startsWith(cable.split(" / ")[0]!) &&
        ends.every((end) => suspect.link.includes(end)),
    };
  },
  expert(random) {
    const expert = random.below(EXPERTS);
    const rank = Math.floor(expert / (EXPERTS / RANKS));
    return {
      what: `expert ${expert}, on rank ${rank}, has four times the mean load`,
      fields: { overrides: { experts: { [expert]: { load: 4 } } } },
      isIt: (suspect) => suspect.kind === "loaded-experts" && suspect.rank === rank,
    };
  },
  flows(random, folder) {
    // Two ranks under one leaf send much to two nodes under the other one that have the same spine.
    const plane = random.below(GPUS_PER_NODE);
    const leaf = random.below(2);
    const two = (): [number, number] => {
      const first = random.below(NODES_PER_LEAF);
      return [first, (first + 1 + random.below(NODES_PER_LEAF - 1)) % NODES_PER_LEAF];
    };
    const spine = random.below(SPINES);
    const sources = two().map((node) => leaf * NODES_PER_LEAF + node);
    const targets = [spine, spine + SPINES].map((node) => (1 - leaf) * NODES_PER_LEAF + node);
    const rankOf = (node: number): number => node * GPUS_PER_NODE + plane;
    const pairs = sources.map((node, index) => [rankOf(node), rankOf(targets[index]!)]);
    const file = path.join(folder, "large-flows.ts");
    writeFileSync(file, largeFlows(pairs));
    return {
      what: `${JSON.stringify(pairs)} send large messages over leaf ${leaf} > spine ${spine} of plane ${plane}`,
      fields: { run: decode("five-stage", "./large-flows.ts") },
      isIt: (suspect) =>
        suspect.kind === "colliding-routes" &&
        suspect.link.startsWith(`plane ${plane} `) &&
        suspect.link.includes(`spine ${spine}`),
    };
  },
  wait(random, folder) {
    const place = random.below(4);
    writeFileSync(path.join(folder, "waits.ts"), fiveStageThatWaits(place));
    const [microBatch, phase] = [place < 2 ? 0 : 1, place % 2 === 0 ? "dispatch" : "combine"];
    return {
      what: `five stages that wait for the ${phase} of micro-batch ${microBatch} at once`,
      fields: { run: decode("./waits.ts", "low-latency") },
      isIt: (suspect) =>
        suspect.kind === "serialized-micro-batches" &&
        suspect.phase === phase &&
        suspect.microBatch === microBatch,
    };
  },
};

/** low-latency, with more bytes between some pairs of ranks. */
function largeFlows(pairs: readonly (readonly number[])[]): string {
  const expert = path.resolve(import.meta.dirname, "../../packages/expert/src/index.ts");
  return `
import { lowLatency } from ${JSON.stringify(expert)};
const PAIRS = new Set(${JSON.stringify(pairs.map(([source, target]) => `${source} ${target}`))});
const EXTRA_BYTES = 4_000_000;
export default {
  name: "large-flows",
  sms: null,
  open(exchange) {
    const bytesTo = (to, bytes) => bytes + (PAIRS.has(exchange.rank + " " + to) ? EXTRA_BYTES : 0);
    const sendAll = (after, bytesOf, blockFor) => exchange.send({
      after,
      messages: exchange.others.map((to) => {
        const content = blockFor(to);
        return { to, bytes: bytesTo(to, bytesOf(content.rows)), content };
      }),
    });
    const instead = {
      sendAllRows(after, bytesOf) {
        sendAll(after, bytesOf, (to) => exchange.rowsFor(to));
        exchange.keepRows(exchange.rank, exchange.rowsFor(exchange.rank));
      },
      sendAllOutputs(after, bytesOf) {
        sendAll(after, bytesOf, (to) => exchange.outputsFor(to));
        exchange.acceptRows(exchange.rank, exchange.outputsFor(exchange.rank));
      },
    };
    return lowLatency.open(new Proxy(exchange, {
      get(target, name) {
        const value = instead[name] ?? target[name];
        return typeof value === "function" ? value.bind(target) : value;
      },
    }));
  },
};
`;
}

/** Five stages, one of whose exchanges is waited for as soon as it is sent. */
function fiveStageThatWaits(place: number): string {
  return `
const EARLY = ${place};
export default {
  name: "waits",
  kinds: ["decode"],
  microBatchCount: 2,
  overlaps: true,
  *moeLayers({ layers, microBatches: [first, second] }) {
    for (const [index, layer] of layers.entries()) {
      const [previous, next] = [layers[index - 1], layers[index + 1]];
      if (previous === undefined) {
        first.attention0(layer);
        first.attention1(layer);
      }
      yield* first.sendDispatch(layer);
      if (EARLY === 0) yield* first.receiveDispatch(layer);
      first.shared(layer);
      if (previous !== undefined && EARLY !== 3) yield* second.receiveCombine(previous);
      second.attention0(layer);
      if (EARLY !== 0) yield* first.receiveDispatch(layer);
      first.mlp(layer);
      yield* first.sendCombine(layer);
      if (EARLY === 1) yield* first.receiveCombine(layer);
      second.attention1(layer);
      yield* second.sendDispatch(layer);
      if (EARLY === 2) yield* second.receiveDispatch(layer);
      second.shared(layer);
      if (EARLY !== 1) yield* first.receiveCombine(layer);
      if (next !== undefined) first.attention0(next);
      if (EARLY !== 2) yield* second.receiveDispatch(layer);
      second.mlp(layer);
      yield* second.sendCombine(layer);
      if (EARLY === 3) yield* second.receiveCombine(layer);
      if (next !== undefined) first.attention1(next);
    }
    if (EARLY !== 3 && layers.length > 0) yield* second.receiveCombine(layers.at(-1));
  },
};
`;
}
