// For tests: rounds of values that both sides can compute, some larger than a ring, so that every frame is checked.

import { defined, Payload, RandomStream } from "@windtunnel/base";
import type { ValueExchange } from "../index.ts";

export interface RoundValue {
  readonly text: string;
  readonly payload: Payload;
}

export const ROUNDS = 40;

/** What host `from` gives host `to` in a round: from nothing to several rings full. */
function valueOf(from: number, to: number, round: number): RoundValue {
  const random = new RandomStream(round, `${from} to ${to}`);
  const size = random.below(4) === 0 ? random.below(300_000) : random.below(200);
  const bytes = new Uint8Array(size);
  for (let i = 0; i < size; i += 97) bytes[i] = random.below(256);
  return { text: `round ${round} from ${from} to ${to}`, payload: new Payload(bytes) };
}

/** Runs all rounds; throws when anything arrives that was not sent. Gives the payload bytes sent. */
export async function swapRounds(exchange: ValueExchange<RoundValue>): Promise<number> {
  const { self, hostCount } = exchange;
  let sent = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const values = Array.from({ length: hostCount }, (_, host) => valueOf(self, host, round));
    for (const [host, { payload }] of values.entries()) sent += host === self ? 0 : payload.bytes.length;
    const received = await exchange.swap(values);
    for (let host = 0; host < hostCount; host++) {
      if (host === self) continue;
      const { text, payload } = defined(received[host], `what host ${host} gave`);
      const expected = valueOf(host, self, round);
      const same = Buffer.compare(payload.bytes, expected.payload.bytes) === 0;
      if (text !== expected.text || !same)
        throw new Error(`host ${self} got "${text}" instead of "${expected.text}"`);
    }
  }
  return sent;
}
