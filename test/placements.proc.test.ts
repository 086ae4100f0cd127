// The central test: where the logical processes of a run sit changes no bit of it. Two nodes under two leaves, so that
// spines are crossed; real math, FP8 to the experts, BF16 back, five stages.

import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { RandomStream } from "@windtunnel/base";
import { eventLogFile, firstDifferingEvent, readEventLogs, type Summary } from "@windtunnel/cluster";
import { openCheckpoint, type WirePrecision, wireRowBytes } from "@windtunnel/model";
import { afterAll, beforeAll, expect, test } from "vitest";
import { fixture } from "./support/folders.ts";
import { childrenOf } from "./support/process-tree.ts";
import { drawPrompts, expectedOutputs, referenceOf, writePrompts } from "./support/prompts.ts";
import { type FinishedRun, runInto, type ScenarioFields } from "./support/runs.ts";

const NODES = 2;
const GPUS_PER_NODE = 8;
const PLANES = 8;
const RANKS = NODES * GPUS_PER_NODE;
const WIRE: WirePrecision = { dispatch: "fp8", combine: "bf16" };

/** 13 requests on 16 ranks: three never have any. */
const PROMPTS = drawPrompts(new RandomStream(7, "placements"), {
  count: 13,
  longest: 12,
  mostNewTokens: 4,
  vocabularySize: 512,
});

/** Files that are the same bytes on every placement. */
const FILES = ["recording.bin", "trace.otlp.jsonl", "trace.perfetto.json", "tokens.jsonl"];

