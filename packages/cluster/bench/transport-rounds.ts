// What both ends of a transport benchmark do: rounds in which each gives the other one value, which is checked.

import { invariant, Payload, RandomStream } from "@windtunnel/base";
import type { ValueExchange } from "@windtunnel/transport";
import { median } from "./bench-row.ts";

export interface TransportLoad {
  readonly name: string;
  /** Rounds of one sample; each moves a frame both ways. */
  readonly rounds: number;
  readonly eventsPerFrame: number;
  readonly payloadBytesPerFrame: number;
}

/** Both ends do the same: what stands here is of one end, the first of the two. */
export interface TransportMeasurement {
  readonly frames: number;
  readonly frameBytes: number;
  /** The median of the samples. */
  readonly seconds: number;
}

export const TRANSPORT_LOADS: readonly TransportLoad[] = [
  { name: "Small frames", rounds: 2000, eventsPerFrame: 1, payloadBytesPerFrame: 0 },
  { name: "Events in batches of 256", rounds: 100, eventsPerFrame: 256, payloadBytesPerFrame: 0 },
  { name: "Payloads of 1 MiB", rounds: 50, eventsPerFrame: 1, payloadBytesPerFrame: 2 ** 20 },
];

const SEED = 5;
const SAMPLES = 5;
const WARM_UPS = 1;

/** Like the events of a window, without what they are about. */
export interface BenchEvent {
  readonly time: number;
  readonly kind: number;
  readonly source: number;
  readonly sequence: number;
  readonly target: number;
  readonly size: number;
}

export interface BenchMessage {
  readonly round: number;
  readonly from: number;
  readonly events: readonly BenchEvent[];
  readonly payload: Payload | undefined;
}

/** What a host says in every round; both ends draw both. */
export function drawMessage(load: TransportLoad, from: number): BenchMessage {
  const random = new RandomStream(SEED, `transport bench, ${load.name}`);
  const events = Array.from({ length: load.eventsPerFrame }, (_, sequence): BenchEvent => ({
    time: random.below(1e12),
    kind: 13,
    source: random.below(64),
    sequence,
    target: random.below(64),
    size: random.below(1e6),
  }));
  if (load.payloadBytesPerFrame === 0) return { round: 0, from, events, payload: undefined };
  const bytes = new Uint8Array(load.payloadBytesPerFrame);
  for (let i = 0; i < bytes.length; i++) bytes[i] = random.uint32();
  return { round: 0, from, events, payload: new Payload(bytes) };
}

/** Refuses a message that is not the one that its sender drew. The transport has checked every byte by its CRC-32. */
export function checkMessage(actual: BenchMessage, expected: BenchMessage, round: number): void {
  invariant(actual.round === round, `round ${actual.round} instead of ${round}`);
  invariant(actual.from === expected.from, `host ${actual.from} speaks instead of ${expected.from}`);
  invariant(actual.events.length === expected.events.length, `${actual.events.length} events arrived`);
  const last = expected.events.length - 1;
  invariant(actual.events[last]?.time === expected.events[last]?.time, "the last event is another one");
  const [a, b] = [actual.payload?.bytes, expected.payload?.bytes];
  invariant(a?.byteLength === b?.byteLength && a?.at(-1) === b?.at(-1), "the payload is another one");
}

/** Every load, one after another, with the only other host. */
export async function exchangeRounds(
  loads: readonly TransportLoad[],
  exchange: ValueExchange<unknown>,
): Promise<TransportMeasurement[]> {
  const other = 1 - exchange.self;
  const results: TransportMeasurement[] = [];
  for (const load of loads) {
    const message = drawMessage(load, exchange.self);
    const expected = drawMessage(load, other);
    const seconds: number[] = [];
    let before = exchange.traffic;
    for (let sample = -WARM_UPS; sample < SAMPLES; sample++) {
      before = { ...exchange.traffic };
      const start = performance.now();
      for (let round = 0; round < load.rounds; round++) {
        const own = { ...message, round };
        const received = await exchange.swap([own, own]);
        checkMessage(received[other] as BenchMessage, expected, round);
      }
      if (sample >= 0) seconds.push((performance.now() - start) / 1000);
    }
    const { frames, frameBytes } = exchange.traffic;
    results.push({
      frames: frames - before.frames,
      frameBytes: frameBytes - before.frameBytes,
      seconds: median(seconds),
    });
  }
  return results;
}
