// Rounds between operating-system processes over ZeroMQ: each host binds one PULL socket and connects a PUSH socket to
// every other. A frame is one multipart message: its header, and its body in pieces. The library is loaded with the first
// socket: most hosts have none, and each thread would load it anew.

import { invariant, WorldError } from "@windtunnel/base";
import type { Pull, Push } from "zeromq";
import type { ExchangeTraffic, ValueExchange } from "./exchange.ts";
import { decodeFrame, encodeFrame, senderOf } from "./frame.ts";

export type ZeromqTransport = "ipc" | "tcp";

const UNLIMITED = 0;
/** After the last round a host still hands over what the others wait for. */
const LINGER_MILLISECONDS = 2000;

type Zeromq = typeof import("zeromq");

export class ZeromqExchange<Value> implements ValueExchange<Value> {
  readonly self: number;
  readonly hostCount: number;
  readonly #zeromq: Zeromq;
  readonly #pull: Pull;
  readonly #pushes = new Map<number, Push>();
  /** Frames that came before their round, by sender. */
  readonly #early = new Map<number, Uint8Array[][]>();
  #round = 0;
  #frames = 0;
  #frameBytes = 0;

  private constructor(self: number, hostCount: number, zeromq: Zeromq, pull: Pull) {
    this.self = self;
    this.hostCount = hostCount;
    this.#zeromq = zeromq;
    this.#pull = pull;
  }

  /** Binds this host's socket; `endpoint` is where the others reach it. */
  static async bind<Value>(
    self: number,
    hostCount: number,
    transport: ZeromqTransport,
    folder: string,
  ): Promise<{ exchange: ZeromqExchange<Value>; endpoint: string }> {
    const zeromq = await import("zeromq");
    const pull = new zeromq.Pull({ receiveHighWaterMark: UNLIMITED, linger: 0 });
    await pull.bind(transport === "ipc" ? `ipc://${folder}/host-${self}` : "tcp://127.0.0.1:*");
    const endpoint = pull.lastEndpoint;
    invariant(endpoint !== null, `host ${self} has no endpoint`);
    return { exchange: new ZeromqExchange<Value>(self, hostCount, zeromq, pull), endpoint };
  }

  connect(endpoints: readonly string[]): void {
    for (const [host, endpoint] of endpoints.entries()) {
      if (host === this.self) continue;
      const push = new this.#zeromq.Push({ sendHighWaterMark: UNLIMITED, linger: LINGER_MILLISECONDS });
      push.connect(endpoint);
      this.#pushes.set(host, push);
    }
  }

  get traffic(): ExchangeTraffic {
    return { frames: this.#frames, frameBytes: this.#frameBytes };
  }

  async swap(values: readonly Value[]): Promise<(Value | undefined)[]> {
    invariant(values.length === this.hostCount, `${values.length} values for ${this.hostCount} hosts`);
    const number = this.#round++;
    const sent = [...this.#pushes].map(async ([host, push]) => {
      const pieces = encodeFrame({ from: this.self, to: host, number }, values[host]);
      this.#frames++;
      for (const piece of pieces) this.#frameBytes += piece.byteLength;
      await push.send(pieces);
    });
    const result: (Value | undefined)[] = Array.from({ length: this.hostCount }, () => undefined);
    const missing = new Set(this.#pushes.keys());
    for (const host of missing) {
      const early = this.#early.get(host)?.shift();
      if (early !== undefined) this.#accept(host, early, number, result, missing);
    }
    while (missing.size > 0) {
      const pieces: Uint8Array[] = await this.#pull.receive();
      const from = senderOf(pieces[0]!);
      if (!this.#pushes.has(from)) throw strayFrame(from, this.self);
      if (missing.has(from)) {
        this.#accept(from, pieces, number, result, missing);
      } else {
        this.#early.set(from, [...(this.#early.get(from) ?? []), pieces]);
      }
    }
    await Promise.all(sent);
    return result;
  }

  close(): void {
    for (const push of this.#pushes.values()) push.close();
    this.#pull.close();
  }

  #accept(
    from: number,
    [header, ...pieces]: Uint8Array[],
    number: number,
    result: (Value | undefined)[],
    missing: Set<number>,
  ): void {
    const body = joined(pieces);
    result[from] = decodeFrame(header!, body, { from, to: this.self, number }) as Value;
    missing.delete(from);
  }
}

function strayFrame(from: number, self: number): WorldError {
  return new WorldError(
    "frame-damaged",
    `a frame to host ${self} is damaged: it names host ${from} as its sender`,
    {
      from,
      to: self,
    },
  );
}

/** One aligned buffer of the pieces of a body. */
function joined(pieces: readonly Uint8Array[]): Uint8Array {
  const body = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.byteLength, 0));
  let offset = 0;
  for (const piece of pieces) {
    body.set(piece, offset);
    offset += piece.byteLength;
  }
  return body;
}
