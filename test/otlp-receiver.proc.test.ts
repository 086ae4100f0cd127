// What a receiver of OpenTelemetry gets from a run: every span, under its parent, with its links, at its virtual time.
// What there should be is said here once more, from the records alone and in words instead of ids: a rank's part in a
// step is "rank 3 of step 1". Received ids are turned into such words by the attributes of the spans that have them.

import { readFileSync } from "node:fs";
import path from "node:path";
import { type AnyRecord, gpusOf, openRecording, type Recording, schedulersOf } from "@windtunnel/trace";
import { expect, test } from "vitest";
import { runCommand, writeScenario } from "./support/command.ts";
import { fixture, temporaryFolder } from "./support/folders.ts";
import { type OtlpReceiver, type ReceivedSpan, startOtlpReceiver } from "./support/otlp-receiver.ts";
import { writePrompts } from "./support/prompts.ts";

/** Both kinds of steps, a host that waits, two micro-batches, two leaves; a rank that has no request. */
function scenarioIn(folder: string): string {
  const prompts = writePrompts(folder, [
    { tokens: [1, 2, 3, 4, 5], maxNewTokens: 8 },
    { tokens: [6, 7], maxNewTokens: 2 },
    { tokens: [8, 9, 10], maxNewTokens: 3 },
  ]);
  return writeScenario(folder, {
    model: { checkpoint: fixture("tiny-v3") },
    cluster: { nodes: 2, gpusPerNode: 2, fabric: { planes: 2, nodesPerLeaf: 1, spinesPerPlane: 2 } },
    run: { prefill: { dispatch: "normal" }, decode: { schedule: "five-stage", dispatch: "low-latency" } },
    workload: { prompts },
  });
}

async function runWith(
  receiver: OtlpReceiver,
  { variables = "", options = [] }: { readonly variables?: string; readonly options?: readonly string[] },
): Promise<{ recording: Recording; folder: string }> {
  const folder = temporaryFolder();
  const out = path.join(folder, "run");
  const command = ["run", scenarioIn(folder), "--placement", "inline", "--json", "--out", out, ...options];
  const end = await runCommand(
    command,
    (text) => `OTEL_EXPORTER_OTLP_ENDPOINT=${receiver.url} ${variables} exec ${text}`,
  );
  expect(end).toMatchObject({ exitCode: 0, stderr: "" });
  expect((JSON.parse(end.stdout) as { warnings: string[] }).warnings).toEqual([]);
  return { recording: openRecording(path.join(out, "recording.bin")), folder: out };
}

test("a receiver gets every span under its parent, with its links, at its virtual time", async () => {
  const receiver = await startOtlpReceiver();
  const { recording, folder } = await runWith(receiver, {});
  expect(new Set(receiver.requests)).toEqual(new Set(["POST /v1/traces application/x-protobuf identity"]));
  expect(receiver.requests.length).toBeGreaterThan(1);
  const expected = spansOf(recording);
  expect(expected.size).toBeGreaterThan(1000);
  for (const name of [
    "host.wait",
    "mlp.dense",
    "dispatch.transfer",
    "layer.moe",
    "head",
    "queue",
    "decode",
  ]) {
    expect([...expected.keys()].some((span) => span.startsWith(name))).toBe(true);
  }
  expect(inWords(receiver.spans)).toEqual(expected);
  expect(receiver.resources[0]).toMatchObject({ "service.name": "windtunnel", "windtunnel.gpu": "h800" });
  // The file holds the same ids in the same order.
  const lines = readFileSync(path.join(folder, "trace.otlp.jsonl"), "utf8").matchAll(
    /"spanId":"(\w+)","parent|"spanId":"(\w+)","name/g,
  );
  expect(receiver.spans.map(({ spanId }) => spanId)).toEqual(
    [...lines].map(([, child, root]) => child ?? root),
  );
  recording.close();
});

