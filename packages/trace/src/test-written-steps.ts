// One step of a few ranks written down span by span, for tests of what is made of it. Not exported from the package.

import path from "node:path";
import type { Instant } from "@windtunnel/base";
import { attributeStep, wiresOf } from "./attribution.ts";
import type {
  MessageRecord,
  Recorder,
  RecordedProcess,
  RecordingHeader,
  SpanName,
  SpanRecord,
} from "./records.ts";
import { mergeRecordings } from "./recording-merge.ts";
import { openRecording, type Recording } from "./recording-reader.ts";
import { HostRecording } from "./recording-writer.ts";
import { type StepGraph, stepGraphs } from "./step-graph.ts";

export const SMS = 132;

export const LINKS: readonly string[] = [
  "plane 0 / node 0 > leaf 0",
  "plane 0 / leaf 0 > spine 0",
  "plane 0 / spine 0 > leaf 1",
  "node 0 pcie / gpu 0 > root",
];

function header(ranks: number): RecordingHeader {
  const gpus = Array.from({ length: ranks }, (_, rank): RecordedProcess => {
    return { id: rank, kind: "gpu", name: `gpu ${rank}`, rank, node: rank };
  });
  const nvlink = ["node 0 nvlink / gpu 0 > switch"];
  return {
    schema: "windtunnel/recording@2",
    name: "written",
    seed: 1,
    timedModel: "none",
    gpu: "h800",
    sms: SMS,
    processes: [
      ...gpus,
      { id: ranks, kind: "fabric", name: "NVLink", wire: "nvlink", links: nvlink },
      { id: ranks + 1, kind: "fabric", name: "plane 0", wire: "nic", links: LINKS },
    ],
  };
}

/** Writes on one rank; what is left out is as in a decode step's first MoE layer. */
export class RankPen {
  readonly #recorder: Recorder;

  constructor(recorder: Recorder) {
    this.#recorder = recorder;
  }

  /** Gives the span's sequence. */
  span(name: SpanName, start: number, end: number, more: Partial<SpanRecord> = {}): number {
    const place = { step: 0, layer: 3, microBatch: 0 };
    const times = { start: start as Instant, end: end as Instant };
    const usual = { stream: "compute", sms: SMS, rows: 8, held: 0, cause: { kind: "stream" } } as const;
    return this.#recorder.span({ name, ...place, ...usual, ...times, ...more });
  }

  message(source: number, sentAt: number, arrivedAt: number, more: Partial<MessageRecord> = {}): void {
    this.#recorder.message({
      step: 0,
      layer: 3,
      microBatch: 0,
      phase: "dispatch",
      source,
      sendSpan: 0,
      sendStart: sentAt as Instant,
      sentAt: sentAt as Instant,
      arrivedAt: arrivedAt as Instant,
      bytes: 1000,
      queued: 0,
      portQueued: 0,
      relayed: 0,
      transfer: 0,
      slowestProcess: 3,
      slowestLink: 0,
      limitingProcess: 3,
      limitingLink: 0,
      ...more,
    });
  }

  end(start: number, end: number): void {
    const times = { start: start as Instant, end: end as Instant };
    this.#recorder.rankStep({ step: 0, kind: "decode", ...times, requests: 1, tokens: 8 });
  }
}

/** A recording of two ranks whose step the pens write; fabric processes are 2 (NVLink) and 3 (a plane). */
export function writtenStep(folder: string, ...ranks: readonly ((pen: RankPen) => void)[]): Recording {
  const file = path.join(folder, "written-host");
  const host = new HostRecording(file);
  for (const [rank, write] of ranks.entries()) write(new RankPen(host.recorderFor(rank)));
  host.close();
  const target = path.join(folder, "written");
  mergeRecordings(header(ranks.length), [file], target);
  return openRecording(target);
}

export function graphOfStep(recording: Recording): StepGraph {
  const [graph] = [...stepGraphs(recording)];
  return graph!;
}

/** A rank's segments as "from-to cause", with the rank or the link where one is named. */
export function causesOf(recording: Recording, rank: number): string[] {
  const graph = graphOfStep(recording);
  const options = { sms: SMS, wireOf: wiresOf(recording.header) };
  return attributeStep(graph, graph.rankOf(rank)!, options).map(({ from, to, cause, rank: other, link }) => {
    const detail = other === undefined ? "" : ` ${other}`;
    return `${from}-${to} ${cause}${detail}${link === undefined ? "" : ` at ${LINKS[link.link]}`}`;
  });
}
