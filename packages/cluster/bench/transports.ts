// Every transport under the same three loads: small frames (each round waits for the other end, so this is latency),
// batched events (encoding), and large payloads (bandwidth). Two ends, both sending; frames count in both directions.
// "one thread" encodes, joins, checks and decodes without a transport: what no transport of frames can beat.

import {
  decodeFrame,
  encodeFrame,
  type ExchangeTraffic,
  type FrameEnds,
  HEADER_BYTES,
  type ValueExchange,
} from "@windtunnel/transport";
import { runOnProcesses, runOnThreads } from "./bench-hosts.ts";
import type { BenchRow } from "./bench-row.ts";
import {
  type BenchMessage,
  exchangeRounds,
  TRANSPORT_LOADS,
  type TransportLoad,
  type TransportMeasurement,
} from "./transport-rounds.ts";

const BOTH_ENDS = 2;

export async function benchTransports(
  loads: readonly TransportLoad[] = TRANSPORT_LOADS,
): Promise<BenchRow[]> {
  const tasks = [0, 1].map(() => ({ kind: "transport" as const, loads }));
  const measured: readonly (readonly [string, readonly TransportMeasurement[]])[] = [
    ["one thread", await exchangeRounds(loads, new LoopbackExchange())],
    ["threads", (await runOnThreads<TransportMeasurement[]>(tasks))[0]!],
    ["ZeroMQ, ipc", (await runOnProcesses<TransportMeasurement[]>(tasks, "ipc"))[0]!],
    ["ZeroMQ, tcp", (await runOnProcesses<TransportMeasurement[]>(tasks, "tcp"))[0]!],
  ];
  return loads.flatMap((load, index) =>
    measured.map(([transport, results]) => report(load, transport, results[index]!)),
  );
}

function report(load: TransportLoad, transport: string, measurement: TransportMeasurement): BenchRow {
  const { seconds } = measurement;
  const frames = BOTH_ENDS * measurement.frames;
  const events = frames * load.eventsPerFrame;
  const bytes = BOTH_ENDS * measurement.frameBytes;
  const base = { name: `${load.name}: ${transport}`, seconds };
  if (load.payloadBytesPerFrame > 0) {
    return {
      ...base,
      work: { frames, bytes },
      rates: { "frames/s": frames / seconds, "MB/s": bytes / seconds / 1e6 },
    };
  }
  if (load.eventsPerFrame === 1) {
    return { ...base, work: { frames, bytes }, rates: { "frames/s": frames / seconds } };
  }
  return {
    ...base,
    work: { frames, events, bytes },
    rates: { "frames/s": frames / seconds, "events/s": events / seconds },
  };
}

/** Both ends in one thread: what is sent goes through a frame there, and as the other end's through a frame back. */
class LoopbackExchange implements ValueExchange<unknown> {
  readonly self = 0;
  readonly hostCount = 2;
  #round = 0;
  #frames = 0;
  #frameBytes = 0;

  get traffic(): ExchangeTraffic {
    return { frames: this.#frames, frameBytes: this.#frameBytes };
  }

  swap(values: readonly unknown[]): unknown[] {
    const number = this.#round++;
    const there = carry({ from: 0, to: 1, number }, values[1]);
    this.#frames++;
    this.#frameBytes += there.bytes;
    const answer = { ...(there.value as BenchMessage), from: 1 };
    return [undefined, carry({ from: 1, to: 0, number }, answer).value];
  }
}

function carry(ends: FrameEnds, value: unknown): { value: unknown; bytes: number } {
  const pieces = encodeFrame(ends, value);
  const length = pieces.reduce((sum, piece) => sum + piece.byteLength, 0);
  const frame = new Uint8Array(length);
  let at = 0;
  for (const piece of pieces) {
    frame.set(piece, at);
    at += piece.byteLength;
  }
  const body = frame.subarray(HEADER_BYTES);
  return { value: decodeFrame(frame.subarray(0, HEADER_BYTES), body, ends), bytes: length };
}