test("a receiver of compressed requests gets the selected ranks and steps, and nothing that leads elsewhere", async () => {
  const receiver = await startOtlpReceiver();
  const { recording } = await runWith(receiver, {
    variables: "OTEL_EXPORTER_OTLP_COMPRESSION=gzip",
    options: ["--trace-ranks", "0,3", "--trace-steps", "1"],
  });
  expect(new Set(receiver.requests)).toEqual(new Set(["POST /v1/traces application/x-protobuf gzip"]));
  const isSelected: Selected = ({ rank = 0, step = 1 }) => [0, 3].includes(rank) && step === 1;
  expect(inWords(receiver.spans)).toEqual(spansOf(recording, isSelected));
  recording.close();
});

/** A span in words: which one its parent is, in which trace it is, and so on. */
interface SpanInWords {
  readonly trace: string;
  readonly parent: string | undefined;
  readonly links: readonly string[];
  /** In nanoseconds since 1970. */
  readonly start: string;
  readonly end: string;
}

type Selected = (of: { readonly rank?: number; readonly step?: number }) => boolean;

/** What a recording has, by what stands in its records. */
function spansOf(recording: Recording, isSelected: Selected = () => true): Map<string, SpanInWords> {
  const spans = new Map<string, SpanInWords>();
  const links: [from: string, to: string][] = [];
  const add = (name: string, trace: string, parent: string | undefined, start: number, end: number): void => {
    expect(spans.has(name), `${name} twice`).toBe(false);
    const to = links.filter(([from]) => from === name).map(([, target]) => target);
    spans.set(name, {
      trace,
      parent,
      links: to.toSorted(),
      start: nanoseconds(start),
      end: nanoseconds(end),
    });
  };
  const scheduled = [...recording.records(schedulersOf(recording.header)[0]!.id)].filter((record) =>
    isSelected({
      ...("rank" in record ? { rank: record.rank } : {}),
      ...("step" in record ? { step: record.step } : {}),
    }),
  );
  for (const record of scheduled) {
    if (record.type !== "requestStep") continue;
    const part = `${record.kind} of request ${record.request} in step ${record.step}`;
    links.push([part, `step ${record.step}`], [`step ${record.step}`, part]);
  }
  for (const record of scheduled) {
    if (record.type === "step") {
      const step = `step ${record.step}`;
      add(step, step, undefined, record.start, record.end);
    } else if (record.type === "requestStep") {
      const request = `request ${record.request}`;
      add(`${record.kind} of ${request} in step ${record.step}`, request, request, record.start, record.end);
    } else if (record.type === "request") {
      const request = `request ${record.request}`;
      add(request, request, undefined, record.arrivedAt, record.finishedAt);
      add(`queue of ${request}`, request, request, record.arrivedAt, record.startedAt);
    }
  }
  const gpus = gpusOf(recording.header);
  const moeLayers = moeLayersOf(gpus.flatMap(({ id }) => [...recording.records(id)]));
  for (const { id, rank } of gpus) {
    const records = [...recording.records(id)].filter(
      (record) => !("step" in record) || isSelected({ rank, step: record.step }),
    );
    addRank({ records, rank, moeLayers }, add);
  }
  return spans;
}

/** Layers with a gate are the same on every rank, also on one that has nothing to choose. */
function moeLayersOf(records: readonly AnyRecord[]): ReadonlySet<number> {
  const gates = records.filter((record) => record.type === "span" && record.name === "gate");
  return new Set(gates.map((record) => (record.type === "span" ? record.layer : -1)));
}

interface RankRecords {
  readonly records: readonly AnyRecord[];
  readonly rank: number;
  readonly moeLayers: ReadonlySet<number>;
}