const folder = mkdtempSync(path.join(tmpdir(), "test-of-windtunnel-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const prompts = writePrompts(folder, PROMPTS);
const reference = referenceOf(openCheckpoint(fixture("tiny-v3")), WIRE);

let first: FinishedRun;
beforeAll(async () => {
  first = await runInto(folder, "first", scenarioOn("inline"));
});

test.each(["inline", "threads:2", "threads:16", "processes:2", "processes:10"])(
  "two runs on %s give every bit of the first one on inline",
  async (placement) => {
    for (const name of ["one", "two"]) {
      await expectSameBits(await runInto(folder, name, scenarioOn(placement)), placement);
    }
  },
);

test("a run on processes:2:tcp gives every bit of the first one on inline", async () => {
  const placement = "processes:2:tcp";
  await expectSameBits(await runInto(folder, "tcp", scenarioOn(placement)), placement);
});

test("the run that all others equal gives the tokens of one process", () => {
  expect(first.summary.outputs).toEqual(expectedOutputs(reference, PROMPTS));
});

test.each(["processes:2", "processes:10"])(
  "hosts of %s are processes of their own, and all payload between them crosses sockets",
  async (placement) => {
    const seen = new Set<number>();
    const watch = setInterval(() => childrenOf(process.pid).forEach((pid) => seen.add(pid)), 20);
    const run = runInto(folder, "watched", scenarioOn(placement));
    const { summary } = await run.finally(() => clearInterval(watch));
    const pids = summary.hosts.map(({ pid }) => pid);
    expect(pids).toHaveLength(Number(placement.split(":")[1]));
    expect(new Set([...pids, process.pid]).size).toBe(pids.length + 1);
    expect(pids.filter((pid) => !seen.has(pid))).toEqual([]);
    expect(childrenOf(process.pid).filter((pid) => pids.includes(pid))).toEqual([]);

    const least = payloadBetweenHosts(summary.hosts);
    expect(least).toBeGreaterThan(0);
    expect(summary.wall.frameBytes).toBeGreaterThanOrEqual(least);
  },
);

test("of two runs that differ the first differing event is found", async () => {
  const slower = { ...scenarioOn("threads:2"), overrides: { gpus: { 3: { speed: 0.5 } } } };
  const text = await firstDifference([scenarioOn("inline"), slower]);
  expect(text).toMatch(
    /^event \d+: kind \d+ from process 3 .* ps with \d+ bytes in one run, kind \d+ from process/,
  );
  const same = await firstDifference([scenarioOn("inline"), scenarioOn("threads:2")]);
  expect(same).toMatch(/^no event differs/);
});

function scenarioOn(placement: string): ScenarioFields {
  return {
    model: { checkpoint: fixture("tiny-v3") },
    cluster: {
      nodes: NODES,
      gpusPerNode: GPUS_PER_NODE,
      fabric: { planes: PLANES, nodesPerLeaf: 1, spinesPerPlane: 2 },
    },
    run: { decode: { schedule: "five-stage" }, precision: WIRE },
    workload: { prompts },
    placement,
  };
}

async function expectSameBits(run: FinishedRun, placement: string): Promise<void> {
  const [actual, expected] = [bitsOf(run), bitsOf(first)];
  if (JSON.stringify(actual) !== JSON.stringify(expected)) {
    expect(actual, await firstDifference([scenarioOn("inline"), scenarioOn(placement)])).toEqual(expected);
  }
}

/** Everything of a run that its placement must not change; hashes of its files. */
function bitsOf({ folder: runFolder, summary }: FinishedRun): Record<string, unknown> {
  const { hosts: _hosts, wall: _wall, ...same } = summary;
  const hashOf = (file: string): string =>
    createHash("sha256")
      .update(readFileSync(path.join(runFolder, file)))
      .digest("hex");
  return { ...same, files: Object.fromEntries(FILES.map((file) => [file, hashOf(file)])) };
}

/** Runs both again with a log of all events, and says where they part. */
async function firstDifference(scenarios: readonly ScenarioFields[]): Promise<string> {
  const logs: ReturnType<typeof readEventLogs>[] = [];
  for (const [index, scenario] of scenarios.entries()) {
    const run = await runInto(folder, `logged-${index}`, scenario, { eventLog: true });
    logs.push(readEventLogs(run.summary.hosts.map((_, host) => eventLogFile(run.folder, host))));
  }
  const [one, other] = logs;
  return (
    firstDifferingEvent(one!, other!) ??
    "no event differs in another run of each: what differs is no event, or differs now and then"
  );
}

/**
 * Bytes of executed rows that travel between hosts, by the choices that the one-process twin makes: a dispatched row
 * and a returned row for each token and expert on another rank, over NVLink in a node, else over the source's plane.
 */
function payloadBetweenHosts(hosts: Summary["hosts"]): number {
  const { hiddenSize, expertCount } = reference.config;
  const dispatched = wireRowBytes(WIRE.dispatch, hiddenSize);
  const returned = wireRowBytes(WIRE.combine, hiddenSize);
  const hostOfRank = (rank: number): number => hosts.findIndex(({ gpus }) => gpus.includes(rank));
  const hostOfPlane = (plane: number): number => hosts.findIndex(({ planes }) => planes.includes(plane));
  /** How often a row changes hosts on its way from one rank to another. */
  const crossings = (from: number, to: number): number => {
    const [source, target] = [hostOfRank(from), hostOfRank(to)];
    // A node's NVLink domain sits with the node.
    if (Math.floor(from / GPUS_PER_NODE) === Math.floor(to / GPUS_PER_NODE)) return source === target ? 0 : 1;
    const plane = hostOfPlane((from % GPUS_PER_NODE) % PLANES);
    return (source === plane ? 0 : 1) + (plane === target ? 0 : 1);
  };
  let bytes = 0;
  for (const [request, { tokens, maxNewTokens }] of PROMPTS.entries()) {
    const rank = request % RANKS;
    reference.generate(tokens, maxNewTokens, {
      onChoices: (_step, _layer, { indices }) => {
        for (const expert of indices) {
          const owner = Math.floor(expert / (expertCount / RANKS));
          bytes += crossings(rank, owner) * dispatched + crossings(owner, rank) * returned;
        }
      },
    });
  }
  return bytes;
}
