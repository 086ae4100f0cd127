// Rounds between threads of one process: a ring for each ordered pair, a doorbell for each host.
// `swap` blocks its thread: it spins for 50 µs at most, then sleeps on the doorbell.

import { invariant } from "@windtunnel/base";
import type { ExchangeTraffic, ValueExchange } from "./exchange.ts";
import { bodyLength, decodeFrame, encodeFrame, HEADER_BYTES } from "./frame.ts";
import { Ring, ringBytes } from "./ring.ts";

const SPIN_MILLISECONDS = 0.05;
const DOORBELL_BYTES = 64;
/** Words of a doorbell: how often it was rung, and whether the run is over. */
const RUNG = 0;
const ENDED = 1;

/** Memory that all threads of a run share; plain data, to be handed to workers. */
export interface SharedChannels {
  readonly hostCount: number;
  readonly capacity: number;
  readonly rings: SharedArrayBuffer;
  readonly doorbells: SharedArrayBuffer;
}

export function createSharedChannels(hostCount: number, ringCapacity?: number): SharedChannels {
  // 16 MiB for all rings together, 4 KiB each at least; a frame may be larger than its ring.
  const capacity = ringCapacity ?? Math.max(2 ** 12, 2 ** Math.floor(Math.log2(2 ** 24 / hostCount ** 2)));
  return {
    hostCount,
    capacity,
    rings: new SharedArrayBuffer(ringBytes(capacity) * hostCount * hostCount),
    doorbells: new SharedArrayBuffer(DOORBELL_BYTES * hostCount),
  };
}

/** Tells every host to end: whoever waits, or comes to a round, throws an `ExchangeEnded`. */
export function endExchange(channels: SharedChannels): void {
  for (let host = 0; host < channels.hostCount; host++) {
    const doorbell = new Int32Array(channels.doorbells, DOORBELL_BYTES * host, 2);
    Atomics.store(doorbell, ENDED, 1);
    Atomics.add(doorbell, RUNG, 1);
    Atomics.notify(doorbell, RUNG);
  }
}

/** The run is over for a reason that somebody else tells. */
export class ExchangeEnded extends Error {
  override readonly name = "ExchangeEnded";
}

interface Peer {
  readonly host: number;
  readonly outgoing: Ring;
  readonly incoming: Ring;
  readonly doorbell: Int32Array;
  /** What is still to be written this round. */
  pieces: Uint8Array[];
  readonly header: Uint8Array;
  headerFilled: number;
  body: Uint8Array | undefined;
  bodyFilled: number;
}

export class SharedMemoryExchange<Value> implements ValueExchange<Value> {
  readonly self: number;
  readonly hostCount: number;
  readonly #peers: readonly Peer[];
  readonly #doorbell: Int32Array;
  #round = 0;
  #frames = 0;
  #frameBytes = 0;
  #spunMilliseconds = 0;

  constructor(channels: SharedChannels, self: number) {
    this.self = self;
    this.hostCount = channels.hostCount;
    const size = ringBytes(channels.capacity);
    const ringOf = (from: number, to: number): Ring =>
      new Ring(channels.rings, (from * channels.hostCount + to) * size, channels.capacity);
    const doorbellOf = (host: number): Int32Array =>
      new Int32Array(channels.doorbells, DOORBELL_BYTES * host, 2);
    this.#doorbell = doorbellOf(self);
    const others = Array.from({ length: channels.hostCount }, (_, host) => host).filter(
      (host) => host !== self,
    );
    this.#peers = others.map((host) => ({
      host,
      outgoing: ringOf(self, host),
      incoming: ringOf(host, self),
      doorbell: doorbellOf(host),
      pieces: [],
      header: new Uint8Array(HEADER_BYTES),
      headerFilled: 0,
      body: undefined,
      bodyFilled: 0,
    }));
  }

  get spunTime(): number {
    return this.#spunMilliseconds * 1000;
  }

  get traffic(): ExchangeTraffic {
    return { frames: this.#frames, frameBytes: this.#frameBytes };
  }

  swap(values: readonly Value[]): (Value | undefined)[] {
    invariant(values.length === this.hostCount, `${values.length} values for ${this.hostCount} hosts`);
    const number = this.#round++;
    for (const peer of this.#peers) {
      peer.pieces = encodeFrame({ from: this.self, to: peer.host, number }, values[peer.host]);
      peer.headerFilled = 0;
      peer.body = undefined;
      peer.bodyFilled = 0;
      this.#frames++;
      for (const piece of peer.pieces) this.#frameBytes += piece.byteLength;
    }
    for (;;) {
      const rung = Atomics.load(this.#doorbell, RUNG);
      if (Atomics.load(this.#doorbell, ENDED) !== 0) throw new ExchangeEnded();
      let unfinished = false;
      let moved = false;
      for (const peer of this.#peers) {
        const count = this.#write(peer) + this.#read(peer);
        if (count > 0) {
          moved = true;
          Atomics.add(peer.doorbell, 0, 1);
          Atomics.notify(peer.doorbell, 0);
        }
        unfinished ||=
          peer.pieces.length > 0 || peer.body === undefined || peer.bodyFilled < peer.body.byteLength;
      }
      if (!unfinished) break;
      if (!moved) this.#waitForRing(rung);
    }
    const result: (Value | undefined)[] = Array.from({ length: this.hostCount }, () => undefined);
    for (const { host, header, body } of this.#peers) {
      result[host] = decodeFrame(header, body!, { from: host, to: this.self, number }) as Value;
    }
    return result;
  }

  #write(peer: Peer): number {
    let count = 0;
    for (;;) {
      const piece = peer.pieces[0];
      if (piece === undefined) return count;
      const written = peer.outgoing.write(piece);
      count += written;
      if (written < piece.byteLength) {
        peer.pieces[0] = piece.subarray(written);
        return count;
      }
      peer.pieces.shift();
    }
  }

  /** Reads up to the end of this round's frame and not a byte further: the next one may be there already. */
  #read(peer: Peer): number {
    let count = 0;
    if (peer.headerFilled < HEADER_BYTES) {
      count = peer.incoming.read(peer.header.subarray(peer.headerFilled));
      peer.headerFilled += count;
      if (peer.headerFilled < HEADER_BYTES) return count;
      peer.body = new Uint8Array(bodyLength(peer.header, { from: peer.host, to: this.self }));
    }
    const read = peer.incoming.read(peer.body!.subarray(peer.bodyFilled));
    peer.bodyFilled += read;
    return count + read;
  }

  #waitForRing(rung: number): void {
    const since = performance.now();
    let now = since;
    while (now < since + SPIN_MILLISECONDS && Atomics.load(this.#doorbell, 0) === rung)
      now = performance.now();
    this.#spunMilliseconds += Math.min(now - since, SPIN_MILLISECONDS);
    Atomics.wait(this.#doorbell, 0, rung);
  }
}
