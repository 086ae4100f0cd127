import { rmSync } from "node:fs";
import path from "node:path";
import type { Instant } from "@windtunnel/base";
import * as fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { overlapOfRun, rankStepOverlaps } from "./overlap.ts";
import { type Recording, openRecording } from "./recording-reader.ts";
import { mergeRecordings } from "./recording-merge.ts";
import { HostRecording } from "./recording-writer.ts";
import { COMPUTE_SPANS, type MessageRecord, type SpanName, type SpanRecord } from "./records.ts";
import { headerOf, recordedRun, SMALL_RUN, temporaryFolder } from "./test-recordings.ts";

let folder = "";
beforeAll(() => {
  folder = temporaryFolder();
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

const PLACE = { step: 0, layer: 1, microBatch: 0 } as const;

function span(name: SpanName, start: number, end: number, place: Partial<SpanRecord> = {}): SpanRecord {
  const times = { start: start as Instant, end: end as Instant };
  return {
    ...PLACE,
    name,
    stream: "compute",
    sms: 1,
    rows: 0,
    held: 0,
    cause: { kind: "stream" },
    ...times,
    ...place,
  };
}

function message(sentAt: number, arrivedAt: number, place: Partial<MessageRecord> = {}): MessageRecord {
  const times = { sendStart: sentAt as Instant, sentAt: sentAt as Instant, arrivedAt: arrivedAt as Instant };
  const link = { slowestProcess: 0, slowestLink: 0, limitingProcess: 0, limitingLink: 0 };
  return {
    ...PLACE,
    phase: "dispatch",
    source: 1,
    sendSpan: 0,
    bytes: 1,
    queued: 0,
    portQueued: 0,
    relayed: 0,
    transfer: 0,
    ...link,
    ...times,
    ...place,
  };
}

/** A recording of one step of rank 0, from 0 to `end`; other ranks write nothing. */
function oneStep(spans: readonly SpanRecord[], messages: readonly MessageRecord[], end: number): Recording {
  const file = path.join(folder, "host");
  const host = new HostRecording(file);
  const recorder = host.recorderFor(0);
  for (const record of spans) recorder.span(record);
  for (const record of messages) recorder.message(record);
  const times = { start: 0 as Instant, end: end as Instant };
  recorder.rankStep({ step: 0, kind: "decode", ...times, requests: 1, tokens: 1 });
  host.close();
  mergeRecordings(headerOf({ ...SMALL_RUN, ranks: 1 }), [file], path.join(folder, "one"));
  return openRecording(path.join(folder, "one"));
}

describe("overlap", () => {
  test("is what the arithmetic of one step says", () => {
    // Compute 0-10, 20-30. Own send ends at 5. In flight 4-12 and 25-40, so 8 + 15 = 23.
    // Hidden: 4-10 and 25-30, so 6 + 5 = 11. Waiting without bytes in flight: 12-25, 13; of which 12-20 is exposed, 8.
    const recording = oneStep(
      [span("attention.core", 0, 10), span("dispatch.send", 3, 5), span("mlp.shared", 20, 30)],
      [message(4, 12), message(25, 40)],
      50,
    );
    const [overlap] = [...rankStepOverlaps(recording)];
    const lengths = { total: 23, hidden: 11, exposed: 12, wait: 13, exposedWait: 8 };
    expect(overlap).toMatchObject({ rank: 0, step: 0, layer: null, ...lengths });
    expect(overlap!.exchanges).toEqual([{ layer: 1, microBatch: 0, phase: "dispatch", ...lengths }]);
    recording.close();
  });

  test("is null where nothing was communicated, and a send kernel is no communication", () => {
    const recording = oneStep([span("dispatch.send", 0, 10)], [], 10);
    expect(overlapOfRun(recording).communication).toEqual({
      totalUs: 0,
      hiddenUs: 0,
      exposedUs: 0,
      hiddenFraction: null,
      waitUs: 0,
      exposedWaitUs: 0,
    });
    recording.close();
  });

  test("measures a layer from the first MoE layer's start to the last one's end", () => {
    // Layer 0 is dense. MoE layers 1 and 2: from 100 (attention.project) to 500 (combine.receive), 2 layers: 200 each.
    const recording = oneStep(
      [
        span("attention.project", 0, 100, { layer: 0 }),
        span("attention.project", 100, 150),
        span("gate", 150, 160),
        span("combine.receive", 250, 300),
        span("attention.project", 250, 300, { layer: 2 }),
        span("gate", 310, 320, { layer: 2 }),
        span("combine.receive", 450, 500, { layer: 2 }),
        span("head", 500, 900, { layer: -1 }),
      ],
      [],
      1000,
    );
    expect(overlapOfRun(recording).steps[0]!.layerUs).toBeCloseTo(200e-6, 12);
    recording.close();
  });

  test("agrees with a bitmap on random steps", () => {
    const instant = fc.nat(60);
    const bounds = fc.tuple(instant, instant).map(([a, b]) => [Math.min(a, b), Math.max(a, b)] as const);
    const place = fc.record({ layer: fc.nat(2), microBatch: fc.nat(1) });
    fc.assert(
      fc.property(
        fc.array(
          fc.tuple(
            fc.constantFrom<SpanName>("gate", "embed", "dispatch.send", "combine.receive"),
            bounds,
            place,
          ),
        ),
        fc.array(fc.tuple(fc.constantFrom("dispatch" as const, "combine" as const), bounds, place)),
        (spanTuples, messageTuples) => {
          const spans = spanTuples.map(([name, [start, end], at]) => span(name, start, end, at));
          const messages = messageTuples.map(([phase, [start, end], at]) =>
            message(start, end, { phase, ...at }),
          );
          const recording = oneStep(spans, messages, 60);
          const [overlap] = [...rankStepOverlaps(recording)];
          recording.close();
          expect(overlap).toMatchObject(bitmapOverlap(spans, messages));
        },
      ),
      { numRuns: 150 },
    );
  });

  test("counts compute of the neighbouring step under a message that left early", () => {
    const file = path.join(folder, "host");
    const host = new HostRecording(file);
    const recorder = host.recorderFor(0);
    const step = { kind: "decode", requests: 1, tokens: 1 } as const;
    recorder.span(span("mlp.experts", 0, 100));
    recorder.rankStep({ ...step, step: 0, start: 0 as Instant, end: 100 as Instant });
    // Sent at 60 by a rank that is ahead, arrived at 140; computing until 100 and from 120: 40 + 20 are hidden.
    recorder.message(message(60, 140, { step: 1 }));
    recorder.span(span("mlp.experts", 120, 150, { step: 1 }));
    recorder.rankStep({ ...step, step: 1, start: 100 as Instant, end: 150 as Instant });
    host.close();
    mergeRecordings(headerOf({ ...SMALL_RUN, ranks: 1 }), [file], path.join(folder, "neighbours"));
    const recording = openRecording(path.join(folder, "neighbours"));
    expect([...rankStepOverlaps(recording)].map(({ total, hidden }) => [total, hidden])).toEqual([
      [0, 0],
      [80, 60],
    ]);
    recording.close();
  });

  test("of a run is the mean over its ranks and the sum over kinds of steps", () => {
    const { file } = recordedRun({ ...SMALL_RUN, steps: 4 }, { folder, hosts: 2 });
    const recording = openRecording(file);
    const result = overlapOfRun(recording);
    expect(result.steps.map(({ step, kind }) => `${step} ${kind}`)).toEqual([
      "0 prefill",
      "1 decode",
      "2 decode",
      "3 decode",
    ]);
    const { totalUs, hiddenUs, exposedUs } = result.communication;
    expect(hiddenUs + exposedUs).toBeCloseTo(totalUs, 6);
    const means =
      result.byRank.reduce((sum, rank) => sum + rank.communication.totalUs, 0) / result.byRank.length;
    expect(means).toBeCloseTo(totalUs, 6);
    const kinds = result.byStepKind.prefill!.hiddenUs + result.byStepKind.decode!.hiddenUs;
    expect(kinds).toBeCloseTo(hiddenUs, 6);
    // 2 kinds, 2 MoE layers, 2 micro-batches, 2 phases.
    expect(result.byExchange.length).toBe(16);
    recording.close();
  });
});

const isIn = (at: number, start: number, end: number): boolean => start <= at && at < end;

/** The plain twin: looks at every picosecond. */
function bitmapOverlap(spans: readonly SpanRecord[], messages: readonly MessageRecord[]): object {
  const computes = new Set<string>(COMPUTE_SPANS);
  const sum = { total: 0, hidden: 0, exposed: 0, wait: 0, exposedWait: 0 };
  for (let at = 0; at < 60; at++) {
    const isComputing = spans.some(({ name, start, end }) => computes.has(name) && isIn(at, start, end));
    const isInFlight = messages.some(({ sentAt, arrivedAt }) => isIn(at, sentAt, arrivedAt));
    const isWaiting = messages.some((last) => {
      const ofExchange = ({ layer, microBatch }: { layer: number; microBatch: number }): boolean =>
        layer === last.layer && microBatch === last.microBatch;
      const sends = spans.filter((other) => other.name === `${last.phase}.send` && ofExchange(other));
      return sends.length > 0 && isIn(at, Math.max(...sends.map(({ end }) => end)), last.arrivedAt);
    });
    if (isInFlight) sum.total += 1;
    if (isInFlight && isComputing) sum.hidden += 1;
    if (isInFlight && !isComputing) sum.exposed += 1;
    if (isWaiting && !isInFlight) sum.wait += 1;
    if (isWaiting && !isInFlight && !isComputing) sum.exposedWait += 1;
  }
  return sum;
}