/** A rank's parts in steps; below them its layers, from the first to the last of what is in them; below these the rest. */
function addRank(
  { records, rank, moeLayers }: RankRecords,
  add: (name: string, trace: string, parent: string, start: number, end: number) => void,
): void {
  const layerNamed = (layer: number): string =>
    `${moeLayers.has(layer) ? "layer.moe" : "layer.dense"} ${layer}`;
  const ranges = new Map<string, { step: number; layer: number; start: number; end: number }>();
  const cover = (what: string, step: number, layer: number, start: number, end: number): void => {
    const range = ranges.get(what) ?? { step, layer, start, end };
    ranges.set(what, range);
    range.start = Math.min(range.start, start);
    range.end = Math.max(range.end, end);
  };
  const partOf = (step: number): string => `rank ${rank} of step ${step}`;
  const parentOf = (step: number, layer: number): string =>
    layer < 0 ? partOf(step) : `${layerNamed(layer)} of ${partOf(step)}`;
  for (const record of records) {
    if (record.type === "rankStep") {
      const step = `step ${record.step}`;
      add(partOf(record.step), step, step, record.start, record.end);
    } else if (record.type === "span") {
      const { name, sequence, step, layer, start, end } = record;
      add(`${name} ${sequence} of rank ${rank}`, `step ${step}`, parentOf(step, layer), start, end);
      if (layer >= 0) cover(parentOf(step, layer), step, -1, start, end);
    } else if (record.type === "message") {
      const { phase, step, layer, microBatch, sentAt, arrivedAt } = record;
      const transfer = `${phase}.transfer ${microBatch} of ${parentOf(step, layer)}`;
      cover(transfer, step, layer, sentAt, arrivedAt);
      cover(parentOf(step, layer), step, -1, sentAt, arrivedAt);
    }
  }
  for (const [name, { step, layer, start, end }] of ranges) {
    add(name, `step ${step}`, parentOf(step, layer), start, end);
  }
}

const EPOCH_SECONDS = BigInt(Date.UTC(2025, 0, 1) / 1000);

function nanoseconds(picoseconds: number): string {
  return String(EPOCH_SECONDS * 1_000_000_000n + BigInt(picoseconds) / 1000n);
}

/** The received spans by what their attributes say they are; ids as the words of the spans that have them. */
function inWords(received: readonly ReceivedSpan[]): Map<string, SpanInWords> {
  const words = new Map(received.map((span) => [`${span.traceId} ${span.spanId}`, wordsOf(span)]));
  const roots = new Map(
    received.flatMap((span) => (span.parentSpanId === "" ? [[span.traceId, wordsOf(span)]] : [])),
  );
  expect(words.size).toBe(received.length);
  const wordsFor = (traceId: string, spanId: string): string =>
    words.get(`${traceId} ${spanId}`) ?? "missing";
  return new Map(
    received.map((span) => [
      wordsOf(span),
      {
        trace: roots.get(span.traceId) ?? "missing",
        parent: span.parentSpanId === "" ? undefined : wordsFor(span.traceId, span.parentSpanId),
        links: span.links.map((link) => wordsFor(link.traceId, link.spanId)).toSorted(),
        start: span.startTimeUnixNano,
        end: span.endTimeUnixNano,
      },
    ]),
  );
}

function wordsOf({ name, attributes }: ReceivedSpan): string {
  const of = (attribute: string): string | number => attributes[`windtunnel.${attribute}`] ?? "missing";
  const part = `rank ${of("rank")} of step ${of("step")}`;
  if (name === "step") return `step ${of("step")}`;
  if (name === "rank") return part;
  if (name === "request") return `request ${of("request")}`;
  if (name === "queue") return `queue of request ${of("request")}`;
  if (name === "prefill" || name === "decode")
    return `${name} of request ${of("request")} in step ${of("step")}`;
  if (name.startsWith("layer.")) return `${name} ${of("layer")} of ${part}`;
  if (name.endsWith(".transfer"))
    return `${name} ${of("micro_batch")} of layer.moe ${of("layer")} of ${part}`;
  return `${name} ${of("sequence")} of rank ${of("rank")}`;
}
